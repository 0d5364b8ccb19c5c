//! Where a pod has room, counted plainly: for the checkers that ask whether somebody had to wait, or to go.
//!
//! Promises: it shares nothing with the engine; a node has room for a pod when all of the pod's rules hold there now and what
//! is kept for pods of its priority or more, for which others were evicted, is left to them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use keelson_api::names;
use keelson_core::{Resources, Span, Timestamp};
use keelson_sim::objects::Event;
use keelson_sim::tree::Value;
use keelson_sim::world::demand::{Demand, is_finished, of_pod};
use keelson_sim::world::invariants::{APART, keeps_away};
use keelson_sim::world::kinds::{NODES, PODS};
use keelson_sim::world::neighbours::{Assumed, Neighbours};
use keelson_sim::world::read::{Key, holds, int, is_leaving, list, text};
use keelson_sim::world::seen::{Load, Seen};
use keelson_sim::world::standin::fits;
use keelson_sim::world::suits::NodeFacts;

use crate::day::GRACE;

/// Who decided knew the cluster as it was up to [`GRACE`] before, with a clock that may be so much off; what was decided
/// then takes a moment to arrive.
pub const LATELY: Span = Span(GRACE.0 + Span::seconds(150).0);

/// Nodes, and what is on them.
#[derive(Debug, Default)]
pub struct Room {
    seen: Seen,
    /// Pods of ours without a node.
    waiting: BTreeMap<Key, Arc<Value>>,
    /// Bound pods that keep others away.
    keepers: BTreeMap<Key, Arc<Value>>,
    /// Pods for which room is made: where, their priority, what they ask for.
    nominated: BTreeMap<Key, (String, i64, Demand)>,
    /// What was free on each node, each since a moment, as far back as [`LATELY`].
    free: BTreeMap<String, VecDeque<(Timestamp, Resources)>>,
    /// When something about a node changed last that may matter.
    changed: BTreeMap<String, Timestamp>,
    /// When a node went last.
    lost: Option<Timestamp>,
}

/// The priority of a pod.
#[must_use]
pub fn priority(pod: &Value) -> i64 {
    int(pod, "spec.priority").unwrap_or(0)
}

impl Room {
    /// Enters a change of the cluster.
    pub fn see(&mut self, event: &Event, now: Timestamp) {
        let object = &event.object;
        if event.resource == NODES {
            self.seen.enter(NODES, object, event.deleted);
            self.lost = if event.deleted { Some(now) } else { self.lost };
            self.note(text(object, "metadata.name"), true, now);
        } else if event.resource == PODS {
            self.seen.enter(PODS, object, event.deleted);
            let (key, node) = (Key::of(object), text(object, "spec.nodeName"));
            let (there, free) = (!event.deleted && !is_finished(object), node.is_empty());
            let is = |set: &mut BTreeMap<Key, Arc<Value>>, held: bool| match held {
                true => _ = set.insert(key.clone(), Arc::clone(object)),
                false => _ = set.remove(&key),
            };
            let asks = free && !is_leaving(object) && text(object, "spec.schedulerName") == names::SCHEDULER;
            is(&mut self.waiting, there && asks);
            is(&mut self.keepers, there && !free && !list(object, APART).is_empty());
            let nominated = text(object, "status.nominatedNodeName");
            let before = match there && asks && !nominated.is_empty() {
                true => self.nominated.insert(key, (nominated.to_owned(), priority(object), of_pod(object))),
                false => self.nominated.remove(&key),
            };
            let before = before.map(|(node, ..)| node).unwrap_or_default();
            if before != nominated {
                [before.as_str(), nominated].into_iter().for_each(|node| self.note(node, true, now));
            }
            self.note(node, false, now);
        }
    }

    /// The pods of ours that wait.
    pub fn waiting(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.waiting.values()
    }

    /// A pod.
    #[must_use]
    pub fn pod(&self, key: &Key) -> Option<Arc<Value>> {
        self.seen.get(PODS, key)
    }

