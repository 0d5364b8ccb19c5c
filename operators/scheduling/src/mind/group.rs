//! AppGroups placed as units.
//!
//! The pods of a group come one after the other, and where the first of them goes decides what the network costs all. So they
//! wait until as many are there as the group has (`spec.numMembers`), are placed together, and go one by one where the common
//! plan has them.
//!
//! Promises: while the wait lasts, every waiting pod of a group is given a node or none is; when it is over each is placed
//! alone, so that no pod waits for a group for ever; a plan binds nobody: a pod whose node cannot hold it any more goes
//! where it would go alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod as Written;
use keelson_cluster::Event;
use keelson_core::{Decision, DecisionId, Feature, Mode, ObjectRef, Reason, Span, Timestamp, Verb};
use keelson_placement::network::{GROUP_LABEL, Joint, NoPlace, Seat, place_group, steps_for};
use keelson_placement::{Classes, Pod};

use super::{Mind, is_gated};
use crate::decide::{Ask, CONTROLLER};
use crate::queue::{Waiting, Waits};

/// The API group of AppGroups.
const API_GROUP: &str = "appgroup.diktyo.x-k8s.io";
/// More pods than this are not placed together: the loop would stand still too long.
const MOST: usize = 500;

/// What is known of groups beside who calls whom.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    /// By `namespace/name`: how many pods each has when it is whole.
    declared: BTreeMap<String, u32>,
    /// By the group's name in its label: the pods that carry it.
    pods: BTreeMap<String, BTreeSet<String>>,
    /// The label of each of these pods, and whether it waits for a node.
    labels: HashMap<String, (String, bool)>,
    waits: BTreeMap<Arc<str>, Wait>,
    /// By uid: where a pod goes with its group.
    planned: HashMap<String, Planned>,
    /// How often something changed that may help a group.
    changes: u64,
}

/// A group whose pods wait.
#[derive(Debug, Clone)]
struct Wait {
    until: Timestamp,
    /// Whether it is over: each is placed alone.
    over: bool,
    /// That it found no place, and for whom there was none; at which change that was.
    failed: Option<(u64, String)>,
}

#[derive(Debug, Clone)]
struct Planned {
    node: String,
    decision: DecisionId,
}

impl Groups {
    /// A pod is new or changed.
    pub(super) fn seen(&mut self, uid: &str, pod: &Written) {
        let Some(name) = pod.metadata.labels.as_ref().and_then(|labels| labels.get(GROUP_LABEL)) else {
            return self.gone(uid);
        };
        let waits = pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none());
        let before = self.labels.insert(uid.to_owned(), (name.clone(), waits));
        if let Some((before, _)) = before.filter(|(before, _)| before != name) {
            self.parts(&before, uid);
        }
        self.pods.entry(name.clone()).or_default().insert(uid.to_owned());
        if !waits {
            self.planned.remove(uid);
            self.settle(name);
        }
    }

    /// A pod is gone.
    pub(super) fn gone(&mut self, uid: &str) {
        if let Some((name, _)) = self.labels.remove(uid) {
            self.planned.remove(uid);
            self.parts(&name, uid);
        }
    }

    fn parts(&mut self, name: &str, uid: &str) {
        if let Some(pods) = self.pods.get_mut(name) {
            pods.remove(uid);
            if pods.is_empty() {
                self.pods.remove(name);
            }
        }
        self.settle(name);
    }

    /// How many pods a group has at most: as many as carry its name.
    fn at_most(&self, group: &str) -> usize {
        let name = group.split_once('/').map_or(group, |(_, name)| name);
        self.pods.get(name).map_or(0, BTreeSet::len)
    }

    /// Ends the wait of groups of this name of which no pod waits.
    fn settle(&mut self, name: &str) {
        let mut pods = self.pods.get(name).into_iter().flatten();
        let waits = pods.any(|uid| self.labels.get(uid).is_some_and(|(_, waits)| *waits));
        if !waits {
            self.waits.retain(|group, _| group.rsplit_once('/').is_none_or(|(_, of)| of != name));
        }
    }

    /// Whatever was planned or waited for begins anew.
    pub(super) fn start_over(&mut self) {
        self.planned.clear();
        self.waits.clear();
    }

    /// Whatever was planned is planned anew. Who waits goes on waiting until the moment that was said: costs that are
    /// measured change every minute, and none of them may make the wait longer.
    fn plan_anew(&mut self) {
        self.planned.clear();
        self.waits.values_mut().for_each(|wait| wait.failed = None);
    }

    /// Something changed that may help a group.
    pub(super) const fn changed(&mut self) {
        self.changes += 1;
    }

    /// When the next wait is over.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.waits.values().filter(|wait| !wait.over).map(|wait| wait.until).min()
    }

    fn declare(&mut self, event: &Event) {
        match event {
            Event::GroupApplied(group) => {
                let (namespace, name) = &group.name;
                self.declared.insert(format!("{namespace}/{name}"), group.members);
            }
            Event::GroupDeleted((namespace, name)) => _ = self.declared.remove(&format!("{namespace}/{name}")),
            _ => {}
        }
    }
}

