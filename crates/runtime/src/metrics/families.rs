//! Every family of the framework: its name, its labels and what it says.
//!
//! The labels are those of the types that carry the values, so that a family cannot be told of with others.

use keelson_core::Metric;

use super::{ByController, ByDecision, ByLease, ByQueue, ByResult, ByStage, ByStep};
use crate::calls::{CALL_SECONDS, CALLS};

pub const DECISIONS: Metric = Metric::counter("keelson_decisions_total", ByDecision::NAMES, "decisions that ended");
pub const LATENCY: Metric = Metric::histogram(
    "keelson_decision_latency_seconds",
    ByStage::NAMES,
    "time of a stage: `observe` from the change that was seen to the beginning of deciding, `decide`, `persist` until the \
     record is durable, `apply` until the last action; each bucket names the trace of a decision in it",
);
pub const STEPS: Metric = Metric::counter("keelson_steps_total", ByStep::NAMES, "actions by how they ended");
pub const MODE: Metric = Metric::gauge("keelson_feature_mode", &["feature", "mode"], "1 for the mode in force");
pub const HELD: Metric = Metric::gauge(
    "keelson_feature_held",
    &["feature", "by"],
    "1 while every action is held, by a `pause` or the `breaker`",
);
pub const LEADER: Metric = Metric::gauge("keelson_leader", &["feature"], "1 while this process leads the feature");
pub const OBJECTS: Metric = Metric::gauge("keelson_cache_objects", &["kind"], "objects in a cache");
pub const UNDECODABLE: Metric =
    Metric::gauge("keelson_cache_undecodable", &["kind"], "objects that cannot be read and are left out");
pub const RECONCILES: Metric =
    Metric::counter("controller_runtime_reconcile_total", ByResult::NAMES, "reconciles by how they ended");
pub const ERRORS: Metric = Metric::counter(
    "controller_runtime_reconcile_errors_total",
    ByController::NAMES,
    "reconciles that failed, in whichever way",
);
pub const TERMINAL: Metric = Metric::counter(
    "controller_runtime_terminal_reconcile_errors_total",
    ByController::NAMES,
    "reconciles whose plan is wrong in itself (an action that serves no decision); not tried again before something changes, and \
     always a bug",
);
pub const PANICS: Metric =
    Metric::counter("controller_runtime_reconcile_panics_total", ByController::NAMES, "reconciles that panicked");
pub const TIMEOUTS: Metric = Metric::counter(
    "controller_runtime_reconcile_timeouts_total",
    ByController::NAMES,
    "reconciles past their deadline",
);
pub const RECONCILE_TIME: Metric =
    Metric::histogram("controller_runtime_reconcile_time_seconds", ByController::NAMES, "time of a reconcile");
pub const WORKERS: Metric =
    Metric::gauge("controller_runtime_max_concurrent_reconciles", ByController::NAMES, "workers of a controller");
pub const ACTIVE: Metric = Metric::gauge("controller_runtime_active_workers", ByController::NAMES, "workers at work");
pub const DEPTH: Metric = Metric::gauge(
    "workqueue_depth",
    &["name", "controller", "priority"],
    "keys that wait; on a standby they gather, see `keelson_leader`",
);
pub const ADDS: Metric = Metric::counter("workqueue_adds_total", ByQueue::NAMES, "keys asked for");
pub const RETRIES: Metric =
    Metric::counter("workqueue_retries_total", ByQueue::NAMES, "keys tried again after a failure");
pub const QUEUED: Metric = Metric::histogram("workqueue_queue_duration_seconds", ByQueue::NAMES, "time a key waited");
pub const WORKED: Metric =
    Metric::histogram("workqueue_work_duration_seconds", ByQueue::NAMES, "time of work on a key");
pub const UNFINISHED: Metric =
    Metric::gauge("workqueue_unfinished_work_seconds", ByQueue::NAMES, "time of all work under way");
pub const LONGEST: Metric =
    Metric::gauge("workqueue_longest_running_processor_seconds", ByQueue::NAMES, "time of the longest work under way");
pub const LEADS: Metric =
    Metric::gauge("leader_election_master_status", ByLease::NAMES, "1 while this process holds the Lease");

/// Every family of the framework.
pub const METRICS: &[Metric] = &[
    DECISIONS,
    LATENCY,
    STEPS,
    MODE,
    HELD,
    LEADER,
    OBJECTS,
    UNDECODABLE,
    RECONCILES,
    ERRORS,
    TERMINAL,
    PANICS,
    TIMEOUTS,
    RECONCILE_TIME,
    WORKERS,
    ACTIVE,
    DEPTH,
    ADDS,
    RETRIES,
    QUEUED,
    WORKED,
    UNFINISHED,
    LONGEST,
    CALLS,
    CALL_SECONDS,
    LEADS,
];