    /// The nodes that a pod could go to now.
    #[must_use]
    pub fn nodes_for(&self, pod: &Value) -> BTreeSet<String> {
        self.where_it_fits(pod, None, |_| true)
    }

    /// Whether a pod could go to a node now.
    #[must_use]
    pub fn holds(&self, node: &str, pod: &Value) -> bool {
        !self.where_it_fits(pod, None, |facts| facts.name == node).is_empty()
    }

    /// The nodes about which nothing changed lately and that a pod could go to without those of their pods that `goes` says.
    pub fn quiet_nodes_without(&self, pod: &Value, goes: &dyn Fn(&Value) -> bool, now: Timestamp) -> BTreeSet<String> {
        let quiet = |node: &NodeFacts| self.changed.get(&node.name).is_some_and(|last| now.since(*last) > LATELY);
        self.where_it_fits(pod, Some(goes), quiet)
    }

    /// How many pods like this the nodes that it may go to had room for together, each at the best moment of late; none when
    /// a node went since, of which nobody knows any more.
    #[must_use]
    pub fn most_lately(&self, pod: &Value, now: Timestamp) -> Option<i64> {
        if self.lost.is_some_and(|lost| now.since(lost) <= LATELY) {
            return None;
        }
        let demand = of_pod(pod);
        let slots = |free: &Resources| {
            let asked = demand.requests.iter().filter(|(_, asked)| *asked > 0);
            asked.map(|(name, asked)| (free.get(name) / asked).max(0)).min().unwrap_or(0)
        };
        let best = |node: &NodeFacts| {
            let moments = self.free.get(&node.name).into_iter().flatten();
            let ends = moments.clone().skip(1).map(|(since, _)| *since).chain([now]);
            let lately = moments.zip(ends).filter(|(_, end)| now.since(*end) <= LATELY);
            lately.map(|((_, free), _)| slots(free)).max().unwrap_or(0)
        };
        Some(self.seen.nodes().values().filter(|node| node.is_selected_by(pod)).map(best).sum())
    }

    fn where_it_fits(
        &self,
        pod: &Value,
        goes: Option<&dyn Fn(&Value) -> bool>,
        looked_at: impl Fn(&NodeFacts) -> bool,
    ) -> BTreeSet<String> {
        let (demand, nothing) = (of_pod(pod), Load::default());
        let neighbours = Neighbours::of(&self.seen, &Assumed::new(), pod);
        let fits = |node: &NodeFacts| {
            let ready = self.seen.get(NODES, &Key::cluster(&node.name)).is_some_and(|node| holds(&node, "Ready"));
            let load = self.seen.load(&node.name).unwrap_or(&nothing);
            let room = || fits(pod, &demand, node, &self.left(&node.name, load, pod, goes)).is_ok();
            let kept_away = || self.keepers.values().any(|keeper| keeps_away(keeper, pod, node, self.seen.nodes()));
            ready && room() && neighbours.open(node).is_ok() && !kept_away()
        };
        let nodes = self.seen.nodes().values().filter(|node| node.is_selected_by(pod) && looked_at(node));
        nodes.filter(|node| fits(node)).map(|node| node.name.clone()).collect()
    }

