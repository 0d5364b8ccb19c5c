//! The resources that simulated components read and write, by name.

use crate::objects::Resource;

macro_rules! resources {
    ($($name:ident = $group:literal / $plural:literal;)*) => {
        $(#[doc = concat!("`", $plural, "`")] pub const $name: Resource = Resource { group: $group, plural: $plural };)*
    };
}

resources! {
    PODS = "" / "pods";
    NODES = "" / "nodes";
    NAMESPACES = "" / "namespaces";
    SERVICES = "" / "services";
    EVENTS = "" / "events";
    CLAIMS = "" / "persistentvolumeclaims";
    VOLUMES = "" / "persistentvolumes";
    SERVICE_ACCOUNTS = "" / "serviceaccounts";
    QUOTAS = "" / "resourcequotas";
    LEASES = "coordination.k8s.io" / "leases";
    SLICES = "discovery.k8s.io" / "endpointslices";
    DEPLOYMENTS = "apps" / "deployments";
    REPLICA_SETS = "apps" / "replicasets";
    STATEFUL_SETS = "apps" / "statefulsets";
    DAEMON_SETS = "apps" / "daemonsets";
    REVISIONS = "apps" / "controllerrevisions";
    JOBS = "batch" / "jobs";
    CRON_JOBS = "batch" / "cronjobs";
    BUDGETS = "policy" / "poddisruptionbudgets";
    STORAGE_CLASSES = "storage.k8s.io" / "storageclasses";
}
