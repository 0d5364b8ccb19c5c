//! What goes wrong between a client and the API.
//!
//! Every chance is drawn from one seeded generator, in the order of requests, and every fault that fires is counted. The
//! API itself stays right: a fault delays, refuses, repeats or cuts what passes between it and a client.
//!
//! Promises: within one watch, the versions of one object never come out of order; nothing is lost without the client
//! being told (an end, an error, or a 410); all waiting is on tokio's time.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{Method, Request, Response};
use keelson_core::Span;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{
    Shared,
    tower::{self, FaceBody},
};
use crate::api::Reply;
use crate::objects::{Cluster, Write};
use crate::world::{kinds::LEASES, read::micro_stamp};

/// How often what goes wrong. Rates are chances in `[0, 1]` per request or per watch; zero switches a fault off.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    /// Every request waits this long, in milliseconds: from, to.
    pub latency_ms: (u64, u64),
    /// A write is answered 409 and not done.
    pub conflict: f64,
    /// A request is answered 429 with `Retry-After: 1`.
    pub too_many: f64,
    /// A request is answered 500 or 503 and not done.
    pub error_before: f64,
    /// A write is done and then answered 500 or 503.
    pub error_after: f64,
    /// A watch is answered 410.
    pub gone: f64,
    /// A watch ends without a word after a while.
    pub dropped: f64,
    /// A watch falls silent for a while before it ends.
    pub stalled: f64,
    /// For how long, in seconds; a client that gives up on a silent connection makes it shorter.
    pub silent_seconds: u64,
    /// How long a watch that is dropped or stalls lives before, in seconds: from, to.
    pub watch_seconds: (u64, u64),
    /// An event of a watch comes twice.
    pub duplicate: f64,
    /// A batch of events comes late, so that other watches are ahead.
    pub late: f64,
    /// How late, in milliseconds: from, to.
    pub late_ms: (u64, u64),
    /// A list with `resourceVersion=0` comes from a while ago.
    pub stale_list: f64,
    /// How many changes ago at most.
    pub stale_changes: u64,
    /// A Lease is lost when its holder renews it: somebody deletes it or takes it over.
    pub lost_lease: f64,
    /// How far a client's clock is off, in milliseconds: from, to. [`Faults::skew`] draws it.
    pub skew_ms: (i64, i64),
}

impl Rates {
    /// A bad day: a little of everything.
    #[must_use]
    pub const fn rough() -> Self {
        Self {
            latency_ms: (0, 40),
            conflict: 0.02,
            too_many: 0.02,
            error_before: 0.02,
            error_after: 0.01,
            gone: 0.1,
            dropped: 0.5,
            stalled: 0.1,
            silent_seconds: 300,
            watch_seconds: (5, 245),
            duplicate: 0.02,
            late: 0.1,
            late_ms: (10, 3000),
            stale_list: 0.3,
            stale_changes: 50,
            lost_lease: 0.001,
            skew_ms: (-90_000, 90_000),
        }
    }
}

#[derive(Debug)]
struct State {
    rng: SmallRng,
    rates: Rates,
    outage: bool,
    /// How many outages there have been.
    outages: u64,
    fired: BTreeMap<&'static str, u64>,
}

