//! The API as a tower service: `kube::Client::new(Face::new(shared), "default")`.
//!
//! Promises: on a current-thread runtime with paused time, the same seed and the same clients give the same exchange.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::stream;
use http::{Request, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};

use super::{Shared, faults::Faults};
use crate::api::{Reply, WatchId};

/// What an answer is read from.
pub type FaceBody = UnsyncBoxBody<Bytes, io::Error>;

/// The API as a service.
#[derive(Debug, Clone)]
pub struct Face {
    shared: Shared,
    faults: Faults,
    token: Option<String>,
}

impl Face {
    /// Without faults.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self { shared, faults: Faults::none(), token: None }
    }

    /// With faults between this client and the API.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// With a bearer token on every request that brings none.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    async fn answer<B>(self, request: Request<B>) -> io::Result<Response<FaceBody>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::fmt::Display,
    {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|problem| io::Error::other(problem.to_string()))?.to_bytes();
        if let (Some(token), None) = (&self.token, parts.headers.get(header::AUTHORIZATION))
            && let Ok(value) = header::HeaderValue::from_str(&format!("Bearer {token}"))
        {
            parts.headers.insert(header::AUTHORIZATION, value);
        }
        self.faults.clone().answer(&self.shared, Request::from_parts(parts, body)).await
    }
}

impl<B> tower::Service<Request<B>> for Face
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    type Response = Response<FaceBody>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<FaceBody>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

/// Asks the API now.
pub(super) fn ask(shared: &Shared, request: Request<Bytes>) -> Reply {
    shared.with(|api, now| api.handle(now, request))
}

/// An answer that is there.
pub(super) fn whole(response: Response<Bytes>) -> Response<FaceBody> {
    response.map(|bytes| Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync())
}

/// An open watch; closes it when dropped.
#[derive(Debug)]
pub(super) struct Open {
    pub shared: Shared,
    pub id: WatchId,
}

impl Drop for Open {
    fn drop(&mut self) {
        let id = self.id;
        self.shared.with(|api, _| api.watch_close(id));
    }
}

/// The answer to a watch: frames as they come.
pub(super) fn streaming(
    content_type: &str,
    frames: impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response<FaceBody> {
    let body = StreamBody::new(futures::StreamExt::map(frames, |frame| frame.map(Frame::data)));
    let mut response = Response::new(body.boxed_unsync());
    if let Ok(value) = header::HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, private"));
    response
}

/// The batches of frames of a watch; each batch is what was new at one moment.
pub(super) fn batches(shared: Shared, id: WatchId) -> impl futures::Stream<Item = Vec<Bytes>> + Send + 'static {
    let changes = shared.changes();
    let open = Open { shared, id };
    stream::unfold((open, changes, false), |(open, mut changes, ended)| async move {
        if ended {
            return None;
        }
        loop {
            changes.mark();
            let next = open.shared.with(|api, now| api.watch_next(open.id, now));
            if !next.frames.is_empty() {
                return Some((next.frames, (open, changes, next.ended)));
            }
            if next.ended {
                return None;
            }
            match next.due {
                Some(due) => {
                    let clock = open.shared.clock();
                    tokio::select! {
                        biased;
                        () = changes.changed() => {}
                        () = clock.sleep_until(due) => {}
                    }
                }
                None => {
                    changes.changed().await;
                }
            }
        }
    })
}
