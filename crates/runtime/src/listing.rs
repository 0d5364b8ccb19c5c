//! Kinds that can be listed and not watched, such as those of `metrics.k8s.io`.
//!
//! An aggregated API is served by somebody beside the API server, who may be absent, come, or fall silent at any time.
//! Whoever reads it asks again and again, and is told which of these it is.
//!
//! Promises: an object that cannot be read is left out and named in the log, and never hides the others; what happens to
//! such an API says nothing about whether the API server answers.

use std::sync::Arc;

use kube::Api;
use kube::api::ListParams;

use crate::Runtime;
use crate::cache::{Cached, Tolerant};

/// What was found.
#[derive(Debug, Clone)]
pub enum Listing<K> {
    /// These objects.
    Read(Vec<Arc<K>>),
    /// Nobody serves the kind.
    Absent,
    /// It cannot be read, in the server's words.
    Failed(String),
}

impl Runtime {
    /// Lists every object of a kind, now.
    pub async fn list<K: Cached>(&self) -> Listing<K> {
        let api: Api<Tolerant<K>> = Api::all(self.0.client.clone());
        match api.list(&ListParams::default()).await {
            Ok(list) => Listing::Read(list.items.into_iter().filter_map(Tolerant::read).collect()),
            Err(kube::Error::Api(status)) if status.code == 404 => Listing::Absent,
            Err(kube::Error::Api(status)) => Listing::Failed(status.message),
            Err(error) => Listing::Failed(error.to_string()),
        }
    }
}
