//! A stand-in for a scheduler: it binds the pods that ask for `default-scheduler`, so that a world lives without one.
//!
//! It is plain on purpose and no model of kube-scheduler: every node is checked for taints, selector, room, ports and
//! the zones of volumes, neighbours that must be near or apart; among those that fit, the emptiest is taken, ties by
//! chance. Its events and its bindings say that the stand-in made them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use keelson_core::{ResourceName, Span, Timestamp};

use super::agenda::Role;
use super::demand::{Demand, of_pod};
use super::desk::{Desk, Looked, Note};
use super::kinds::{CLAIMS, NODES, PODS};
use super::kubelet::claims;
use super::neighbours::Neighbours;
use super::read::{Key, Wanted, annotation, is_leaving, list, name, namespace, put_condition, text, uid};
use super::seen::Load;
use super::suits::NodeFacts;
use super::volumes::{Needs, SELECTED_NODE};
use crate::objects::{Event, Write};
use crate::tree::{Value, json};

/// Who says so in events.
pub const BY: &str = "sim-stand-in-scheduler";
/// The first delay of a pod that did not fit; it doubles up to [`LAST_BACK_OFF`].
const FIRST_BACK_OFF: Span = Span::seconds(1);
/// The longest delay.
const LAST_BACK_OFF: Span = Span::seconds(10);
/// A pod that did not fit is tried again after this, whatever happens.
const FLUSH: Span = Span::minutes(5);

/// A pod that did not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unplaced {
    /// How often it was tried.
    pub tries: u32,
    /// When it may be tried again.
    pub after: Timestamp,
}

/// Whether the stand-in is asked to place a pod.
fn is_ours(desk: &Desk<'_>, pod: &Value) -> bool {
    let named = match text(pod, "spec.schedulerName") {
        "" => "default-scheduler",
        name => name,
    };
    let open = text(pod, "spec.nodeName").is_empty() && list(pod, "spec.schedulingGates").is_empty();
    open && !is_leaving(pod) && desk.state.settings.stand_in.as_deref() == Some(named)
}

/// Looks at new pods, and at those that did not fit when room may have appeared.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    let finished = super::demand::is_finished(&event.object);
    if event.resource == PODS && (event.deleted || finished) {
        desk.state.unplaced.remove(&Key::of(&event.object));
        desk.state.assumed.remove(&Key::of(&event.object));
        if !text(&event.object, "spec.nodeName").is_empty() {
            retry(desk);
        }
    } else if event.resource == PODS && is_ours(desk, &event.object) {
        let key = Key::of(&event.object);
        if !desk.state.unplaced.contains_key(&key) {
            desk.soon(Role::StandIn, key);
        }
    } else if event.resource == CLAIMS {
        let (space, claim) = (namespace(&event.object), name(&event.object));
        let waits = |pod: &Value| text(pod, "spec.nodeName").is_empty() && claims(pod).any(|used| used == claim);
        let pods = desk.state.seen.within(PODS, space).filter(|(_, pod)| waits(pod));
        let keys: Vec<Key> = pods.map(|(key, _)| key.clone()).collect();
        keys.into_iter().for_each(|key| desk.soon(Role::StandIn, key));
    } else if event.resource == NODES && changes_room(event) {
        retry(desk);
    }
}

/// Whether a node's change could let a pod fit: heartbeats and images do not.
fn changes_room(event: &Event) -> bool {
    let fields = |node: &Value, path: &str| super::read::at(node, path).cloned();
    let same = |before: &Value| {
        ["spec", "metadata.labels", "status.allocatable"]
            .iter()
            .all(|path| fields(before, path) == fields(&event.object, path))
    };
    !event.deleted && !event.before.as_deref().is_some_and(same)
}

fn retry(desk: &mut Desk<'_>) {
    let waiting: Vec<(Key, Timestamp)> =
        desk.state.unplaced.iter().map(|(key, how)| (key.clone(), how.after)).collect();
    for (key, after) in waiting {
        desk.at(after.max(desk.now), Role::StandIn, key);
    }
}

