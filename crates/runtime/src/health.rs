//! How a process is doing, in one value: `/livez`, `/readyz`, `/statusz`, `doctor` and the page are views of it.

use std::collections::BTreeMap;

use keelson_core::Feature;
use serde::Serialize;

use crate::cache::CacheHealth;
use crate::reach::Reachability;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaseHealth {
    /// Whether this process leads.
    pub leading: bool,
    /// Who leads, as far as is known.
    pub holder: String,
    /// The leader's number.
    pub fence: u64,
}

/// How a process is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Health {
    /// False: kill it.
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
