//! Standing for leadership of one feature.
//!
//! The [`Elector`] thinks; this reads and writes the Lease. Every call has its own short timeout, never longer than what
//! is left of the renew deadline, and none is retried by the client: a renewal that hides in retries is how leaders are
//! lost, and how two come to lead.
//!
//! Promises: leadership ends on time even while a call hangs; a lease that is given up can be taken at once; nobody leads
//! before the Platform was read, since until then nobody knows what may be done.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use keelson_api::names;
use keelson_core::{Feature, Span, Timestamp};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::config::Election;
use crate::elector::{Elector, Next, Record};
use crate::health::LeaseHealth;
use crate::metrics::Metrics;
use crate::reach::Reach;
use crate::shutdown::{Phase, Stages};
use crate::switch::Switches;
use crate::{Chance, Clock, Config};

/// The longest a call may take.
const CALL: Duration = Duration::from_secs(5);

/// A candidate for one feature's leadership.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) feature: Feature,
    pub(crate) config: Arc<Config>,
    pub(crate) chance: Chance,
    pub(crate) reach: Reach,
    pub(crate) metrics: Metrics,
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
    let start = Instant::now();
    loop {
        let wait = tokio::select! {
            biased;
            () = &mut releasing => break,
            wait = candidate.look(&mut elector, start) => wait,
        };
        tokio::select! {
            biased;
            () = &mut releasing => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    candidate.stop_leading();
    if let Some(fence) = elector.fence() {
        candidate.release(fence).await;
    }
}

impl Candidate {
    /// Looks once and does what the elector says; returns how long to wait before the next look.
    async fn look(&self, elector: &mut Elector, start: Instant) -> Duration {
        let left = |elector: &Elector| match elector.ends_at() {
            Some(ends_at) => ends_at.since(elapsed(start)).to_std().min(CALL),
            None => CALL,
        };
        let next = match timeout(left(elector), self.read()).await {
            Ok(Ok(lease)) => {
                self.reach.worked();
                let record = lease.as_ref().map(record);
                self.saw(record.as_ref());
                let next = elector.next(record, elapsed(start));
                self.follow(next, lease.as_ref(), elector, start, left(elector)).await
            }
            Ok(Err(error)) => self.unreachable(elector, start, &error.to_string()),
            Err(_) => self.unreachable(elector, start, "no answer in time"),
        };
        if next == Next::Lost {
            tracing::warn!(feature = %self.feature, "leadership lost");
            self.stop_leading();
        }
        let retry = self.chance.jitter(self.config.timing.retry).to_std();
        elector.ends_at().map_or(retry, |ends_at| retry.min(ends_at.since(elapsed(start)).to_std()))
    }

    /// Writes what the elector wants written.
    async fn follow(
        &self,
        next: Next,
        lease: Option<&Lease>,
        elector: &mut Elector,
        start: Instant,
        left: Duration,
    ) -> Next {
        let (fence, taking) = match next {
            Next::Acquire { fence } => (fence, true),
            Next::Renew { fence } => (fence, false),
            Next::Follow | Next::Lost => return next,
        };
        let asked_at = elapsed(start);
        match timeout(left, self.write(lease, fence, taking)).await {
            Ok(Ok(())) if taking => {
                elector.acquired(fence, asked_at);
                tracing::info!(feature = %self.feature, fence, "leading");
                self.lead(fence);
                next
            }
            Ok(Ok(())) => {
                elector.renewed(asked_at);
                next
            }
            // Somebody else wrote: the next look sees what.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => next,
            Ok(Err(error)) => self.unreachable(elector, start, &error.to_string()),
            Err(_) => self.unreachable(elector, start, "no answer in time"),
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

    async fn write(&self, lease: Option<&Lease>, fence: u64, taking: bool) -> Result<(), kube::Error> {
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
                let lease = json!({"metadata": {"name": name, "labels": {names::MANAGED_BY: "keelson"}}, "spec": spec});
                let lease: Lease = serde_json::from_value(lease).map_err(kube::Error::SerdeError)?;
                self.api().create(&PostParams::default(), &lease).await.map(drop)
            }
        }
    }

    /// Writes only over the version that was read.
    async fn patch(&self, lease: &Lease, spec: Value) -> Result<(), kube::Error> {
        let body = json!({"metadata": {"resourceVersion": lease.metadata.resource_version}, "spec": spec});
        let name = names::lease(self.feature);
        self.api().patch(&name, &PatchParams::default(), &Patch::Merge(body)).await.map(drop)
    }

    /// Gives the lease back, so that nobody has to wait for it to expire. The fence stays.
    async fn release(&self, fence: u64) {
        let released = timeout(CALL, async {
            let Some(lease) = self.read().await? else { return Ok(()) };
            let record = record(&lease);
            if record.holder != self.config.identity || record.transitions != fence {
                return Ok(());
            }
            self.patch(&lease, json!({"holderIdentity": "", "leaseDurationSeconds": 1})).await
        });
        match released.await {
            Ok(Ok(())) => tracing::info!(feature = %self.feature, "leadership given back"),
            Ok(Err(error)) => tracing::warn!(feature = %self.feature, "the lease was not given back: {error}"),
            Err(_) => tracing::warn!(feature = %self.feature, "the lease was not given back in time"),
        }
    }

    fn saw(&self, record: Option<&Record>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.seen_at = Some(self.config.clock.now());
        seen.holder = record.map(|record| record.holder.clone()).unwrap_or_default();
        seen.fence = record.map_or(0, |record| record.transitions);
    }

    fn lead(&self, fence: u64) {
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

/// Monotonic and local, as the elector wants it.
fn elapsed(start: Instant) -> Timestamp {
    Timestamp(i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX))
}

/// A moment as `metav1.MicroTime` has it.
fn stamp(clock: Clock) -> String {
    let time = k8s_openapi::jiff::Timestamp::from_microsecond(clock.now().0).unwrap_or_default();
    format!("{time:.6}")
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
