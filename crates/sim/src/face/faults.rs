//! What goes wrong between a client and the API.

use std::io;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};

use super::{
    Shared,
    tower::{self, FaceBody},
};
use crate::api::Reply;

/// Faults, from a seed.
#[derive(Debug, Clone)]
pub struct Faults {}

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub const fn none() -> Self {
        Self {}
    }

    pub(super) async fn answer(self, shared: &Shared, request: Request<Bytes>) -> io::Result<Response<FaceBody>> {
        Ok(match tower::ask(shared, request) {
            Reply::Response(response) => tower::whole(response),
            Reply::Watch(plan) => {
                let frames = tower::batches(shared.clone(), plan.id);
                tower::streaming(&plan.content_type, frames.flat_map(|batch| futures::stream::iter(batch.into_iter().map(Ok))))
            }
        })
    }
}
