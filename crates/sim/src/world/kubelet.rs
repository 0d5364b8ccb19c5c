//! The kubelets: admission of bound pods, and their lives.
//!
//! A kubelet counts for itself: a pod that a scheduler bound wrongly is rejected with `OutOfcpu`, `NodeAffinity` and
//! the like, in the kubelet's words. A kubelet whose machine is down does nothing at all.
//!
//! Promise: the requests of admitted pods never exceed what the node can allocate.

use keelson_core::Resources;

use super::agenda::Role;
use super::demand::{self, Demand};
use super::desk::{Desk, Looked, Note};
use super::kinds::{CLAIMS, NODES, PODS};
use super::pod_life::{Surroundings, images_at, step};
use super::read::{Key, Wanted, amounts, at, int, is_leaving, list, name, namespace, put_condition, stamp, text, time};
use super::suits::NodeFacts;
use crate::objects::Event;
use crate::tree::{Value, json};

/// Who says so in events.
const BY: &str = "kubelet";

/// Why a pod may not run on its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// `OutOfcpu`, `NodeAffinity`, `NodePorts`, `TaintToleration`.
    pub reason: String,
    /// The kubelet's sentence.
    pub message: String,
}

/// Whether a node admits a pod beside those it has admitted already.
///
/// # Errors
/// The first rule broken, in the kubelet's order.
pub fn admit(pod: &Value, demand: &Demand, node: &Value, others: &[&Demand]) -> Result<(), Rejection> {
    let allocatable = amounts(node, "status.allocatable");
    let mut used = Resources::new();
    others.iter().for_each(|other| used.add_assign(&other.requests));
    let free = allocatable.saturating_sub(&used);
    if let Some(short) = demand.requests.shortfalls(&free).into_iter().next() {
        let used = used.get(&short.name);
        return Err(Rejection {
            reason: format!("OutOf{}", short.name),
            message: format!(
                "Node didn't have enough resource: {}, requested: {}, used: {used}, capacity: {}",
                short.name,
                short.needed,
                allocatable.get(&short.name),
            ),
        });
    }
    let facts = NodeFacts::of(node);
    let broken = if !facts.is_selected_by(pod) {
        Some("NodeAffinity")
    } else if demand.ports.iter().any(|port| others.iter().any(|other| other.ports.iter().any(|o| o.clashes(port)))) {
        Some("NodePorts")
    } else if facts.repels(list(pod, "spec.tolerations"), &["NoExecute"]).is_some() {
        Some("TaintToleration")
    } else {
        None
    };
    match broken {
        Some(rule) => Err(Rejection { reason: rule.to_owned(), message: format!("Predicate {rule} failed") }),
        None => Ok(()),
    }
}

/// Looks at pods that changed, at those whose node came, and at those that wait for a claim.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == PODS && !text(&event.object, "spec.nodeName").is_empty() {
        if event.deleted || demand::is_finished(&event.object) {
            super::resize::retry_waiting(desk, text(&event.object, "spec.nodeName"));
        }
        if !event.deleted && event.before.as_ref().is_none_or(|before| concerns(before, &event.object)) {
            desk.soon(Role::Kubelet, Key::of(&event.object));
        }
    } else if event.resource == NODES && event.before.is_none() && !event.deleted {
        wake_node(desk, name(&event.object));
    } else if event.resource == CLAIMS && text(&event.object, "status.phase") == "Bound" {
        let (space, claim) = (namespace(&event.object).to_owned(), name(&event.object));
        let uses = |pod: &Value| claims(pod).any(|used| used == claim) && !text(pod, "spec.nodeName").is_empty();
        let pods = desk.state.seen.within(PODS, &space).filter(|(_, pod)| uses(pod));
        let keys: Vec<Key> = pods.map(|(key, _)| key.clone()).collect();
        keys.into_iter().for_each(|key| desk.soon(Role::Kubelet, key));
    }
}

/// Whether a pod's change is news to its kubelet. What it wrote itself is not: its timers bring the rest.
fn concerns(before: &Value, pod: &Value) -> bool {
    let generation = |pod: &Value| int(pod, "metadata.generation");
    text(before, "spec.nodeName").is_empty()
        || generation(before) != generation(pod)
        || is_leaving(before) != is_leaving(pod)
        || !list(pod, "spec.readinessGates").is_empty()
}