/// Why a node cannot hold a pod, in upstream's words.
///
/// # Errors
/// The first rule broken.
pub fn fits(pod: &Value, demand: &Demand, node: &NodeFacts, load: &Load) -> Result<(), String> {
    if let Some(taint) = node.repels(list(pod, "spec.tolerations"), &["NoSchedule", "NoExecute"]) {
        if taint.key == super::suits::CORDON {
            return Err("node(s) were unschedulable".to_owned());
        }
        return Err(format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value));
    }
    if !node.is_selected_by(pod) {
        return Err("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    if demand.ports.iter().any(|port| load.pods.values().any(|other| other.ports.iter().any(|o| o.clashes(port)))) {
        return Err("node(s) didn't have free ports for the requested pod ports".to_owned());
    }
    let free = |name| node.allocatable.get(name).saturating_sub(load.requested.get(name));
    match demand.requests.iter().find(|(name, needed)| *needed > 0 && *needed > free(name)) {
        Some((ResourceName::Pods, _)) => Err("Too many pods".to_owned()),
        Some((name, _)) => Err(format!("Insufficient {name}")),
        None => Ok(()),
    }
}

/// How empty a node is with the pod on it: the mean free share of cpu and memory, in parts per million.
#[must_use]
pub fn emptiness(demand: &Demand, node: &NodeFacts, load: &Load) -> i64 {
    let share = |name: ResourceName| {
        let all = node.allocatable.get(&name);
        let rest = all - load.requested.get(&name) - demand.requests.get(&name);
        i64::try_from(i128::from(rest) * 1_000_000 / i128::from(all.max(1))).unwrap_or(0)
    };
    (share(ResourceName::Cpu) + share(ResourceName::Memory)) / 2
}

/// One look at a pod without a node.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(pod) = desk.get(PODS, key).filter(|pod| is_ours(desk, pod)) else {
        desk.state.unplaced.remove(key);
        desk.state.assumed.remove(key);
        return Ok(());
    };
    let demand = of_pod(&pod);
    let needs = match Needs::of(desk, &pod) {
        Ok(needs) => needs,
        Err(message) => return set_aside(desk, key, &pod, &message),
    };
    match assumed_node(desk, key, &pod, &demand, &needs) {
        Some(_) if !needs.open.is_empty() => return Ok(()), // The volumes are still being made.
        Some(node) => return bind(desk, key, &pod, node),
        None => {}
    }
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut best: Option<(i64, u64, String)> = None;
    let nodes = desk.state.seen.nodes();
    let all = nodes.len();
    let mut candidates: Vec<(&NodeFacts, Cow<'_, Load>)> = Vec::new();
    for node in nodes.values() {
        let load = load(desk, key, &node.name);
        match fits(&pod, &demand, node, &load) {
            Ok(()) if needs.are_met_by(node) => candidates.push((node, load)),
            Ok(()) => refuse(&mut refused, "node(s) had volume node affinity conflict".to_owned()),
            Err(reason) => refuse(&mut refused, reason),
        }
    }
    let neighbours = Neighbours::of(&desk.state.seen, &desk.state.assumed, &pod);
    for (node, load) in candidates {
        if let Err(reason) = neighbours.open(node) {
            refuse(&mut refused, reason.to_owned());
            continue;
        }
        let tie = desk.state.chance.draw(uid(&pod), &node.name);
        let rank = (emptiness(&demand, node, &load), tie, node.name.clone());
        if best.as_ref().is_none_or(|best| *best < rank) {
            best = Some(rank);
        }
    }
    match best {
        Some((_, _, node)) if !needs.open.is_empty() => {
            select(desk, &needs, &node)?;
            desk.state.assumed.insert(key.clone(), (node, demand));
            Ok(())
        }
        Some((_, _, node)) => bind(desk, key, &pod, node),
        None => set_aside(desk, key, &pod, &unschedulable(all, &refused)),
    }
}