    /// What is on a node for a pod: with those that room is kept for, without those that go.
    fn left<'a>(
        &self,
        node: &str,
        load: &'a Load,
        pod: &Value,
        goes: Option<&dyn Fn(&Value) -> bool>,
    ) -> Cow<'a, Load> {
        let mut load = Cow::Borrowed(load);
        let gone = goes.into_iter().flat_map(|goes| self.seen.bound(node).into_iter().filter(move |other| goes(other)));
        for key in gone.map(|gone| Key::of(&gone)) {
            let load = load.to_mut();
            if let Some(demand) = load.pods.remove(&key) {
                load.requested = load.requested.saturating_sub(&demand.requests);
            }
        }
        let own = Key::of(pod);
        for (key, (at, rank, demand)) in &self.nominated {
            if *at == *node && *rank >= priority(pod) && *key != own {
                load.to_mut().requested.add_assign(&demand.requests);
            }
        }
        load
    }

    /// Writes down what is free on a node from now on.
    fn note(&mut self, node: &str, changed: bool, now: Timestamp) {
        if node.is_empty() {
            return;
        }
        let Some(facts) = self.seen.nodes().get(node) else {
            self.free.remove(node);
            self.changed.remove(node);
            return;
        };
        let taken = self.seen.load(node).map(|load| load.requested.clone()).unwrap_or_default();
        let free = facts.allocatable.saturating_sub(&taken);
        let lately = self.free.entry(node.to_owned()).or_default();
        let same = lately.back().is_some_and(|(_, before)| *before == free);
        if !same {
            lately.push_back((now, free));
        }
        // The one before the last that is old enough began before the time that counts.
        while lately.get(1).is_some_and(|(next, _)| now.since(*next) > LATELY) {
            lately.pop_front();
        }
        if changed || !same {
            self.changed.insert(node.to_owned(), now);
        }
    }
}

#[cfg(test)]
pub mod tests {
    //! A stream of events, with the room that is in them.
    #![allow(clippy::unwrap_used)]
    use keelson_sim::objects::Resource;
    use keelson_sim::tree::json;

    use super::*;

    /// A stream.
    #[derive(Default)]
    pub struct Stage {
        room: Room,
        known: BTreeMap<(Resource, Key), Arc<Value>>,
        version: u64,
        /// When the next thing happens.
        pub now: Timestamp,
    }

    impl Stage {
        /// Something is as it is now.
        pub fn see(&mut self, resource: Resource, mut object: Value, see: impl FnOnce(&Event, Timestamp, &Room)) {
            self.version += 1;
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("resourceVersion".to_owned(), json!(self.version.to_string()));
            }
            let (key, object) = ((resource, Key::of(&object)), Arc::new(object));
            let before = self.known.insert(key, Arc::clone(&object));
            let event = Event { resource, object, before, deleted: false };
            self.room.see(&event, self.now);
            see(&event, self.now, &self.room);
        }
    }

    /// A node that is ready.
    #[must_use]
    pub fn node(name: &str, cpu: &str) -> Value {
        json!({"metadata": {"name": name, "uid": name}, "status": {
            "allocatable": {"cpu": cpu, "pods": "9"}, "conditions": [{"type": "Ready", "status": "True"}]}})
    }

    /// A pod of ours, with more in its spec.
    #[must_use]
    pub fn pod(name: &str, cpu: &str, more: Value) -> Value {
        let mut spec = json!({"schedulerName": names::SCHEDULER,
            "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]});
        spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let metadata = json!({"namespace": "default", "name": name, "uid": name, "labels": {"app": name}});
        json!({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}})
    }

    #[test]
    fn room_that_is_kept_for_another_is_none_and_late_room_is_remembered() {
        let mut stage = Stage::default();
        stage.see(NODES, node("n", "2"), |_, _, _| {});
        let mut urgent = pod("urgent", "1500m", json!({"priority": 10}));
        *urgent.get_mut("status").unwrap() = json!({"nominatedNodeName": "n"});
        stage.see(PODS, urgent, |_, _, _| {});
        let plain = pod("plain", "1", json!({}));
        assert!(stage.room.nodes_for(&plain).is_empty());
        assert!(!stage.room.nodes_for(&pod("higher", "1", json!({"priority": 11}))).is_empty());
        let taken = pod("taken", "2", json!({"nodeName": "n"}));
        stage.now = Timestamp(0) + Span::minutes(1);
        stage.see(PODS, taken, |_, _, _| {});
        assert_eq!(stage.room.most_lately(&plain, stage.now), Some(2));
        assert_eq!(stage.room.most_lately(&plain, stage.now + LATELY + Span::seconds(1)), Some(0));
    }
}