/// Faults, from a seed; clones share their state.
#[derive(Debug, Clone)]
pub struct Faults {
    state: Arc<Mutex<State>>,
    /// Wakes the watches when an outage begins.
    began: Arc<Notify>,
}

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self::new(0, Rates::default())
    }

    /// Faults at these rates.
    #[must_use]
    pub fn new(seed: u64, rates: Rates) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        let state = State { rng, rates, outage: false, outages: 0, fired: BTreeMap::new() };
        Self { state: Arc::new(Mutex::new(state)), began: Arc::default() }
    }

    /// Other rates from now on.
    pub fn set(&self, rates: Rates) {
        self.with(|state| state.rates = rates);
    }

    /// While on, no request reaches the API and every open watch breaks.
    pub fn outage(&self, on: bool) {
        self.with(|state| {
            state.outages += u64::from(on && !state.outage);
            state.outage = on;
        });
        self.began.notify_waiters();
    }

    /// How far the clock of a client is off. Each call draws anew, so ask once for each client.
    #[must_use]
    pub fn skew(&self) -> Span {
        self.with(|state| {
            let (from, to) = state.rates.skew_ms;
            if to <= from {
                return Span::millis(from);
            }
            *state.fired.entry("skew").or_default() += 1;
            Span::millis(state.rng.random_range(from..=to))
        })
    }

    /// How often each fault fired.
    #[must_use]
    pub fn fired(&self) -> BTreeMap<&'static str, u64> {
        self.with(|state| state.fired.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Draws once; a rate of zero draws nothing, so that a fault switched off does not shift the others.
    fn strikes(&self, what: &'static str, rate: impl FnOnce(&Rates) -> f64) -> bool {
        self.with(|state| {
            let rate = rate(&state.rates);
            let strikes = rate > 0.0 && state.rng.random_bool(rate.min(1.0));
            if strikes {
                *state.fired.entry(what).or_default() += 1;
            }
            strikes
        })
    }

    fn between(&self, range: impl FnOnce(&Rates) -> (u64, u64)) -> u64 {
        self.with(|state| {
            let (from, to) = range(&state.rates);
            if to > from { state.rng.random_range(from..=to) } else { from }
        })
    }

    /// Returns when an outage has begun after the first `outages`.
    async fn outage_after(&self, outages: u64) {
        loop {
            let began = self.began.notified();
            tokio::pin!(began);
            began.as_mut().enable();
            if self.with(|state| state.outages > outages) {
                return;
            }
            began.await;
        }
    }

    fn count(&self, what: &'static str) {
        self.with(|state| *state.fired.entry(what).or_default() += 1);
    }

    fn refuse_if_out(&self) -> io::Result<()> {
        if self.with(|state| state.outage) {
            self.count("outage");
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the API server is down"));
        }
        Ok(())
    }

    pub(super) async fn answer(self, shared: &Shared, request: Request<Bytes>) -> io::Result<Response<FaceBody>> {
        self.refuse_if_out()?;
        let wait = self.between(|rates| rates.latency_ms);
        if wait > 0 {
            self.count("latency");
            tokio::time::sleep(Duration::from_millis(wait)).await;
            self.refuse_if_out()?;
        }
        let writes = request.method() != Method::GET;
        if let Some(refusal) = self.refusal(writes) {
            return Ok(tower::whole(refusal));
        }
        self.lose_lease(shared, &request);
        let request = self.stale(shared, request);
        match tower::ask(shared, request) {
            Reply::Response(response) => {
                if writes && response.status().is_success() && self.strikes("error_after", |rates| rates.error_after) {
                    return Ok(tower::whole(self.broken()));
                }
                Ok(tower::whole(response))
            }
            Reply::Watch(plan) => {
                if self.strikes("gone", |rates| rates.gone) {
                    shared.with(|api, _| api.watch_close(plan.id));
                    return Ok(tower::streaming(&plan.content_type, stream::iter([Ok(expired())])));
                }
                let batches = tower::batches(shared.clone(), plan.id);
                Ok(tower::streaming(&plan.content_type, self.disturbed(batches)))
            }
        }
    }

    fn refusal(&self, writes: bool) -> Option<Response<Bytes>> {
        if self.strikes("too_many", |rates| rates.too_many) {
            let message = "The apiserver is overloaded, please try again later";
            let mut response = status(429, "TooManyRequests", message, &json!({"retryAfterSeconds": 1}));
            response.headers_mut().insert(http::header::RETRY_AFTER, 1.into());
            return Some(response);
        }
        if self.strikes("error_before", |rates| rates.error_before) {
            return Some(self.broken());
        }
        if writes && self.strikes("conflict", |rates| rates.conflict) {
            let message = "Operation cannot be fulfilled: the object has been modified; please apply your changes to the \
                           latest version and try again";
            return Some(status(409, "Conflict", message, &json!({})));
        }
        None
    }

    fn broken(&self) -> Response<Bytes> {
        if self.with(|state| state.rng.random_bool(0.5)) {
            status(500, "InternalError", "Internal error occurred: etcdserver: request timed out", &json!({}))
        } else {
            status(503, "ServiceUnavailable", "apiserver is shutting down", &json!({}))
        }
    }

    /// Takes a Lease away from the client that is about to renew it.
    fn lose_lease(&self, shared: &Shared, request: &Request<Bytes>) {
        let renews = matches!(*request.method(), Method::PUT | Method::PATCH);
        let Some((namespace, name)) = lease(request.uri().path()).filter(|_| renews) else { return };
        if !self.strikes("lost_lease", |rates| rates.lost_lease) {
            return;
        }
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let deleted = self.with(|state| state.rng.random_bool(0.5));
        shared.with(|api, now| {
            let write = if deleted {
                Write::Delete { resource: LEASES, namespace, name, uid: None, grace_seconds: None }
            } else {
                let spec = json!({"holderIdentity": "somebody-else", "renewTime": micro_stamp(now)});
                Write::Merge { resource: LEASES, namespace, name, subresource: "", patch: json!({"spec": spec}) }
            };
            // One that is not there cannot be lost.
            drop(api.cluster(now).write(write));
        });
    }

    /// Turns a list that would take any version into one from a while ago.
    fn stale(&self, shared: &Shared, mut request: Request<Bytes>) -> Request<Bytes> {
        let query = request.uri().query().unwrap_or("").to_owned();
        let any = query.split('&').any(|option| option == "resourceVersion=0");
        if !any || is_watch(&request) || request.method() != Method::GET {
            return request;
        }
        if !self.strikes("stale_list", |rates| rates.stale_list) {
            return request;
        }
        let back = self.between(|rates| (0, rates.stale_changes));
        let wanted = shared.with(|api, _| api.resource_version()).saturating_sub(back).max(1);
        let kept: Vec<&str> = query.split('&').filter(|option| !option.starts_with("resourceVersion")).collect();
        let exact = format!("resourceVersion={wanted}&resourceVersionMatch=Exact");
        let query = if kept.is_empty() { exact } else { format!("{}&{exact}", kept.join("&")) };
        if let Ok(uri) = format!("{}?{query}", request.uri().path()).parse() {
            // A version the history has forgotten is not stale but gone: then the list is left alone.
            let fresh = request.uri().clone();
            *request.uri_mut() = uri;
            let probe = shared.with(|api, now| api.handle(now, request.clone()));
            if matches!(probe, Reply::Response(response) if response.status().is_success()) {
                return request;
            }
            *request.uri_mut() = fresh;
        }
        request
    }

    /// A watch's frames, late, doubled, cut or silent.
    fn disturbed(
        self,
        batches: impl Stream<Item = Vec<Bytes>> + Send + 'static,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let drops = self.strikes("dropped", |rates| rates.dropped);
        let stalls = !drops && self.strikes("stalled", |rates| rates.stalled);
        let life = self.between(|rates| rates.watch_seconds);
        let end = (drops || stalls).then(|| tokio::time::Instant::now() + Duration::from_secs(life.max(1)));
        let outages = self.with(|state| state.outages);
        let (batches, ready) = (Box::pin(batches), VecDeque::new());
        stream::unfold(Some(Disturbed { faults: self, outages, batches, ready, end, stalls }), Disturbed::next)
    }
}

