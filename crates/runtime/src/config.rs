//! What a process is started with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use keelson_core::{Feature, Mode};
use kube::Client;

use crate::elector::{Timing, TimingError};
use crate::{Calls, Clock, History};

/// What a process is started with.
#[derive(Clone)]
pub struct Config {
    /// The time that decisions see.
    pub clock: Clock,
    /// Where ids and jitter come from.
    pub seed: u64,
    /// Unique in time as well: pod name and uid.
    pub identity: String,
    /// The namespace of the Leases.
    pub namespace: String,
    /// What the Leases belong to: they go with it. None when nobody installed this process.
    pub owner: Option<OwnerReference>,
    /// How far each feature's granted rights go; a feature that is not named may observe.
    pub ceilings: BTreeMap<Feature, Mode>,
    /// Of the Leases, in process time.
    pub timing: Timing,
    /// How it is decided whether this process leads.
    pub election: Election,
    /// The current trace: 32 hexadecimal digits, or empty.
    pub trace_id: fn() -> String,
    /// Where decisions go.
    pub history: Arc<dyn History>,
    /// For everything but the Leases.
    pub client: Client,
    /// For the Leases alone: no shared rate limit, no retries of its own.
    pub lease_client: Client,
    /// What both clients were built with, so that their calls are told with everything else.
    pub calls: Calls,
    /// A Platform as YAML or JSON, read instead of the object, and again when it changes.
    pub mode_file: Option<PathBuf>,
}

/// How it is decided whether a process leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Election {
    /// By a Lease for each feature.
    #[default]
    Lease,
    /// This process alone exists and leads everything, with fence 1.
    Alone,
    /// It only looks on, as a page of its own does.
    Never,
}

/// Why something cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The identity is empty.
    #[error("identity is empty; set it to the pod's name and uid")]
    Identity,
    /// The namespace of the Leases is empty.
    #[error("namespace is empty; set it to the namespace Keelson runs in")]
    Namespace,
    /// The times of the Leases do not fit together.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// A feature cannot start.
    #[error("{feature} cannot start: {reason}")]
    Feature {
        /// Which.
        feature: Feature,
        /// Why, and the fix.
        reason: String,
    },
}
