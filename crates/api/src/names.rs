//! Names that appear on objects, each once.

use keelson_core::Feature;

/// The API group of every kind of ours.
pub const GROUP: &str = "keelson.dev";
/// The name of the one [`Platform`](crate::Platform).
pub const PLATFORM: &str = "default";
/// The scheduler's name when nothing else is set.
pub const SCHEDULER: &str = "keelson";

/// The cluster's own scheduler, as the pods name it that name no other.
pub const DEFAULT_SCHEDULER: &str = "default-scheduler";
/// Label of the nodes that Keelson has for itself in layout Dedicated, and the key of the taint that keeps others off.
pub const POOL: &str = "keelson.dev/pool";
/// Its value, and the taint's: the pool is the scheduler's, and other features may come to have theirs.
pub const SCHEDULING_POOL: &str = "scheduling";
/// Label on a namespace: `enabled` has pods that name no scheduler created as Keelson's.
pub const OPT_IN: &str = "keelson.dev/scheduling";
/// Its value.
pub const OPTED_IN: &str = "enabled";

/// Annotation on any object: lowers the mode for it, never raises it.
pub const MODE: &str = "keelson.dev/mode";
/// Annotation on every object Keelson writes: the decision that last changed it.
pub const DECISION: &str = "keelson.dev/decision";
/// Annotation on every object Keelson writes: the trace of that decision.
pub const TRACE: &str = "keelson.dev/trace";
/// Annotation on a pod or its workload: never disrupt it.
pub const DO_NOT_DISRUPT: &str = "keelson.dev/do-not-disrupt";
/// Annotation on an AppGroup: `move` lets its pods be evicted, one at a time, when they would be placed better.
pub const DRIFT: &str = "keelson.dev/drift";
/// Annotation on a pod: what it must be able to send, in bits a second.
pub const EGRESS_REQUEST: &str = "bandwidth.keelson.dev/egress-request";
/// Annotation on a pod: what it must be able to receive, in bits a second.
pub const INGRESS_REQUEST: &str = "bandwidth.keelson.dev/ingress-request";
/// Kubernetes' annotation on a pod: what it may send at most, in bits a second.
pub const EGRESS_LIMIT: &str = "kubernetes.io/egress-bandwidth";
/// Kubernetes' annotation on a pod: what it may receive at most, in bits a second.
pub const INGRESS_LIMIT: &str = "kubernetes.io/ingress-bandwidth";
/// Annotation on a node: what its network interface can send, in bits a second.
pub const EGRESS_CAPACITY: &str = "bandwidth.keelson.dev/egress-capacity";
/// Annotation on a node: what its network interface can receive, in bits a second.
pub const INGRESS_CAPACITY: &str = "bandwidth.keelson.dev/ingress-capacity";
/// Karpenter's word for the same, honoured as well.
pub const KARPENTER_DO_NOT_DISRUPT: &str = "karpenter.sh/do-not-disrupt";
/// cluster-autoscaler's word for the same, honoured when `"false"`.
pub const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
/// Label on objects Keelson creates.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The field manager of a feature's server-side applies.
///
/// ```
/// assert_eq!(keelson_api::names::field_manager(keelson_core::Feature::Scheduling), "keelson/scheduling");
/// ```
#[must_use]
pub fn field_manager(feature: Feature) -> String {
    format!("keelson/{feature}")
}

/// The Lease by which a feature's leader is chosen.
#[must_use]
pub fn lease(feature: Feature) -> String {
    format!("keelson-{feature}")
}

/// `reportingController` of a feature's events.
#[must_use]
pub fn reporter(feature: Feature) -> String {
    format!("{GROUP}/{feature}")
}