/// Looks at every pod of a node, as a kubelet does that has just started.
pub fn wake_node(desk: &mut Desk<'_>, node: &str) {
    for pod in desk.state.seen.bound(node) {
        desk.soon(Role::Kubelet, Key::of(&pod));
    }
}

/// The names of the claims a pod mounts; those of generic ephemeral volumes too.
pub fn claims(pod: &Value) -> impl Iterator<Item = String> {
    list(pod, "spec.volumes").iter().filter_map(|volume| {
        if at(volume, "ephemeral").is_some() {
            return Some(format!("{}-{}", name(pod), text(volume, "name")));
        }
        Some(text(volume, "persistentVolumeClaim.claimName").to_owned()).filter(|claim| !claim.is_empty())
    })
}

/// One look at a bound pod.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(pod) = desk.get(PODS, key) else { return Ok(()) };
    let node_name = text(&pod, "spec.nodeName").to_owned();
    let Some(node) = desk.get(NODES, &Key::cluster(&node_name)) else { return Ok(()) };
    let Some(host) = desk.state.hosts.get(&node_name) else { return Ok(()) };
    if host.down_since.is_some() {
        return Ok(());
    }
    let new = time(&pod, "status.startTime").is_none();
    if new && is_leaving(&pod) {
        return desk.delete(PODS, &pod, Some(0));
    }
    if new && !demand::is_finished(&pod) {
        let demand = demand::of_pod(&pod);
        let load = desk.state.seen.load(&node_name).into_iter().flat_map(|load| &load.pods);
        let others = load.filter(|(other, demand)| *other != key && demand.admitted);
        let others: Vec<&Demand> = others.map(|(_, demand)| demand).collect();
        if let Err(rejection) = admit(&pod, &demand, &node, &others) {
            return reject(desk, &pod, &rejection);
        }
    }
    let host_ip = address(&node);
    let pod_ip = pod_address(desk, &pod, &node, &host_ip);
    let Some(host) = desk.state.hosts.get(&node_name) else { return Ok(()) };
    let around = Surroundings {
        chance: desk.state.chance,
        images: &host.images,
        volumes_ready: claims(&pod).all(|claim| is_bound(desk, &key.namespace, &claim)),
        host_ip: &host_ip,
        pod_ip: &pod_ip,
        job_run: desk.state.settings.job_run,
    };
    let (images_at, missing) = images_at(&pod, &around, time(&pod, "status.startTime").unwrap_or(desk.now));
    let next = step(&pod, &around, desk.now);
    if let Some(when) = next.next {
        desk.at(when, Role::Kubelet, key.clone());
    }
    if !new
        && images_at <= desk.now
        && let Some(host) = desk.state.hosts.get_mut(&node_name)
    {
        host.images.extend(missing);
    }
    if let Some(status) = next.status {
        note(desk, &pod, &status);
        desk.write_status(PODS, &pod, status)?;
    }
    if next.gone {
        return desk.delete(PODS, &pod, Some(0));
    }
    super::resize::look(desk, key, &node)
}

fn note(desk: &mut Desk<'_>, pod: &Value, status: &Value) {
    let was = text(pod, "status.phase");
    let is = text(status, "phase");
    let tell = |desk: &mut Desk<'_>, level, reason, message: &str| {
        desk.tell(pod, "Pod", Note { level, reason, message, by: BY });
    };
    if was != "Running" && is == "Running" {
        tell(desk, "Normal", "Started", "Started containers");
    }
    let waits = |status: &Value| text(status, "state.waiting.reason") == super::container::CRASH_LOOP;
    for container in list(status, "containerStatuses").iter().filter(|status| waits(status)) {
        let message = format!("Back-off restarting failed container {}", text(container, "name"));
        tell(desk, "Warning", "BackOff", &message);
    }
}

fn reject(desk: &mut Desk<'_>, pod: &Value, rejection: &Rejection) -> Looked {
    let message = format!("Pod was rejected: {}", rejection.message);
    let mut conditions = list(pod, "status.conditions").to_vec();
    let ready = Wanted { kind: "Ready", status: "False", reason: "PodFailed", message: "" };
    put_condition(&mut conditions, ready, desk.now);
    let status = json!({
        "phase": "Failed", "reason": rejection.reason, "message": message, "startTime": stamp(desk.now),
        "conditions": conditions,
    });
    desk.tell(pod, "Pod", Note { level: "Warning", reason: &rejection.reason, message: &rejection.message, by: BY });
    desk.write_status(PODS, pod, status).map(drop)
}