impl Mind {
    /// What an event says of groups, beside what the state keeps.
    pub(super) fn declare(&mut self, event: &Event) {
        self.groups.declare(event);
    }

    /// Groups or costs changed: what was planned is planned anew, and pods stand elsewhere in the queue.
    pub(super) fn groups_changed(&mut self, now: Timestamp) {
        self.groups.plan_anew();
        if !self.standing.decides() {
            return;
        }
        let pods = self.groups.labels.iter().filter(|(_, (_, waits))| *waits).map(|(uid, _)| uid);
        let mut pods: Vec<Waiting> = pods
            .filter(|uid| self.ours.contains(*uid))
            .filter_map(|uid| self.waiting(&self.unbound.get(uid)?.written))
            .collect();
        pods.sort_by(|a, b| a.uid.cmp(&b.uid));
        pods.into_iter().for_each(|waiting| self.queue.apply(waiting, now));
    }

    /// The groups of which pods wait, by `namespace/name`.
    #[must_use]
    pub fn waiting_groups(&self) -> BTreeSet<String> {
        let pods = self.groups.labels.iter().filter(|(_, (_, waits))| *waits);
        let pods = pods.filter_map(|(uid, _)| Some(&self.unbound.get(uid)?.read.pod));
        let network = self.state.live().network();
        pods.filter_map(|pod| Some(network.name_of(&pod.namespace, &pod.labels)?.to_string())).collect()
    }

    /// A pod's seat in its group.
    pub(super) fn seat(&self, pod: &Written) -> Option<Seat> {
        let labels = pod.metadata.labels.as_ref()?;
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        self.state.live().network().seat(namespace, labels)
    }

    /// A pod of a group came: those that wait for it are tried again, once as many as the group has may be there.
    pub(super) fn joined(&mut self, waiting: &Waiting, now: Timestamp) {
        let Some(seat) = &waiting.seat else { return };
        let declared = self.groups.declared.get(seat.group.as_ref());
        if declared.is_some_and(|whole| self.groups.at_most(&seat.group) >= *whole as usize) {
            self.wake_group(&seat.group.clone(), now);
        }
    }

    /// Ends the waits that are over.
    pub(super) fn groups_waited(&mut self, now: Timestamp) {
        if self.groups.due().is_none_or(|due| due > now) {
            return;
        }
        let over = self.groups.waits.iter_mut().filter(|(_, wait)| !wait.over && wait.until <= now);
        let over: Vec<Arc<str>> = over
            .map(|(group, wait)| {
                wait.over = true;
                Arc::clone(group)
            })
            .collect();
        over.iter().for_each(|group| self.wake_group(group, now));
    }

    fn wake_group(&mut self, group: &str, now: Timestamp) {
        let (unbound, network) = (&self.unbound, self.state.live().network());
        let is_of = |pod: &Pod| network.name_of(&pod.namespace, &pod.labels).as_deref() == Some(group);
        self.queue.changed(Waits::GROUP, now, |uid| unbound.get(uid).is_some_and(|pod| is_of(&pod.read.pod)));
    }

    /// Where a pod goes with its group, or that it waits for it: written into the ask. The decision that placed the group,
    /// when it is placed now.
    pub(super) fn together(&mut self, uid: &str, ask: &mut Ask) -> Option<Decision> {
        if self.standing.group_wait == Span::ZERO || !is_placed_together(ask) {
            return None;
        }
        let group = self.state.live().network().name_of(&ask.pod.namespace, &ask.pod.labels)?;
        let whole = *self.groups.declared.get(group.as_ref())? as usize;
        if whole > MOST {
            return None;
        }
        if let Some(planned) = self.groups.planned.get(uid) {
            ask.with_group = Some(planned.node.clone());
            ask.causes.push(planned.decision);
            return None;
        }
        let until = ask.now + self.standing.group_wait;
        let changes = self.groups.changes;
        let wait = self.groups.waits.entry(Arc::clone(&group)).or_insert(Wait { until, over: false, failed: None });
        if wait.over {
            return None;
        }
        let (until, failed) = (wait.until, wait.failed.clone().filter(|(at, _)| *at == changes));
        let alone = format!("each is placed alone from {until} on");
        // Nobody is looked at before enough are there.
        let (here, pods) = match self.groups.at_most(&group) {
            few if few < whole => (few, Vec::new()),
            _ => self.gathered(&group, ask),
        };
        if here < whole {
            ask.group_lacks = Some(format!("Waits for its group {group}: {here} of {whole} pods are there; {alone}."));
            return None;
        }
        if !(2..=MOST).contains(&pods.len()) {
            return None;
        }
        let found = match failed {
            Some((_, nobody)) => Err(nobody),
            None => self
                .plan_group(&pods, ask)
                .map_err(|NoPlace { pod }| pods.get(pod).map(|(_, pod)| pod.name.clone()).unwrap_or_default()),
        };
        match found {
            Ok(joint) => Some(self.group_planned(uid, &group, &pods, &joint, ask)),
            Err(nobody) => {
                let text =
                    format!("Waits with its group {group}: no node is left for {nobody} when the others have theirs");
                ask.group_lacks = Some(format!("{text}; {alone}."));
                if let Some(wait) = self.groups.waits.get_mut(&group) {
                    wait.failed = Some((changes, nobody));
                }
                None
            }
        }
    }

