//! What must hold whatever happens, checked on the stream of events.
//!
//! The checker sees what every client sees and keeps its own books; it shares no state with the components it watches.
//! Each invariant counts how often it was at stake: one that never was has proved nothing.
//!
//! Rules are judged when a pod is bound, by what the stream had said about its node until then. A scheduler learns of a
//! change a moment later, so a node also counts as it was up to [`GRACE`] ago (more where its watches may fall silent:
//! [`Invariants::with_grace`]). Rules that depend on the order of bindings (pod affinity, topology spread) are not judged:
//! bindings overtake each other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use keelson_core::{Resources, Span, Timestamp};

use super::demand::{is_finished, of_pod};
use super::kinds::{NODES, PODS};
use super::neighbours::{Assumed, Neighbours};
use super::read::{Key, at, labels, list, namespace, selector, text, uid};
use super::seen::{Load, Seen};
use super::suits::NodeFacts;
use crate::objects::Event;
use crate::tree::Value;

/// For how long a node may still be taken for what it was.
pub const GRACE: Span = Span::seconds(5);

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// The requests of bound, unfinished pods never exceed what their node can allocate.
    Room,
    /// A pod is bound once and stays where it is.
    BoundOnce,
    /// A bound pod's node selector and required node affinity hold.
    Selector,
    /// A bound pod tolerates the `NoSchedule` and `NoExecute` taints of its node.
    Taints,
    /// No two pods of a node want one host port.
    Ports,
    /// A bound pod is in no domain that its own required anti-affinity excludes, or that of a pod that is there.
    Apart,
    /// A pod is only bound to a node that exists.
    NodeExists,
    /// What is gone stays gone: an event about a deleted object is of another uid.
    Gone,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub invariant: Invariant,
    /// When it was seen.
    pub at: Timestamp,
    /// A sentence with the numbers.
    pub what: String,
}

/// The checker.
#[derive(Debug)]
pub struct Invariants {
    grace: Span,
    seen: Seen,
    bound: BTreeMap<String, String>,
    gone: BTreeMap<String, Key>,
    /// What nodes were, each until a moment within the grace.
    recent: BTreeMap<String, VecDeque<(NodeFacts, Timestamp)>>,
    /// Bound pods that keep others away.
    keeping: BTreeMap<Key, Arc<Value>>,
    at_stake: BTreeMap<Invariant, u64>,
    broken: Vec<Breach>,
}

impl Invariant {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::Room,
        Self::BoundOnce,
        Self::Selector,
        Self::Taints,
        Self::Ports,
        Self::Apart,
        Self::NodeExists,
        Self::Gone,
    ];
}

impl Default for Invariants {
    fn default() -> Self {
        Self::new()
    }
}