fn is_bound(desk: &Desk<'_>, namespace: &str, claim: &str) -> bool {
    desk.get(CLAIMS, &Key::new(namespace, claim)).is_some_and(|claim| text(&claim, "status.phase") == "Bound")
}

/// A node's internal address.
fn address(node: &Value) -> String {
    let addresses = list(node, "status.addresses");
    let internal = addresses.iter().find(|address| text(address, "type") == "InternalIP");
    internal.map_or("", |address| text(address, "address")).to_owned()
}

/// The address a pod has, or the first free one of its node's range.
fn pod_address(desk: &Desk<'_>, pod: &Value, node: &Value, host_ip: &str) -> String {
    if super::read::yes(pod, "spec.hostNetwork") {
        return host_ip.to_owned();
    }
    let known = text(pod, "status.podIP");
    if !known.is_empty() {
        return known.to_owned();
    }
    let by_chance = || format!("10.{}.{}", 192 + desk.state.chance.below("range", name(node), 64), ordinal(desk, node));
    let base = text(node, "spec.podCIDR").rsplit_once('.').map_or_else(by_chance, |(base, _)| base.to_owned());
    let mut candidates = (2..255).map(|last| format!("{base}.{last}"));
    candidates.find(|ip| !desk.state.seen.has_address(name(node), ip)).unwrap_or_default()
}

fn ordinal(desk: &Desk<'_>, node: &Value) -> u64 {
    desk.state.chance.below("subrange", name(node), 256)
}

/// The free room of a node for the kubelet: allocatable less the admitted pods but one.
#[must_use]
pub fn room_without(desk: &Desk<'_>, node: &Value, key: &Key) -> Resources {
    let mut free = amounts(node, "status.allocatable");
    if let Some(load) = desk.state.seen.load(name(node)) {
        for (_, demand) in load.pods.iter().filter(|(other, _)| *other != key) {
            free = free.saturating_sub(&demand.requests);
        }
    }
    free
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is bound to a node, what its kubelet admits fits, and what it rejects would not have.
        #[test]
        fn a_kubelet_never_admits_too_much(sizes in proptest::collection::vec((0_u32..4_000, 0_u32..8), 1..30)) {
            let node = json!({"status": {"allocatable": {"cpu": "8", "memory": "16Gi", "pods": "12"}}});
            let allocatable = amounts(&node, "status.allocatable");
            let mut admitted: Vec<Demand> = Vec::new();
            for (cpu, memory) in sizes {
                let requests = json!({"cpu": format!("{cpu}m"), "memory": format!("{memory}Gi")});
                let pod = json!({"spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]}});
                let demand = demand::of_pod(&pod);
                let mut used = Resources::new();
                admitted.iter().for_each(|other| used.add_assign(&other.requests));
                let others: Vec<&Demand> = admitted.iter().collect();
                let verdict = admit(&pod, &demand, &node, &others);
                prop_assert_eq!(verdict.is_ok(), demand.requests.fits(&allocatable.saturating_sub(&used)));
                prop_assert!(verdict.is_err() || used.add(&demand.requests).fits(&allocatable));
                if verdict.is_ok() {
                    admitted.push(demand);
                }
            }
        }
    }

    #[test]
    fn a_rejection_names_the_rule() {
        let node = json!({"metadata": {"name": "n", "labels": {"zone": "a"}}, "spec": {},
            "status": {"allocatable": {"cpu": "1", "pods": "9"}}});
        let judge = |spec: Value| {
            let pod = json!({"spec": spec});
            admit(&pod, &demand::of_pod(&pod), &node, &[]).map_err(|rejection| rejection.reason)
        };
        assert_eq!(judge(json!({"containers": [{"resources": {"requests": {"cpu": "2"}}}]})), Err("OutOfcpu".into()));
        assert_eq!(judge(json!({"nodeSelector": {"zone": "b"}})), Err("NodeAffinity".into()));
        assert_eq!(judge(json!({"nodeSelector": {"zone": "a"}})), Ok(()));
    }
}