    /// How many pods of a group are there, and those that are to be placed now, by name.
    fn gathered(&self, group: &str, ask: &Ask) -> (usize, Vec<(String, Pod)>) {
        let network = self.state.live().network();
        let name = ask.pod.labels.get(GROUP_LABEL).map_or("", String::as_str);
        let (mut here, mut pods) = (0, Vec::new());
        for uid in self.groups.pods.get(name).into_iter().flatten() {
            let Some(claim) = self.state.claim_of(uid) else { continue };
            if network.name_of(&claim.namespace, &claim.labels).as_deref() != Some(group) {
                continue;
            }
            let unbound = self.unbound.get(uid).filter(|_| !self.state.is_assumed(uid));
            match unbound {
                None => here += 1,
                Some(pod) if is_gated(&pod.written) => {}
                Some(pod) => {
                    here += 1;
                    let ours = self.ours.contains(uid) && !self.refused.contains(uid);
                    if ours && Classes::serve(&pod.read.pod) && pod.read.problems.is_empty() {
                        pods.push((uid.clone(), self.complete(pod.read.clone()).pod));
                    }
                }
            }
        }
        pods.sort_by(|(_, a), (_, b)| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        (here, pods)
    }

    fn plan_group(&self, pods: &[(String, Pod)], ask: &Ask) -> Result<Joint, NoPlace> {
        let pods: Vec<Pod> = pods.iter().map(|(_, pod)| pod.clone()).collect();
        place_group(&pods, &self.state.live().snapshot_for(&ask.pod), steps_for(pods.len()), ask.seed)
    }

    /// Takes note of where everybody goes, and wakes those that wait for it.
    fn group_planned(
        &mut self,
        uid: &str,
        group: &Arc<str>,
        pods: &[(String, Pod)],
        joint: &Joint,
        ask: &mut Ask,
    ) -> Decision {
        let id = ask.decision.beside();
        let snapshot = self.state.live().snapshot_for(&ask.pod);
        let name = |index: &usize| snapshot.node(*index).map(|node| node.name.clone());
        let nodes: Vec<Option<String>> = joint.nodes.iter().map(name).collect();
        let used: BTreeSet<&str> = nodes.iter().flatten().map(String::as_str).collect();
        let decision = placed(id, group, pods.len(), used.len(), joint, ask);
        for ((pod, _), node) in pods.iter().zip(nodes) {
            let Some(node) = node else { continue };
            self.groups.planned.insert(pod.clone(), Planned { node, decision: id });
        }
        if let Some(planned) = self.groups.planned.get(uid) {
            ask.with_group = Some(planned.node.clone());
            ask.causes.push(id);
        }
        self.wake_group(group, ask.now);
        decision
    }
}

/// Whether a pod is of those that groups are made of: nothing keeps it from being tried, and it may be bound.
fn is_placed_together(ask: &Ask) -> bool {
    let stopped =
        ask.stands_back.is_some() || !ask.gates.is_empty() || !ask.problems.is_empty() || !ask.findings.is_empty();
    ask.settings.mode == Mode::Enforce && !stopped && ask.stays.is_none() && Classes::serve(&ask.pod)
}

fn placed(id: DecisionId, group: &str, pods: usize, nodes: usize, joint: &Joint, ask: &Ask) -> Decision {
    let (namespace, name) = group.split_once('/').unwrap_or_default();
    let subject = ObjectRef::namespaced("AppGroup", namespace, name).in_group(API_GROUP);
    let one_by_one = match joint.greedy {
        Some(cost) if cost > joint.cost => format!(", {cost} one after the other"),
        Some(_) => ", no less than one after the other".to_owned(),
        None => "; one after the other they would not all find a node".to_owned(),
    };
    let on = if nodes == 1 { "one node".to_owned() } else { format!("{nodes} nodes") };
    let sentence = format!("{pods} pods placed as a unit on {on}: their edges cost {}{one_by_one}.", joint.cost);
    let what = (Verb::Place, Reason::GroupPlaced);
    let mut decision = Decision::new((Feature::Scheduling, CONTROLLER), 0, subject, what, sentence, ask.now);
    decision.id = id;
    decision.plan = ask.plan;
    decision.mode = ask.settings.mode;
    decision.trigger = ask.trigger.clone();
    decision.inputs = [("pods", pods.to_string()), ("network cost", joint.cost.to_string())]
        .into_iter()
        .chain(joint.greedy.map(|cost| ("one after the other", cost.to_string())))
        .chain([("steps", joint.steps.to_string())])
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    decision
}

#[cfg(test)]
mod tests;
