//! Standing for leadership of one feature.
//!
//! The [`Elector`] thinks; this reads and writes the Lease. Every call has its own short timeout, never longer than what
//! is left of the renew deadline, and none is retried by the client: a renewal that hides in retries is how leaders are
//! lost, and how two come to lead.
//!
//! A leader renews over the version it wrote last without reading it first, as client-go does since Kubernetes 1.30: one
//! call a renewal. Whatever goes wrong with it, the lease is read before it is written again.
//!
//! Promises: leadership ends on time even while a call hangs; a lease that is given up can be taken at once; nobody leads
//! before the Platform was read, since until then nobody knows what may be done, or on a picture from before it held the
//! lease, since its predecessor may have acted after that.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use keelson_api::names;
use keelson_core::{Feature, Span, Timestamp};
use kube::api::{Patch, PatchParams, PostParams, Request};
use kube::core::request::Error as BuildError;
use kube::{Api, Client, Resource};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::cache::Caches;
use crate::config::Election;
use crate::elector::{Elector, Next, Record};
use crate::health::LeaseHealth;
use crate::mandate::{Mandate, Term, introduced};
use crate::metrics::Metrics;
use crate::reach::Reach;
use crate::shutdown::{Phase, Stages};
use crate::switch::Switches;
use crate::{Chance, Clock, Config, watch};

/// The longest a call may take.
const CALL: Duration = Duration::from_secs(5);

/// The longest that the history is waited for.
const HISTORY: Duration = Duration::from_secs(3);

/// A candidate for one feature's leadership.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) feature: Feature,
    pub(crate) config: Arc<Config>,
    pub(crate) chance: Chance,
    pub(crate) reach: Reach,
    pub(crate) metrics: Metrics,
    pub(crate) caches: Caches,
    pub(crate) switches: Arc<Switches>,
    pub(crate) stages: Stages,
    /// Whether the Platform was read.
    pub(crate) known: watch::Receiver<bool>,
    pub(crate) seen: Arc<Mutex<LeaseHealth>>,
}

