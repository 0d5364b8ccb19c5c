//! A PodDisruptionBudget in placement's words.

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use keelson_placement::Budget;

use super::selector;

/// Reads a budget. One whose status was never written allows nothing, as kube-scheduler reads it.
#[must_use]
pub fn budget(written: &PodDisruptionBudget) -> Budget {
    let (meta, status) = (&written.metadata, written.status.as_ref());
    let selecting = written.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let disrupted = status.and_then(|status| status.disrupted_pods.as_ref());
    Budget {
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        selector: selecting.map(selector).unwrap_or_default(),
        allowed: status.and_then(|status| status.disruptions_allowed).unwrap_or(0),
        disrupted: disrupted.into_iter().flatten().map(|(name, _)| name.clone()).collect(),
    }
}
