//! What comes with a namespace: its `default` service account, and what its quotas have used.

use keelson_core::Quantity;
use serde_json::{Value, json};

use super::agenda::Role;
use super::demand::{is_finished, of_pod};
use super::desk::{Desk, Looked};
use super::kinds::{CLAIMS, NAMESPACES, PODS, QUOTAS, SERVICE_ACCOUNTS, SERVICES};
use super::read::{Key, amounts, at, is_leaving, list, name, namespace, text};
use crate::objects::{Event, Write};

/// Looks at new namespaces, and at quotas when something they count came or went.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == NAMESPACES && !event.deleted {
        desk.soon(Role::Namespace, Key::cluster(name(&event.object)));
    } else if event.resource == SERVICE_ACCOUNTS && event.deleted {
        desk.soon(Role::Namespace, Key::cluster(namespace(&event.object)));
    } else if event.resource == QUOTAS && !event.deleted {
        desk.soon(Role::Quota, Key::of(&event.object));
    } else if [PODS, CLAIMS, SERVICES].contains(&event.resource) {
        let finished = event.before.as_ref().is_some_and(|before| is_finished(before) != is_finished(&event.object));
        if event.before.is_none() || event.deleted || finished {
            let quotas = desk.state.seen.within(QUOTAS, namespace(&event.object));
            let keys: Vec<Key> = quotas.map(|(key, _)| key.clone()).collect();
            keys.into_iter().for_each(|key| desk.soon(Role::Quota, key));
        }
    }
}

/// One look at a namespace.
///
/// # Errors
/// What the API says.
pub fn look_at_namespace(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(_) = desk.get(NAMESPACES, key).filter(|namespace| !is_leaving(namespace)) else { return Ok(()) };
    if desk.get(SERVICE_ACCOUNTS, &Key::new(&key.name, "default")).is_some() {
        return Ok(());
    }
    let metadata = json!({"namespace": key.name, "name": "default"});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    desk.write(Write::Create(SERVICE_ACCOUNTS, account)).map(drop)
}

/// One look at a quota: how much of each hard limit is used. Objects are counted by full scans of the namespace, which
/// is what a quota limits.
///
/// # Errors
/// What the API says.
pub fn look_at_quota(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(quota) = desk.get(QUOTAS, key).filter(|quota| !is_leaving(quota)) else { return Ok(()) };
    let hard = at(&quota, "spec.hard").and_then(Value::as_object).cloned().unwrap_or_default();
    let used: serde_json::Map<String, Value> =
        hard.keys().map(|resource| (resource.clone(), json!(used(desk, &key.namespace, resource)))).collect();
    let status = json!({"hard": hard, "used": used});
    if at(&quota, "status") != Some(&status) {
        desk.write_status(QUOTAS, &quota, status)?;
    }
    Ok(())
}

fn used(desk: &Desk<'_>, space: &str, resource: &str) -> Quantity {
    let seen = &desk.state.seen;
    let count = |kind| Quantity::from_value(i64::try_from(seen.within(kind, space).count()).unwrap_or(i64::MAX));
    let pods = || seen.within(PODS, space).map(|(_, pod)| pod).filter(|pod| !is_finished(pod));
    let limit = |pod: &Value, name: &str| -> i64 {
        list(pod, "spec.containers").iter().map(|c| amounts(c, "resources.limits").get(&name.into())).sum()
    };
    match resource {
        "pods" | "count/pods" => Quantity::from_value(i64::try_from(pods().count()).unwrap_or(i64::MAX)),
        "services" | "count/services" => count(SERVICES),
        "persistentvolumeclaims" | "count/persistentvolumeclaims" => count(CLAIMS),
        "requests.storage" => {
            let claims = seen.within(CLAIMS, space).map(|(_, claim)| claim);
            let asked = claims
                .map(|claim| text(claim, "spec.resources.requests.storage").parse().map_or(0, |q: Quantity| q.value()));
            Quantity::from_bytes(asked.sum())
        }
        _ => {
            let name = keelson_core::ResourceName::from(
                resource.trim_start_matches("requests.").trim_start_matches("limits."),
            );
            let amount = match resource.strip_prefix("limits.") {
                Some(limited) => pods().map(|pod| limit(pod, limited)).sum(),
                None => pods().map(|pod| of_pod(pod).requests.get(&name)).sum(),
            };
            name.quantity(amount)
        }
    }
}
