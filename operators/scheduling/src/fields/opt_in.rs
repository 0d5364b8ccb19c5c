//! The admission policy that makes pods of namespaces Keelson's, from the table.
//!
//! `spec.schedulerName` cannot change once a pod is there, so whoever moves a namespace to another scheduler would have to
//! change every workload of it. A MutatingAdmissionPolicy does it as pods are created: in namespaces that carry a label, and
//! only for pods that name no scheduler and that Keelson can place. Its parameters are the Platform, so that it says the
//! scheduler's name as it is now, and says nothing while Keelson does not act.
//!
//! Promises: a pod of which [`super::judge`] refuses something is left alone, and so is one that [`crate::opt_in`] has a reason
//! for; where the policy fails, the pod is created as it was written.

use keelson_api::names::{DEFAULT_SCHEDULER, GROUP, MODE, OPT_IN, OPTED_IN, PLATFORM, POOL, SCHEDULING_POOL};
use serde_json::{Value, json};

use super::admission::used;
use super::rows;

const NAME: &str = "keelson-scheduling-opt-in";

/// The feature in the Platform's spec.
const FEATURE: &str = "params.spec.features.scheduling";

/// The policy and its binding.
#[must_use]
pub fn opt_in_policy() -> Vec<Value> {
    vec![
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": NAME},
            "spec": {
                "failurePolicy": "Ignore",
                "reinvocationPolicy": "Never",
                "paramKind": {"apiVersion": format!("{GROUP}/v1alpha1"), "kind": "Platform"},
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
                ]},
                "matchConditions": conditions(),
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch()}}],
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": NAME},
            "spec": {
                "policyName": NAME,
                "paramRef": {"name": PLATFORM, "parameterNotFoundAction": "Allow"},
                "matchResources": {"namespaceSelector": {"matchLabels": {OPT_IN: OPTED_IN}}},
            },
        }),
    ]
}

/// Every one must hold.
fn conditions() -> Vec<Value> {
    let acts = format!(
        "{FEATURE}.mode == 'Enforce' && !{FEATURE}.paused && has(params.status) && has(params.status.features) && \
         has(params.status.features.scheduling) && params.status.features.scheduling.mode == 'Enforce'"
    );
    let daemon = "owner.kind == 'DaemonSet' && has(owner.controller) && owner.controller";
    let fixed = [
        (
            "names-no-scheduler",
            format!("!has(object.spec.schedulerName) || object.spec.schedulerName in ['', '{DEFAULT_SCHEDULER}']"),
        ),
        ("names-no-node", "!has(object.spec.nodeName) || object.spec.nodeName == ''".to_owned()),
        (
            "is-no-daemon",
            format!(
                "!has(object.metadata.ownerReferences) || !object.metadata.ownerReferences.exists(owner, {daemon})"
            ),
        ),
        (
            "is-not-held-back",
            format!(
                "!has(object.metadata.annotations) || !('{MODE}' in object.metadata.annotations) || \
                 !(object.metadata.annotations['{MODE}'].lowerAscii() in ['off', 'observe'])"
            ),
        ),
        ("keelson-acts", acts),
        ("keelson-has-a-name", format!("{FEATURE}.settings.schedulerName != '{DEFAULT_SCHEDULER}'")),
    ];
    let fields = rows().filter_map(|(path, row)| {
        let name = format!("no-{}", path.trim_start_matches("spec.").replace("[]", ""));
        Some((name, format!("!({})", used(path, row)?)))
    });
    let fixed = fixed.into_iter().map(|(name, expression)| (name.to_owned(), expression));
    fixed.chain(fields).map(|(name, expression)| json!({"name": name, "expression": expression})).collect()
}

/// The scheduler's name and, where there is a pool, the toleration of its taint.
fn patch() -> String {
    let toleration =
        format!("{{'key': '{POOL}', 'operator': 'Equal', 'value': '{SCHEDULING_POOL}', 'effect': 'NoSchedule'}}");
    let pool = format!("has({FEATURE}.settings.layout) && {FEATURE}.settings.layout == 'Dedicated'");
    format!(
        "[JSONPatch{{op: 'add', path: '/spec/schedulerName', value: {FEATURE}.settings.schedulerName}}] + \
         (!({pool}) ? [] : has(object.spec.tolerations) ? \
         [JSONPatch{{op: 'add', path: '/spec/tolerations/-', value: {toleration}}}] : \
         [JSONPatch{{op: 'add', path: '/spec/tolerations', value: [{toleration}]}}])"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::collections::BTreeSet;

    use super::super::{OnRefused, admission_policy};
    use super::*;

    #[test]
    fn it_leaves_alone_what_the_other_policy_refuses() {
        let policies = (opt_in_policy(), admission_policy("keelson", OnRefused::Deny));
        let expressions = |list: &Value| -> BTreeSet<String> {
            list.as_array().unwrap().iter().map(|one| one["expression"].as_str().unwrap().to_owned()).collect()
        };
        let refused = expressions(&policies.1[0]["spec"]["validations"]);
        let conditions = expressions(&policies.0[0]["spec"]["matchConditions"]);
        assert!(refused.len() > 5 && refused.is_subset(&conditions), "{refused:?}");
        assert_eq!(conditions.len(), refused.len() + 6);
    }

    #[test]
    fn the_api_server_takes_no_more_than_64_conditions_with_names_of_their_own() {
        let names: Vec<String> =
            conditions().iter().map(|condition| condition["name"].as_str().unwrap().to_owned()).collect();
        assert!(names.len() <= 64, "{}", names.len());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        let is_qualified = |name: &String| {
            let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            name.len() <= 63 && name.chars().all(inner) && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        };
        assert!(names.iter().all(is_qualified), "{names:?}");
    }
}