impl Invariants {
    /// A checker that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::with_grace(GRACE)
    }

    /// One that takes a node for what it was up to `grace` ago.
    #[must_use]
    pub fn with_grace(grace: Span) -> Self {
        Self {
            grace,
            seen: Seen::default(),
            bound: BTreeMap::new(),
            gone: BTreeMap::new(),
            recent: BTreeMap::new(),
            keeping: BTreeMap::new(),
            at_stake: BTreeMap::new(),
            broken: Vec::new(),
        }
    }

    /// How often each invariant was at stake.
    #[must_use]
    pub fn at_stake(&self) -> &BTreeMap<Invariant, u64> {
        &self.at_stake
    }

    /// What was broken, in order.
    #[must_use]
    pub fn broken(&self) -> &[Breach] {
        &self.broken
    }

    /// Sees the next event.
    pub fn see(&mut self, event: &Event, now: Timestamp) {
        if event.resource != PODS && event.resource != NODES {
            return;
        }
        let id = uid(&event.object).to_owned();
        self.judge(Invariant::Gone, now, !self.gone.contains_key(&id), || format!("{id} was deleted before"));
        if event.deleted {
            self.bound.remove(&id);
            self.gone.insert(id, Key::of(&event.object));
        } else if event.resource == PODS {
            self.see_pod(&event.object, now);
        }
        if event.resource == NODES
            && let Some(facts) = self.seen.nodes().get(text(&event.object, "metadata.name")).cloned()
        {
            let grace = self.grace;
            let recent = self.recent.entry(facts.name.clone()).or_default();
            recent.push_back((facts, now));
            recent.retain(|(_, until)| now.since(*until) <= grace);
        }
        if event.resource == PODS {
            self.note_keeper(event);
        }
        self.seen.enter(event.resource, &event.object, event.deleted);
    }

    fn note_keeper(&mut self, event: &Event) {
        let keeps = !event.deleted && !is_finished(&event.object) && !text(&event.object, "spec.nodeName").is_empty();
        if keeps && !list(&event.object, APART).is_empty() {
            self.keeping.insert(Key::of(&event.object), Arc::clone(&event.object));
        } else {
            self.keeping.remove(&Key::of(&event.object));
        }
    }

    /// What a node was lately, latest first.
    fn lately(&self, node: &str, now: Timestamp) -> impl Iterator<Item = &NodeFacts> {
        let recent = self.recent.get(node).into_iter().flatten().rev();
        recent.filter(move |(_, until)| now.since(*until) <= self.grace).map(|(facts, _)| facts)
    }

    fn see_pod(&mut self, pod: &Value, now: Timestamp) {
        let node_name = text(pod, "spec.nodeName");
        let key = Key::of(pod);
        match self.bound.get(uid(pod)) {
            Some(known) => {
                let (same, what) = (known == node_name, format!("{key:?} moved from {known} to {node_name:?}"));
                self.judge(Invariant::BoundOnce, now, same, || what);
                return;
            }
            None if node_name.is_empty() => return,
            None => self.bound.insert(uid(pod).to_owned(), node_name.to_owned()),
        };
        let Some(node) = self.seen.nodes().get(node_name).or_else(|| self.lately(node_name, now).next()).cloned()
        else {
            self.judge(Invariant::NodeExists, now, false, || {
                format!("{key:?} was bound to {node_name}, which is gone")
            });
            return;
        };
        self.judge(Invariant::NodeExists, now, true, String::new);
        let load = self.seen.load(node_name).cloned().unwrap_or_default();
        self.judge_binding(&key, pod, &node, &load, now);
    }

    fn judge_binding(&mut self, key: &Key, pod: &Value, node: &NodeFacts, load: &Load, now: Timestamp) {
        let demand = of_pod(pod);
        let free: Resources = node.allocatable.saturating_sub(&load.requested);
        let short = demand.requests.shortfalls(&free);
        let what =
            || format!("{key:?} on {}: {}", node.name, short.first().map(ToString::to_string).unwrap_or_default());
        self.judge(Invariant::Room, now, short.is_empty(), what);
        if at(pod, "spec.nodeSelector").is_some() || at(pod, "spec.affinity.nodeAffinity").is_some() {
            let selected =
                node.is_selected_by(pod) || self.lately(&node.name, now).any(|lately| lately.is_selected_by(pod));
            self.judge(Invariant::Selector, now, selected, || format!("{key:?} did not select {}", node.name));
        }
        let repels = |node: &NodeFacts| {
            let taint = node.repels(list(pod, "spec.tolerations"), &["NoSchedule", "NoExecute"]);
            taint.map(|taint| taint.key.clone())
        };
        let taint = repels(node).filter(|_| self.lately(&node.name, now).all(|lately| repels(lately).is_some()));
        if self.seen.nodes().values().any(|node| !node.taints.is_empty()) {
            let what = || format!("{key:?} does not tolerate {:?} of {}", taint, node.name);
            self.judge(Invariant::Taints, now, taint.is_none(), what);
        }
        let neighbours = Neighbours::of(&self.seen, &Assumed::new(), pod);
        if neighbours.asks_for_distance() {
            let apart = neighbours.is_apart_on(node);
            self.judge(Invariant::Apart, now, apart, || format!("{key:?} on {} is too close to others", node.name));
        }
        let kept_away = |keeper: &Arc<Value>| keeps_away(keeper, pod, node, self.seen.nodes());
        let keeper = self.keeping.iter().find(|(_, keeper)| kept_away(keeper)).map(|(other, _)| other.clone());
        if self.keeping.values().any(|keeper| minds(keeper, pod)) {
            let what = || format!("{key:?} on {} is too close to {:?}, which keeps it away", node.name, keeper);
            self.judge(Invariant::Apart, now, keeper.is_none(), what);
        }
        if !demand.ports.is_empty() {
            let clash =
                load.pods.values().any(|other| demand.ports.iter().any(|p| other.ports.iter().any(|o| o.clashes(p))));
            self.judge(Invariant::Ports, now, !clash, || format!("{key:?} shares a host port on {}", node.name));
        }
    }

    fn judge(&mut self, invariant: Invariant, at: Timestamp, holds: bool, what: impl FnOnce() -> String) {
        *self.at_stake.entry(invariant).or_default() += 1;
        if !holds {
            self.broken.push(Breach { invariant, at, what: what() });
        }
    }
}

