//! The admission policy that tells people at once, from the table.
//!
//! A ValidatingAdmissionPolicy in CEL: no webhook, no certificate, nothing that can stop a cluster from starting. It looks
//! only at pods that name our scheduler.
//!
//! Promise: it refuses a pod exactly when [`super::judge`] does, for fields of the API version.

use serde_json::{Value, json};

use super::{Row, Rule, Verdict, rows};

/// What the policy does with a pod that uses a refused field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRefused {
    /// Lets it in and warns whoever created it.
    Warn,
    /// Does not let it in.
    Deny,
}

const NAME: &str = "keelson-scheduling-fields";

/// The policy and its binding, for pods that name `scheduler`.
#[must_use]
pub fn admission_policy(scheduler: &str, on_refused: OnRefused) -> Vec<Value> {
    let validations: Vec<Value> = rows()
        .filter_map(|(path, row)| {
            let used = used(path, row)?;
            let message = format!("{path}: {}; schedulerName {scheduler} cannot place such a pod", row.why);
            Some(json!({"expression": format!("!({used})"), "message": message, "reason": "Invalid"}))
        })
        .collect();
    let action = match on_refused {
        OnRefused::Warn => "Warn",
        OnRefused::Deny => "Deny",
    };
    let ours = format!("has(object.spec.schedulerName) && object.spec.schedulerName == '{scheduler}'");
    vec![
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": NAME},
            "spec": {
                "failurePolicy": "Ignore",
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
                ]},
                "matchConditions": [{"name": "ours", "expression": ours}],
                "validations": validations,
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": NAME},
            "spec": {"policyName": NAME, "validationActions": [action]},
        }),
    ]
}

/// A CEL expression that is true when a pod uses the field in a way that is refused; `None` when none is.
pub(super) fn used(path: &str, row: &Row) -> Option<String> {
    let refused = |cases: &[(&'static str, Verdict)]| -> Vec<String> {
        cases.iter().filter(|(_, case)| *case == Verdict::Refused).map(|(word, _)| format!("'{word}'")).collect()
    };
    let test = match row.rule {
        Rule::Always(Verdict::Refused) => Test::Set,
        Rule::Always(_) => return None,
        Rule::Value(cases, _) => Test::OneOf(refused(cases)),
        Rule::FalseWhile(other) => Test::FalseWhile(other),
    };
    Some(descend("object", path, &test, 0))
}

enum Test {
    Set,
    OneOf(Vec<String>),
    FalseWhile(&'static str),
}

fn descend(base: &str, path: &str, test: &Test, depth: usize) -> String {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let name = step.trim_end_matches("[]");
    let here = format!("{base}.{name}");
    let item = format!("i{depth}");
    let inner = match (step.ends_with("[]"), rest) {
        (true, Some(rest)) => format!("{here}.exists({item}, {})", descend(&item, rest, test, depth + 1)),
        (true, None) => format!("{here}.exists({item}, {})", last(&item, test)),
        (false, Some(rest)) => descend(&here, rest, test, depth),
        (false, None) => last(&here, test),
    };
    format!("has({here}) && {inner}")
}

fn last(here: &str, test: &Test) -> String {
    match test {
        // A list or map of nothing cannot be stored, so being there is being used.
        Test::Set => "true".to_owned(),
        Test::OneOf(words) => format!("{here} in [{}]", words.join(", ")),
        Test::FalseWhile(other) => format!("!{here} && has(object.spec.{other}) && object.spec.{other}"),
    }
}
