//! Why a pod of a namespace that opted in was left to another scheduler.
//!
//! The admission policy (`fields::opt_in_policy`) gives Keelson's name to the pods of such a namespace that name no
//! scheduler, and leaves alone those that Keelson could not place, or should not. It tells nobody; whoever compares another
//! scheduler's choice afterwards says why.
//!
//! Promise: for a pod as it was created, there is a reason exactly when the policy leaves it alone.

use keelson_api::names;
use keelson_core::Mode;
use keelson_placement::Namespaces;

use crate::decide::Ask;
use crate::fields::Finding;

/// Whether a namespace has its pods created as Keelson's.
#[must_use]
pub fn is_opted_in(namespaces: &Namespaces, namespace: &str) -> bool {
    namespaces.get(namespace).and_then(|labels| labels.get(names::OPT_IN)).is_some_and(|value| value == names::OPTED_IN)
}

/// Why the policy leaves a pod that names no scheduler alone; none when it does not. Of a pod that names its node itself
/// nothing is known any more once it is bound.
#[must_use]
pub fn left_alone(ask: &Ask) -> Option<String> {
    let fields = |finding: &Finding| format!("{}: {}", finding.path, finding.why);
    if !ask.findings.is_empty() {
        return Some(ask.findings.iter().map(fields).collect::<Vec<_>>().join("; "));
    }
    if ask.owners.first().is_some_and(|owner| owner.kind == "DaemonSet") {
        return Some("a DaemonSet wants it on a node of its own, which need not be one of Keelson's".to_owned());
    }
    let lowered = ask.lowered.filter(|mode| *mode < Mode::Enforce)?;
    Some(format!("its annotation {} says {lowered}", names::MODE))
}