/// Where a pod says whom it keeps away.
pub const APART: &str = "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution";

/// Whether a term of a pod that is there is about another pod. (Scenarios name no namespaces in such terms.)
fn concerns(keeper: &Value, term: &Value, pod: &Value) -> bool {
    namespace(keeper) == namespace(pod)
        && uid(keeper) != uid(pod)
        && selector(term, "labelSelector").is_some_and(|wanted| wanted.matches(&labels(pod)))
}

/// Whether the required anti-affinity of a pod that is there is about another pod, wherever that goes.
fn minds(keeper: &Value, pod: &Value) -> bool {
    list(keeper, APART).iter().any(|term| concerns(keeper, term, pod))
}

/// Whether a pod that is there keeps another off a node.
#[must_use]
pub fn keeps_away(keeper: &Value, pod: &Value, node: &NodeFacts, nodes: &BTreeMap<String, NodeFacts>) -> bool {
    let domain = |node: &NodeFacts, term: &Value| node.labels.get(text(term, "topologyKey")).cloned();
    let there = nodes.get(text(keeper, "spec.nodeName"));
    list(keeper, APART).iter().filter(|term| concerns(keeper, term, pod)).any(|term| {
        let here = domain(node, term);
        here.is_some() && here == there.and_then(|there| domain(there, term))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::sync::Arc;

    use crate::tree::json;

    use super::*;
    use crate::objects::Resource;

    fn event(resource: Resource, object: Value, deleted: bool) -> Event {
        Event { resource, object: Arc::new(object), before: None, deleted }
    }

    fn pod(id: &str, node: &str, version: u32) -> Value {
        json!({
            "metadata": {"namespace": "a", "name": id, "uid": id, "resourceVersion": version.to_string()},
            "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": "600m"}},
                "ports": [{"containerPort": 80, "hostPort": 80}]}]},
            "status": {"phase": "Pending"},
        })
    }

    #[test]
    fn every_broken_rule_is_told_with_its_numbers() {
        let mut checker = Invariants::new();
        let taints = json!([{"key": "gpu", "effect": "NoSchedule"}]);
        let node = json!({"metadata": {"name": "n", "uid": "n", "resourceVersion": "1"}, "spec": {"taints": taints},
            "status": {"allocatable": {"cpu": "1", "pods": "9"}}});
        let mut see = |object: Value, resource, deleted| checker.see(&event(resource, object, deleted), Timestamp(0));
        see(node, NODES, false);
        see(pod("x", "", 2), PODS, false);
        see(pod("x", "n", 3), PODS, false);
        see(pod("y", "n", 4), PODS, false);
        see(pod("y", "m", 5), PODS, false);
        see(pod("y", "m", 6), PODS, true);
        see(pod("y", "m", 7), PODS, false);
        let broken: Vec<Invariant> = checker.broken().iter().map(|breach| breach.invariant).collect();
        use Invariant::{BoundOnce, Gone, NodeExists, Ports, Room, Taints};
        assert_eq!(broken, [Taints, Room, Taints, Ports, BoundOnce, Gone, NodeExists]);
        assert!(
            checker.broken()[1].what.contains("needs 600m cpu, 400m free: short 200m"),
            "{:?}",
            checker.broken()[1]
        );
        assert_eq!(checker.at_stake()[&Room], 2);
    }

    #[test]
    fn a_pod_that_is_there_keeps_others_away() {
        let mut checker = Invariants::new();
        let mut see = |object: Value, resource| checker.see(&event(resource, object, false), Timestamp(0));
        for name in ["n", "m"] {
            let metadata = json!({"name": name, "uid": name, "resourceVersion": "1",
                "labels": {"kubernetes.io/hostname": name}});
            see(json!({"metadata": metadata, "status": {"allocatable": {"cpu": "4", "pods": "9"}}}), NODES);
        }
        let mut keeper = pod("keeper", "n", 2);
        let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}});
        keeper["spec"]["affinity"] =
            json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
        see(keeper, PODS);
        for (version, (name, node)) in (3..).zip([("near", "n"), ("far", "m")]) {
            let mut other = pod(name, node, version);
            other["metadata"]["labels"] = json!({"app": "x"});
            other["spec"]["containers"][0]["ports"] = json!([]);
            see(other, PODS);
        }
        let broken: Vec<Invariant> = checker.broken().iter().map(|breach| breach.invariant).collect();
        assert_eq!(broken, [Invariant::Apart]);
        assert_eq!(checker.at_stake()[&Invariant::Apart], 3, "the keeper itself and both that it minds");
    }
}
