//! How a process is doing, in one value: `/livez`, `/readyz`, `/statusz`, `doctor` and the page are views of it.

use std::collections::BTreeMap;

use keelson_core::{Feature, Span, Timestamp};
use serde::Serialize;

use crate::Runtime;
use crate::cache::CacheHealth;
use crate::config::Election;
use crate::reach::Reachability;
use crate::shutdown::Phase;

/// One check and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Lower case, for the URL: `caches`.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// A sentence for people.
    pub detail: String,
}

/// How leadership of a feature stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LeaseHealth {
    /// Whether this process leads.
    pub leading: bool,
    /// Who leads, as far as is known.
    pub holder: String,
    /// The leader's number.
    pub fence: u64,
    /// When the lease was last read.
    pub seen_at: Option<Timestamp>,
}

/// How a process is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Health {
    /// False: kill it. That a process can be asked is its heartbeat; an API server that is away is no reason to die.
    pub live: bool,
    /// False: send it no traffic.
    pub ready: bool,
    /// What was checked.
    pub checks: Vec<Check>,
    /// Every cache.
    pub caches: Vec<CacheHealth>,
    /// How many keys wait, by controller.
    pub queues: BTreeMap<String, usize>,
    /// Whether the API server answers.
    pub api: Option<Reachability>,
    /// Leadership, by feature.
    pub leases: BTreeMap<Feature, LeaseHealth>,
    /// How often each task has panicked; those that never did are left out.
    pub panics: BTreeMap<String, u64>,
}

/// A lease that nobody could read for this long means that nobody can lead.
const LEASE_STALE: Span = Span::seconds(60);

impl Runtime {
    /// How everything is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let now = self.clock().now();
        let caches: Vec<_> = self.0.caches.all().iter().map(|cache| cache.health()).collect();
        let api = self.0.reach.now();
        let leases: BTreeMap<_, _> =
            Feature::ALL.into_iter().map(|feature| (feature, self.lease_health(feature))).collect();
        let unread: Vec<_> = caches.iter().filter(|cache| !cache.synced).map(|cache| cache.kind.as_str()).collect();
        let running = self.0.stages.now() == Phase::Running;
        let elected = self.0.config.election == Election::Lease;
        let fresh = |lease: &LeaseHealth| lease.seen_at.is_some_and(|at| now.since(at) < LEASE_STALE);
        let stale: Vec<_> =
            leases.iter().filter(|(_, lease)| elected && !fresh(lease)).map(|(feature, _)| feature.as_str()).collect();
        let lasting = now.since(api.since);
        let checks = vec![
            check("running", running, "working", "the process stops"),
            check("caches", unread.is_empty(), "every cache is read", &format!("not read yet: {}", unread.join(", "))),
            check("settings", *self.0.known.borrow(), "the Platform was read", "the Platform was not read yet"),
            check("api", api.ok, "the API server answers", &format!("no answer for {lasting}: {}", api.detail)),
            check("leases", stale.is_empty(), "the leases are read", &format!("not read lately: {}", stale.join(", "))),
        ];
        let lines = self.0.lines.all();
        let queues = lines.iter().map(|line| (line.name().to_owned(), line.depths().values().sum()));
        let panics = self.0.tasks.panics().into_iter().chain(self.0.sources.panics());
        Health {
            live: true,
            ready: checks.iter().all(|check| check.ok),
            checks,
            caches,
            queues: queues.collect(),
            api: Some(api),
            leases,
            panics: panics.map(|(name, count)| (name.to_string(), count)).collect(),
        }
    }
}

fn check(name: &str, ok: bool, good: &str, bad: &str) -> Check {
    Check { name: name.to_owned(), ok, detail: if ok { good } else { bad }.to_owned() }
}