struct Disturbed<S> {
    faults: Faults,
    /// How many outages there had been when it was opened: the next one breaks it.
    outages: u64,
    batches: std::pin::Pin<Box<S>>,
    ready: VecDeque<Bytes>,
    end: Option<tokio::time::Instant>,
    stalls: bool,
}

impl<S: Stream<Item = Vec<Bytes>>> Disturbed<S> {
    async fn next(watch: Option<Self>) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let mut watch = watch?;
        let faults = watch.faults.clone();
        tokio::select! {
            biased;
            () = faults.outage_after(watch.outages) => {
                faults.count("outage");
                let broken = io::Error::new(io::ErrorKind::ConnectionReset, "the API server went down");
                Some((Err(broken), None))
            }
            frame = watch.frame() => Some((Ok(frame?), Some(watch))),
        }
    }

    async fn frame(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.ready.pop_front() {
            return Some(frame);
        }
        let batch = match self.end {
            Some(end) => tokio::select! {
                biased;
                () = tokio::time::sleep_until(end) => {
                    if self.stalls {
                        // The connection is open and nothing comes: only the client's own patience helps.
                        let silence = self.faults.with(|state| state.rates.silent_seconds);
                        tokio::time::sleep(Duration::from_secs(silence)).await;
                    }
                    None
                }
                batch = self.batches.next() => batch,
            },
            None => self.batches.next().await,
        }?;
        if self.faults.strikes("late", |rates| rates.late) {
            let wait = self.faults.between(|rates| rates.late_ms);
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        for frame in batch {
            let twice = !frame.starts_with(b"{\"type\":\"BOOKMARK\"") && !frame.starts_with(b"{\"type\":\"ERROR\"");
            if twice && self.faults.strikes("duplicate", |rates| rates.duplicate) {
                self.ready.push_back(frame.clone());
            }
            self.ready.push_back(frame);
        }
        self.ready.pop_front()
    }
}

/// A real server, too, says so in the stream and not by its code.
fn expired() -> Bytes {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired", "code": 410,
        "message": "too old resource version: 1 (2)",
    });
    Bytes::from(format!("{}\n", json!({"type": "ERROR", "object": status})))
}

/// The namespace and name of the Lease a path names; those of nodes are the world's own.
fn lease(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/apis/coordination.k8s.io/v1/namespaces/")?;
    let (namespace, name) = rest.split_once("/leases/")?;
    (namespace != "kube-node-lease").then_some((namespace, name))
}

fn is_watch(request: &Request<Bytes>) -> bool {
    let query = request.uri().query().unwrap_or("");
    query.split('&').any(|option| matches!(option, "watch=true" | "watch=1"))
}

fn status(code: u16, reason: &str, message: &str, details: &Value) -> Response<Bytes> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
        "details": details, "code": code,
    });
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
