//! Priority, service account and the tolerations every pod gets.

use super::super::{Api, json::Json, request::Call, status::Failure};
use crate::objects::Resource;
use crate::tree::{Value, json};

const CLASSES: Resource = Resource { group: "scheduling.k8s.io", plural: "priorityclasses" };
const ACCOUNTS: Resource = Resource { group: "", plural: "serviceaccounts" };

/// Resolves the priority class.
pub(crate) fn priority(api: &Api, call: &Call, pod: &mut Value) -> Result<(), Failure> {
    let name = pod.text(&["metadata", "name"]).to_owned();
    let asked = pod.text(&["spec", "priorityClassName"]).to_owned();
    let class = if asked.is_empty() {
        let default = |value: &Value| value.at(&["globalDefault"]) == &Value::Bool(true);
        // Of several global defaults the lowest counts.
        let classes = api.store.list(CLASSES, "").filter(|class| default(&class.value));
        classes.min_by_key(|class| class.value.int(&["value"])).cloned()
    } else {
        let found = api.store.find(CLASSES, "", &asked).cloned();
        let found = found.ok_or_else(|| {
            Failure::forbidden(&call.kind, &name, &format!("no PriorityClass with name {asked} was found"))
        })?;
        Some(found)
    };
    let (value, preemption) = match &class {
        Some(class) => {
            pod.put(&["spec", "priorityClassName"], class.value.text(&["metadata", "name"]));
            (class.value.int(&["value"]).unwrap_or(0), class.value.text(&["preemptionPolicy"]).to_owned())
        }
        None => (0, "PreemptLowerPriority".to_owned()),
    };
    if pod.int(&["spec", "priority"]).is_some_and(|given| given != value) {
        let given = pod.int(&["spec", "priority"]).unwrap_or(0);
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
             computed {value} from the given PriorityClass name"
        );
        return Err(Failure::forbidden(&call.kind, &name, &why));
    }
    pod.put(&["spec", "priority"], value);
    pod.default_to(&["spec", "preemptionPolicy"], preemption);
    Ok(())
}

/// Gives a pod its service account, which must exist.
pub(crate) fn service_account(api: &Api, call: &Call, pod: &mut Value) -> Result<(), Failure> {
    if !pod.text(&["metadata", "annotations", "kubernetes.io/config.mirror"]).is_empty() {
        return Ok(());
    }
    pod.default_to(&["spec", "serviceAccountName"], "default");
    if pod.text(&["spec", "serviceAccountName"]).is_empty() {
        pod.put(&["spec", "serviceAccountName"], "default");
    }
    let account = pod.text(&["spec", "serviceAccountName"]).to_owned();
    pod.put(&["spec", "serviceAccount"], account.as_str());
    let Some(found) = api.store.find(ACCOUNTS, &call.namespace, &account) else {
        let why = format!(
            "error looking up service account {}/{account}: serviceaccount {account:?} not found",
            call.namespace
        );
        return Err(Failure::forbidden(&call.kind, pod.text(&["metadata", "name"]), &why));
    };
    if pod.items(&["spec", "imagePullSecrets"]).is_empty()
        && let Some(secrets) = found.value.get("imagePullSecrets")
    {
        pod.put(&["spec", "imagePullSecrets"], secrets.clone());
    }
    Ok(())
}

/// Five minutes on a node that is not ready or not reachable, unless the pod says otherwise.
pub(crate) fn tolerations(pod: &mut Value) {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let known = pod.items(&["spec", "tolerations"]).iter().any(|toleration| {
            let (of, effect) = (toleration.text(&["key"]), toleration.text(&["effect"]));
            (of == key || of.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !known {
            pod.array(&["spec", "tolerations"])
                .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
}
