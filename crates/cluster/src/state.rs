//! Events in.
//!
//! The state follows what the API server says and what the scheduler assumes before the API server says it. A pod that
//! was assumed to be on a node counts there at once; the watch then confirms it, or corrects it: when the watch names
//! another node, the watch is right.
//!
//! Promises: however events are ordered and repeated, the same last objects give the same state; an assumption survives
//! every event that does not decide it, and nothing else does; pods may come before their node and stay after it.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use keelson_core::{Rates, Timestamp, Workload};
use keelson_placement::volumes::{VolumeChange, VolumeKind};
use keelson_placement::{Claim, Labels, Log, LogChange, Namespaces, Network, Node, Nodes, Occupant, VolumePlan};

mod bandwidth;
mod event;
mod network;

pub use bandwidth::Heard;
pub use event::Event;
pub use network::{Traffic, Wanted};

use self::bandwidth::{Interfaces, taken};
use self::network::Networks;
use crate::read::{Problem, ReadNode, ReadPod, ReadVolumes};
use crate::view::{Member, Nominated, View};

/// What is kept of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    key: Arc<str>,
    node: Option<Arc<str>>,
    assumed: bool,
    nominated: Option<Arc<str>>,
    priority: i32,
    started: Option<Timestamp>,
    preempted: bool,
    claim: Arc<Claim>,
    /// The workload that owns it.
    workload: Option<Arc<Workload>>,
    /// What of its claim was learned from that.
    learned: Rates,
    /// What was decided about its claims; it falls with the assumption.
    volumes: Option<Arc<VolumePlan>>,
    unread: bool,
}

impl Kept {
    fn occupant(&self) -> Occupant {
        let Self { key, claim, priority, started, preempted, .. } = self;
        Occupant {
            key: Arc::clone(key),
            claim: Arc::clone(claim),
            priority: *priority,
            started: *started,
            preempted: *preempted,
        }
    }
}

/// The state; one writer owns it.
#[derive(Debug, Clone, Default)]
pub struct State {
    view: View,
    slots: HashMap<Arc<str>, u32>,
    free: Vec<u32>,
    pods: HashMap<Arc<str>, Kept>,
    uids: HashMap<Arc<str>, Arc<str>>,
    claims: Shared<Claim>,
    workloads: Shared<Workload>,
    log: Log,
    nodes: usize,
    /// The turn of who is nominated next.
    turn: u64,
    networks: Networks,
    interfaces: Interfaces,
}

/// Values that many pods have in common, each once.
#[derive(Debug, Clone)]
struct Shared<T: Hash + Eq>(HashSet<Arc<T>>);

impl<T: Hash + Eq> Default for Shared<T> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<T: Hash + Eq> Shared<T> {
    fn share(&mut self, value: Arc<T>) -> Arc<T> {
        if let Some(known) = self.0.get(&value) {
            return Arc::clone(known);
        }
        // Values of pods that are long gone are dropped now and then, at a size that doubles with what is in use.
        if self.0.len() == self.0.capacity() {
            self.0.retain(|known| Arc::strong_count(known) > 1);
        }
        self.0.insert(Arc::clone(&value));
        value
    }
}