/// How full a node is, with the pods that wait for their volumes on it.
fn load<'a>(desk: &'a Desk<'_>, key: &Key, node: &str) -> Cow<'a, Load> {
    let known = desk.state.seen.load(node).map_or_else(|| Cow::Owned(Load::default()), Cow::Borrowed);
    let others = desk.state.assumed.iter().filter(|(other, (there, _))| there == node && *other != key);
    others.fold(known, |mut load, (other, (_, demand))| {
        let there = load.to_mut();
        there.requested.add_assign(&demand.requests);
        there.pods.insert(other.clone(), demand.clone());
        load
    })
}

/// The node a pod was promised while its volumes are made, if it still suits; otherwise the promise is forgotten.
fn assumed_node(desk: &mut Desk<'_>, key: &Key, pod: &Value, demand: &Demand, needs: &Needs) -> Option<String> {
    let (node, _) = desk.state.assumed.get(key)?.clone();
    let suits =
        |facts: &NodeFacts| fits(pod, demand, facts, &load(desk, key, &node)).is_ok() && needs.are_met_by(facts);
    if desk.state.seen.nodes().get(&node).is_some_and(suits) {
        return Some(node);
    }
    desk.state.assumed.remove(key);
    None
}

fn refuse(refused: &mut BTreeMap<String, usize>, reason: String) {
    *refused.entry(reason).or_default() += 1;
}

fn unschedulable(all: usize, refused: &BTreeMap<String, usize>) -> String {
    let mut reasons: Vec<String> = refused.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    reasons.sort();
    match reasons.is_empty() {
        true => "no nodes available to schedule pods".to_owned(),
        false => format!("0/{all} nodes are available: {}.", reasons.join(", ")),
    }
}

/// Tells the provisioner where the pod will run; the claims' change brings the next look.
fn select(desk: &mut Desk<'_>, needs: &Needs, node: &str) -> Looked {
    for (claim, _) in &needs.open {
        if annotation(claim, SELECTED_NODE) != Some(node) {
            let patch = json!({"metadata": {"annotations": {SELECTED_NODE: node}}});
            desk.merge(CLAIMS, claim, "", patch)?;
        }
    }
    Ok(())
}

fn bind(desk: &mut Desk<'_>, key: &Key, pod: &Value, node: String) -> Looked {
    let message = format!("Successfully assigned {}/{} to {node}", key.namespace, key.name);
    let (namespace, name) = (key.namespace.to_string(), key.name.to_string());
    desk.write(Write::Bind { namespace, name, uid: uid(pod).to_owned(), node })?;
    desk.state.unplaced.remove(key);
    desk.state.assumed.remove(key);
    desk.tell(pod, "Pod", Note { level: "Normal", reason: "Scheduled", message: &message, by: BY });
    Ok(())
}

fn set_aside(desk: &mut Desk<'_>, key: &Key, pod: &Value, message: &str) -> Looked {
    let unplaced = desk.state.unplaced.entry(key.clone()).or_default();
    let delay = Span(FIRST_BACK_OFF.0.saturating_mul(1 << unplaced.tries.min(10))).min(LAST_BACK_OFF);
    unplaced.tries += 1;
    unplaced.after = desk.now + delay;
    desk.at(desk.now + FLUSH, Role::StandIn, key.clone());
    let mut conditions = list(pod, "status.conditions").to_vec();
    let wanted = Wanted { kind: "PodScheduled", status: "False", reason: "Unschedulable", message };
    if put_condition(&mut conditions, wanted, desk.now) {
        desk.write_status(PODS, pod, json!({"conditions": conditions}))?;
    }
    desk.tell(pod, "Pod", Note { level: "Warning", reason: "FailedScheduling", message, by: BY });
    Ok(())
}