/// Stands until the process gives its leases back.
pub(crate) async fn stand(mut candidate: Candidate) {
    let releasing = candidate.stages.reached(Phase::Releasing);
    let mut releasing = std::pin::pin!(releasing);
    tokio::select! {
        biased;
        () = &mut releasing => return,
        known = candidate.known.wait_for(|known| *known) => if known.is_err() { return },
    }
    match candidate.config.election {
        Election::Lease => {}
        Election::Never => return releasing.await,
        Election::Alone => {
            candidate.lead(1);
            releasing.await;
            return candidate.stop_leading();
        }
    }
    let mut elector = Elector::new(&candidate.config.identity, candidate.config.timing);
    let (mut written, mut reading) = (None, None);
    let start = Instant::now();
    loop {
        let wait = tokio::select! {
            biased;
            () = &mut releasing => break,
            wait = candidate.look(&mut elector, &mut written, start) => wait,
        };
        // Under every new number, the cluster is read again before anything is decided.
        match elector.fence() {
            Some(fence) if fence != candidate.switches.now(candidate.feature).fence => {
                reading.get_or_insert_with(|| Box::pin(candidate.prepare(fence)));
            }
            _ => reading = None,
        }
        let read = async {
            match &mut reading {
                Some(reading) => reading.await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut releasing => break,
            // A process that was stopped meanwhile may have held the lease for too long: the next look sees.
            () = read => {
                reading = None;
                if let Some(fence) = elector.fence().filter(|_| !left(&elector, start).is_zero()) {
                    candidate.lead(fence);
                }
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
    candidate.stop_leading();
    if let Some(fence) = elector.fence() {
        candidate.release(fence).await;
    }
}

impl Candidate {
    /// The highest number that the history knows of: the lease may be deleted, or of an older backup. Whoever waits for a
    /// history that is away leads nobody, so it is not waited for long.
    async fn known_fence(&self) -> u64 {
        let known = timeout(HISTORY, self.config.history.highest_fence(self.feature)).await;
        known.ok().flatten().unwrap_or_else(|| {
            tracing::warn!(feature = %self.feature, "the history does not tell how often it was led: the Lease alone counts");
            0
        })
    }

    /// What has to be done under a new number before anything is decided.
    async fn prepare(&self, fence: u64) {
        let kept = timeout(HISTORY, self.config.history.led(self.feature, fence));
        let ((), kept) = tokio::join!(self.caches.read_again(), kept);
        if kept != Ok(true) {
            tracing::warn!(feature = %self.feature, fence, "the history did not keep the number of this leadership");
        }
    }

    /// Looks once and does what the elector says; returns how long to wait before the next look. `written` is the lease
    /// as this candidate last wrote it, while nothing speaks against its still being so.
    async fn look(&self, elector: &mut Elector, written: &mut Option<Lease>, start: Instant) -> Duration {
        let known = match written.take() {
            Some(lease) => self.follow(Some(lease), elector, written, start).await,
            None => None,
        };
        let next = match known {
            Some(next) => next,
            None => self.read_and_follow(elector, written, start).await,
        };
        self.switches.term(self.feature).ends_at(elector.ends_at().map(|at| start + at.since(Timestamp(0)).to_std()));
        if next == Next::Lost {
            tracing::warn!(feature = %self.feature, "leadership lost");
            self.stop_leading();
        }
        let retry = self.chance.jitter(self.config.timing.retry).to_std();
        elector.ends_at().map_or(retry, |ends_at| retry.min(ends_at.since(elapsed(start)).to_std()))
    }

    async fn read_and_follow(&self, elector: &mut Elector, written: &mut Option<Lease>, start: Instant) -> Next {
        match timeout(left(elector, start), self.read()).await {
            Ok(Ok(lease)) => {
                self.saw(lease.as_ref());
                let next = self.follow(lease, elector, written, start).await;
                // Somebody else was faster: the next look sees who.
                next.unwrap_or(Next::Follow)
            }
            Ok(Err(error)) => self.unreachable(elector, start, &error.to_string()),
            Err(_) => self.unreachable(elector, start, "no answer in time"),
        }
    }

    /// Writes what the elector wants written over this version of the lease; none when there is another by now.
    async fn follow(
        &self,
        lease: Option<Lease>,
        elector: &mut Elector,
        written: &mut Option<Lease>,
        start: Instant,
    ) -> Option<Next> {
        if lease.as_ref().and_then(version).is_some_and(|version| elector.at_version(version)) {
            tracing::warn!(
                feature = %self.feature,
                "the cluster was restored from an older state: everything is read again before anybody leads"
            );
        }
        let mut next = elector.next(lease.as_ref().map(record), elapsed(start));
        if matches!(next, Next::Acquire { .. }) {
            // Who led while this process was stopped, and was undone by a backup, is in the history alone.
            elector.at_least(self.known_fence().await);
            next = elector.next(lease.as_ref().map(record), elapsed(start));
        }
        let (fence, taking) = match next {
            Next::Acquire { fence } => (fence, true),
            Next::Renew { fence } => (fence, false),
            Next::Follow | Next::Lost => return Some(next),
        };
        let asked_at = elapsed(start);
        let write = self.as_holder(fence).act(self.write(lease.as_ref(), fence, taking));
        match timeout(left(elector, start), write).await {
            Ok(Ok(renewed)) => {
                self.saw(Some(&renewed));
                *written = Some(renewed);
                if taking {
                    elector.acquired(fence, asked_at);
                } else {
                    elector.renewed(asked_at);
                }
                Some(next)
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => None,
            // Of one that was there. Where none was, it is the namespace that is missing, and that must be said.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 && lease.is_some() => None,
            Ok(Err(error)) => Some(self.unreachable(elector, start, &error.to_string())),
            Err(_) => Some(self.unreachable(elector, start, "no answer in time")),
        }
    }

    fn unreachable(&self, elector: &mut Elector, start: Instant, why: &str) -> Next {
        tracing::warn!(feature = %self.feature, "the lease cannot be read or written: {why}");
        self.reach.failed(why);
        elector.unreachable(elapsed(start))
    }

    fn api(&self) -> Api<Lease> {
        let client: Client = self.config.lease_client.clone();
        Api::namespaced(client, &self.config.namespace)
    }

    async fn read(&self) -> Result<Option<Lease>, kube::Error> {
        self.api().get_opt(&names::lease(self.feature)).await
    }

    async fn write(&self, lease: Option<&Lease>, fence: u64, taking: bool) -> Result<Lease, kube::Error> {
        let timing = &self.config.timing;
        let mut spec = json!({
            "holderIdentity": self.config.identity,
            "leaseDurationSeconds": (timing.lease.0 / 1_000_000).max(1),
            "renewTime": stamp(self.config.clock),
            "leaseTransitions": i32::try_from(fence).unwrap_or(i32::MAX),
        });
        if taking && let Some(spec) = spec.as_object_mut() {
            spec.insert("acquireTime".to_owned(), json!(stamp(self.config.clock)));
        }
        match lease {
            Some(lease) => self.patch(lease, spec).await,
            None => {
                let name = names::lease(self.feature);
                let owners = self.config.owner.as_ref().map(|owner| [owner]);
                let labels = json!({names::MANAGED_BY: "keelson"});
                let metadata = json!({"name": name, "labels": labels, "ownerReferences": owners});
                let lease = serde_json::to_vec(&json!({"metadata": metadata, "spec": spec}));
                let lease = lease.map_err(kube::Error::SerdeError)?;
                self.send(self.requests().create(&PostParams::default(), lease)).await
            }
        }
    }

    /// Writes only over the version that was read.
    async fn patch(&self, lease: &Lease, spec: Value) -> Result<Lease, kube::Error> {
        let body = json!({"metadata": {"resourceVersion": lease.metadata.resource_version}, "spec": spec});
        let name = names::lease(self.feature);
        self.send(self.requests().patch(&name, &PatchParams::default(), &Patch::Merge(body))).await
    }

    /// Writing the Lease is how a term is had, so none bounds it: the version that was read does.
    fn as_holder(&self, fence: u64) -> Mandate {
        Mandate::new(self.feature, fence, Term::default())
    }

    fn requests(&self) -> Request {
        Request::new(Lease::url_path(&(), Some(&self.config.namespace)))
    }

    async fn send(&self, request: Result<http::Request<Vec<u8>>, BuildError>) -> Result<Lease, kube::Error> {
        self.config.lease_client.request(introduced(request)?).await
    }

    /// Gives the lease back, so that nobody has to wait for it to expire. The fence stays.
    async fn release(&self, fence: u64) {
        let give_back = async {
            let Some(lease) = self.read().await? else { return Ok(()) };
            let record = record(&lease);
            if record.holder != self.config.identity || record.transitions != fence {
                return Ok(());
            }
            self.patch(&lease, json!({"holderIdentity": "", "leaseDurationSeconds": 1})).await.map(drop)
        };
        match timeout(CALL, self.as_holder(fence).act(give_back)).await {
            Ok(Ok(())) => tracing::info!(feature = %self.feature, "leadership given back"),
            Ok(Err(error)) => tracing::warn!(feature = %self.feature, "the lease was not given back: {error}"),
            Err(_) => tracing::warn!(feature = %self.feature, "the lease was not given back in time"),
        }
    }

    fn saw(&self, lease: Option<&Lease>) {
        self.reach.worked();
        let record = lease.map(record);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.seen_at = Some(self.config.clock.now());
        seen.fence = record.as_ref().map_or(0, |record| record.transitions);
        seen.holder = record.map(|record| record.holder).unwrap_or_default();
    }

    fn lead(&self, fence: u64) {
        tracing::info!(feature = %self.feature, fence, "leading");
        self.metrics.leads(self.feature, true);
        self.switches.change(self.feature, |switch| (switch.leading, switch.fence) = (true, fence));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.leading, seen.fence) = (true, fence);
        seen.holder.clone_from(&self.config.identity);
    }

    fn stop_leading(&self) {
        self.metrics.leads(self.feature, false);
        self.switches.change(self.feature, |switch| (switch.leading, switch.fence) = (false, 0));
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).leading = false;
    }
}

/// How long a call may take: never longer than what is left of the renew deadline.
fn left(elector: &Elector, start: Instant) -> Duration {
    elector.ends_at().map_or(CALL, |ends_at| ends_at.since(elapsed(start)).to_std().min(CALL))
}

/// Monotonic and local, as the elector wants it.
fn elapsed(start: Instant) -> Timestamp {
    Timestamp(i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX))
}

/// A moment as `metav1.MicroTime` has it.
fn stamp(clock: Clock) -> String {
    let time = k8s_openapi::jiff::Timestamp::from_microsecond(clock.now().0).unwrap_or_default();
    format!("{time:.6}")
}

/// The lease's place in the cluster's count of versions.
fn version(lease: &Lease) -> Option<u64> {
    lease.metadata.resource_version.as_ref()?.parse().ok()
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let transitions = spec.lease_transitions.unwrap_or_default();
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        lease: Span::seconds(spec.lease_duration_seconds.unwrap_or_default().into()),
        transitions: u64::try_from(transitions).unwrap_or_default(),
        renewed: spec.renew_time.map(|time| time.0.to_string()).unwrap_or_default(),
    }
}