impl State {
    /// Carries an event in.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::NodeApplied(node) => self.node_applied(*node),
            Event::NodeDeleted { name } => self.node_deleted(&name),
            Event::PodApplied(pod) => self.pod_applied(*pod),
            Event::PodDeleted { uid } => self.pod_deleted(&uid),
            Event::NamespaceApplied { name, labels } => self.namespace(name, Some(labels)),
            Event::NamespaceDeleted { name } => self.namespace(name, None),
            Event::GroupApplied(group) => self.networks(|known| known.group(*group)),
            Event::GroupDeleted(name) => self.networks(|known| known.no_group(&name)),
            Event::TopologyApplied(topology) => self.networks(|known| known.topology(*topology)),
            Event::TopologyDeleted(name) => self.networks(|known| known.no_topology(&name)),
            Event::MeasuredApplied(measured) => self.networks(|known| known.measured(*measured)),
            Event::MeasuredDeleted(name) => self.networks(|known| known.no_measured(&name)),
            Event::TrafficSeen(traffic) => self.networks(|known| known.traffic(traffic)),
            Event::NetworkWanted(wanted) => self.networks(|known| known.wanted(wanted)),
            Event::InterfaceHeard { node, heard } => self.interface_heard(&node, heard),
            Event::UsageLearned(learned) => self.usage_learned(learned),
            Event::BandwidthLimit(limit) => {
                if self.interfaces.limit(limit) {
                    self.renew_network();
                    (0..self.view.slots.len()).for_each(|slot| self.measure(u32::try_from(slot).unwrap_or(u32::MAX)));
                }
            }
            Event::BudgetApplied(budget) => {
                Arc::make_mut(&mut self.view.budgets).insert(budget.key(), *budget);
                self.note(LogChange::Budgets);
            }
            Event::BudgetDeleted { key } => {
                Arc::make_mut(&mut self.view.budgets).remove(&key);
                self.note(LogChange::Budgets);
            }
            Event::SelectorApplied(read) => _ = Arc::make_mut(&mut self.view.selectors).put(*read),
            Event::SelectorDeleted { kind, namespace, name } => {
                _ = Arc::make_mut(&mut self.view.selectors).remove(kind, &namespace, &name);
            }
            Event::Nominated { uid, node } => self.nominate(&uid, node.as_deref()),
            Event::VolumesApplied(read) => _ = self.volumes_applied(*read),
            Event::VolumesDeleted { kind, key } => _ = self.volumes_deleted(kind, key),
            Event::Assumed { uid, node, volumes } => {
                self.assume(&uid, Some(&node), volumes.map(|plan| Arc::new(*plan)))
            }
            Event::Forgotten { uid } => self.assume(&uid, None, None),
        }
    }

    /// What it looks like now, without copying.
    #[must_use]
    pub const fn live(&self) -> &View {
        &self.view
    }

    /// What it looks like now, to keep. `O(nodes / 64)`.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::new(self.view.clone())
    }

    /// How many pods are known, bound or not.
    #[must_use]
    pub fn pod_count(&self) -> usize {
        self.pods.len()
    }

    /// One node by name, in constant time.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.view.slot(*self.slots.get(name)?).filter(|member| member.known)
    }

    /// The uid of the pod that has this `namespace/name`.
    #[must_use]
    pub fn uid_of(&self, key: &str) -> Option<&str> {
        self.uids.get(key).map(AsRef::as_ref)
    }

    /// Every pod's uid, in no order.
    pub fn uids(&self) -> impl Iterator<Item = &str> {
        self.pods.keys().map(AsRef::as_ref)
    }

    /// What a pod takes of its node, or will.
    #[must_use]
    pub fn claim_of(&self, uid: &str) -> Option<&Claim> {
        self.pods.get(uid).map(|pod| pod.claim.as_ref())
    }

    /// The node a pod is on, bound or assumed.
    #[must_use]
    pub fn node_of(&self, uid: &str) -> Option<&str> {
        self.pods.get(uid)?.node.as_deref()
    }

    /// The node whose room a pod takes: it is there or assumed there, or others made that room for it.
    #[must_use]
    pub fn room_of(&self, uid: &str) -> Option<&str> {
        let pod = self.pods.get(uid)?;
        pod.node.as_deref().or(pod.nominated.as_deref())
    }

    /// What a pod means to others: its claim, while it is on a node or room was made for it.
    #[must_use]
    pub fn claim_elsewhere(&self, uid: &str) -> Option<&Arc<Claim>> {
        let pod = self.pods.get(uid)?;
        (pod.node.is_some() || pod.nominated.is_some()).then_some(&pod.claim)
    }

    /// Whether a pod is assumed to be where the API server does not say it is yet.
    #[must_use]
    pub fn is_assumed(&self, uid: &str) -> bool {
        self.pods.get(uid).is_some_and(|pod| pod.assumed)
    }

    /// An object of storage is new or changed: as [`Event::VolumesApplied`], with what that means to pods.
    pub fn volumes_applied(&mut self, read: ReadVolumes) -> Option<VolumeChange> {
        let ReadVolumes { object, problems } = read;
        self.volume_problems((object.kind(), object.key()), problems);
        Arc::make_mut(&mut self.view.volumes).put(object)
    }

    /// An object of storage is gone: as [`Event::VolumesDeleted`], with what that means to pods.
    pub fn volumes_deleted(&mut self, kind: VolumeKind, key: String) -> Option<VolumeChange> {
        let change = Arc::make_mut(&mut self.view.volumes).remove(kind, &key);
        self.volume_problems((kind, key), Vec::new());
        change
    }

    fn volume_problems(&mut self, key: (VolumeKind, String), problems: Vec<Problem>) {
        if problems.is_empty() && !self.view.volume_problems.contains_key(&key) {
            return;
        }
        let known = Arc::make_mut(&mut self.view.volume_problems);
        if problems.is_empty() {
            known.remove(&key);
        } else {
            known.insert(key, problems);
        }
    }

    /// What was decided about the claims of an assumed pod, while that is not done.
    #[must_use]
    pub fn plan_of(&self, uid: &str) -> Option<&VolumePlan> {
        self.pods.get(uid)?.volumes.as_deref()
    }

    /// The pods about whose claims something is decided, by uid, in no order. `O(pods)`.
    pub fn planned(&self) -> impl Iterator<Item = &str> {
        self.pods.iter().filter(|(_, pod)| pod.volumes.is_some()).map(|(uid, _)| uid.as_ref())
    }

    fn namespace(&mut self, name: String, labels: Option<Labels>) {
        if self.view.namespaces.get(&name) == labels.as_ref() {
            return;
        }
        let namespaces = Arc::make_mut(&mut self.view.namespaces);
        match labels {
            Some(labels) => namespaces.insert(name, labels),
            None => namespaces.remove(&name),
        };
        self.note(LogChange::Namespaces);
    }

    /// Changes what is known of groups and costs.
    fn networks(&mut self, change: impl FnOnce(&mut Networks) -> bool) {
        if change(&mut self.networks) {
            self.renew_network();
        }
    }

    /// Works the network out again, and says so when it is another.
    fn renew_network(&mut self) {
        let network = self.networks.network(&self.view, self.interfaces.share());
        if network != *self.view.network {
            self.view.network = Arc::new(network);
            self.note(LogChange::Network);
        }
    }

    fn node_applied(&mut self, read: ReadNode) {
        let slot = self.slot(&read.node.name);
        let ReadNode { mut node, capacity, carries, ready, zone, instance_type, problems } = read;
        if let Some(member) = self.touch(slot) {
            node.succeed(member.node.clone());
            let unread = std::mem::take(&mut member.unread);
            let was_known = member.known;
            // Nodes are written every few minutes only to say that they are alive.
            let same = was_known && member.node == node;
            let moved = !was_known || member.node.labels != node.labels;
            *member = Member { node, capacity, carries, ready, zone, instance_type, problems, unread, known: true };
            self.nodes += usize::from(!was_known);
            if !same {
                self.note(LogChange::Node(slot as usize));
            }
            self.measure(slot);
            if moved && self.networks.measures() {
                self.renew_network();
            }
        }
    }

    fn node_deleted(&mut self, name: &str) {
        if let Some(slot) = self.slots.get(name).copied() {
            if let Some(member) = self.touch(slot) {
                let mut node = Node::new(name, []);
                node.succeed(member.node.clone());
                let was_known = member.known;
                *member = Member { node, unread: std::mem::take(&mut member.unread), ..Member::default() };
                self.nodes -= usize::from(was_known);
            }
            self.note(LogChange::Node(slot as usize));
            self.release(slot);
            if self.networks.measures() {
                self.renew_network();
            }
        }
    }

    fn pod_applied(&mut self, read: ReadPod) {
        let key: Arc<str> = format!("{}/{}", read.pod.namespace, read.pod.name).into();
        if let Some(uid) = self.uids.get(&key).filter(|uid| uid.as_ref() != read.pod.uid).cloned() {
            self.pod_deleted(&uid);
        }
        if read.ended {
            return self.pod_deleted(&read.pod.uid);
        }
        let read = self.view.learned.complete(read);
        let before = self.pods.get(read.pod.uid.as_str());
        let stands = before.filter(|pod| pod.assumed && read.bound_to.is_none());
        let (assumed, volumes) = stands.map_or((None, None), |pod| (pod.node.clone(), pod.volumes.clone()));
        let next = Kept {
            key: before.map_or(key, |pod| Arc::clone(&pod.key)),
            assumed: assumed.is_some(),
            node: read.bound_to.as_deref().map(|name| self.name(name)).or(assumed),
            nominated: read.pod.nominated.as_deref().map(Arc::from),
            priority: read.pod.priority,
            started: read.pod.started,
            preempted: read.preempted,
            claim: self.claims.share(Arc::new(read.pod.claim())),
            workload: read.workload.map(|workload| self.workloads.share(Arc::new(workload))),
            learned: read.learned,
            volumes,
            unread: !read.problems.is_empty(),
        };
        self.replace(&read.pod.uid, Some(next));
    }

    fn pod_deleted(&mut self, uid: &str) {
        self.replace(uid, None);
    }

    fn assume(&mut self, uid: &str, node: Option<&str>, volumes: Option<Arc<VolumePlan>>) {
        let Some(pod) = self.pods.get(uid).filter(|pod| pod.node.is_none() || pod.assumed) else {
            return;
        };
        let next = Kept { node: node.map(|name| self.name(name)), assumed: node.is_some(), volumes, ..pod.clone() };
        self.replace(uid, Some(next));
    }

    fn nominate(&mut self, uid: &str, node: Option<&str>) {
        let Some(pod) = self.pods.get(uid).filter(|pod| pod.node.is_none()) else { return };
        let next = Kept { nominated: node.map(|name| self.name(name)), ..pod.clone() };
        self.replace(uid, Some(next));
    }

    /// The one place where what is known of a pod changes, so that every count changes with it.
    fn replace(&mut self, uid: &str, next: Option<Kept>) {
        let (uid, before) = match self.pods.remove_entry(uid) {
            Some((uid, before)) => (uid, Some(before)),
            None if next.is_none() => return,
            None => (Arc::from(uid), None),
        };
        if before == next {
            self.pods.extend(next.map(|pod| (uid, pod)));
            return;
        }
        let plans = |pod: &Option<Kept>| pod.as_ref().and_then(|pod| pod.volumes.clone());
        if plans(&before) != plans(&next) {
            Arc::make_mut(&mut self.view.volumes).decide(&uid, plans(&next));
        }
        let turn = self.view.nominated.get(&uid).map(|before| (Arc::clone(&before.node), before.turn));
        if let Some(pod) = before {
            self.uids.remove(&pod.key);
            if let Some(slot) = pod.node.as_ref().and_then(|name| self.slots.get(name)).copied() {
                // Taking it off and putting it on again is left out when nothing that counts there changes.
                let stays = next
                    .as_ref()
                    .is_some_and(|next| (&next.node, &next.claim, next.unread) == (&pod.node, &pod.claim, pod.unread));
                if let Some(member) = (!stays).then(|| self.touch(slot)).flatten() {
                    let was_there = member.node.remove(&uid);
                    member.unread.remove(&pod.key);
                    if was_there {
                        self.note(LogChange::Went(slot as usize, Arc::clone(&pod.claim)));
                    }
                }
                self.release(slot);
            } else {
                self.forget_nomination(&uid, &pod);
            }
        }
        let Some(pod) = next else {
            return;
        };
        self.uids.insert(Arc::clone(&pod.key), Arc::clone(&uid));
        match &pod.node {
            Some(name) => {
                let slot = self.slot(name);
                let there = self.view.slot(slot).and_then(|member| member.node.pod(&uid));
                let (occupant, came) = (pod.occupant(), there.is_none());
                if there != Some(&occupant)
                    && let Some(member) = self.touch(slot)
                {
                    let before = taken(&member.node);
                    member.node.hold(Arc::clone(&uid), occupant);
                    let other = taken(&member.node) != before;
                    if pod.unread {
                        member.unread.insert(Arc::clone(&pod.key));
                    }
                    if came {
                        self.note(LogChange::Came(slot as usize, Arc::clone(&pod.claim)));
                    } else if other {
                        self.note(LogChange::Load(slot as usize));
                    }
                }
            }
            None => self.keep_nomination(&uid, &pod, turn),
        }
        self.pods.insert(uid, pod);
    }

    /// Whoever was nominated for the same node before keeps its turn.
    fn keep_nomination(&mut self, uid: &Arc<str>, pod: &Kept, before: Option<(Arc<str>, u64)>) {
        if let Some(node) = &pod.nominated {
            let turn = before.filter(|(before, _)| before == node).map_or(self.turn, |(_, turn)| turn);
            self.turn = self.turn.max(turn + 1);
            let (node, claim, priority) = (Arc::clone(node), Arc::clone(&pod.claim), pod.priority);
            let nominated = Nominated { key: Arc::clone(&pod.key), node, priority, claim, turn };
            Arc::make_mut(&mut self.view.nominated).insert(Arc::clone(uid), nominated);
        }
    }

    fn forget_nomination(&mut self, uid: &str, pod: &Kept) {
        if pod.nominated.is_some() {
            Arc::make_mut(&mut self.view.nominated).remove(uid);
        }
    }

    /// The shared text of a node's name.
    fn name(&self, name: &str) -> Arc<str> {
        self.slots.get_key_value(name).map_or_else(|| name.into(), |(known, _)| Arc::clone(known))
    }

    fn slot(&mut self, name: &str) -> u32 {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let member = Member { node: Node::new(name, []), ..Member::default() };
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(empty) = self.touch(slot) {
                    *empty = member;
                }
                slot
            }
            None => u32::try_from(self.view.slots.push(member)).unwrap_or(u32::MAX),
        };
        self.slots.insert(name.into(), slot);
        slot
    }

    /// A member, to change; whoever changes what counts there notes it.
    fn touch(&mut self, slot: u32) -> Option<&mut Member> {
        self.view.slots.get_mut(slot as usize)
    }

    fn note(&mut self, change: LogChange) {
        self.log.write(change, 1_024 + 4 * self.view.slots.len());
    }

    /// Frees the slot of a node that does not exist and holds nothing.
    fn release(&mut self, slot: u32) {
        let empty = self.view.slot(slot).filter(|member| !member.known && member.node.pod_count() == 0);
        if let Some(name) = empty.map(|member| member.node.name.clone())
            && self.slots.remove(name.as_str()).is_some()
        {
            self.free.push(slot);
        }
    }
}

/// The slots are those of [`View::slot`]; changes are forgotten after four of every node.
impl Nodes for State {
    fn slots(&self) -> usize {
        self.view.slots.len()
    }

    fn node(&self, slot: usize) -> Option<&Node> {
        self.view.node_at(u32::try_from(slot).ok()?)
    }

    fn empty_slots(&self) -> usize {
        self.view.slots.len() - self.nodes
    }

    fn claims(&self, slot: usize) -> impl Iterator<Item = &Arc<Claim>> {
        let member = u32::try_from(slot).ok().and_then(|slot| self.view.slot(slot));
        member.into_iter().flat_map(|member| member.node.shared_claims())
    }

    fn namespaces(&self) -> &Namespaces {
        &self.view.namespaces
    }

    fn network(&self) -> &Network {
        &self.view.network
    }

    fn log(&self) -> &Log {
        &self.log
    }
}

#[cfg(test)]
mod tests;
