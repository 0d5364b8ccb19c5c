//! What came of a placement.
//!
//! A placement predicts that the pod will run on its node, and how much of the node will then be asked for. Later the pod
//! runs, or the kubelet refuses it, or somebody takes it away first; and the node holds what was said, or somebody else
//! put something there.
//!
//! A pod that runs is followed on for a while: the effect is told anew when its node was measured, and when the kubelet
//! takes the pod away again.
//!
//! Promises: every placement gets an effect, and another only when more is known of it; what this scheduler places on the
//! same node meanwhile is added to what it predicted, so that only others can make a prediction wrong; the memory is
//! bounded.

mod measuring;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use k8s_openapi::api::core::v1::{ContainerState, Pod as Written, PodStatus};
use keelson_cluster::View;
use keelson_core::{DecisionId, Effect, ResourceName, Resources, Span, Timestamp};
use keelson_placement::{Node, Pod};

use crate::used::NodeUse;

/// The resources whose shares are predicted: those that every node has and every score counts.
const PREDICTED: [ResourceName; 2] = [ResourceName::Cpu, ResourceName::Memory];
/// How far a share may be off, in thousandths of the node.
const TOLERANCE: i64 = 50;
/// A pod that does not run by then is an effect too.
const PATIENCE: Span = Span::minutes(10);
/// For how long a pod that runs is followed on, and how old a placement may be to be followed.
pub const AFTERMATH: Span = Span::hours(1);
/// How many placements are followed at once; the oldest is given up beyond that.
const FOLLOWED: usize = 20_000;

/// Shares of a node's resources, in thousandths.
pub type Shares = BTreeMap<ResourceName, i64>;

/// Requested of allocatable, in thousandths, once `pod` is on `node` as well.
#[must_use]
pub fn predicted(node: &Node, pod: &Pod) -> Shares {
    shares(node, |name| pod.requests.get(name))
}

fn shares(node: &Node, more: impl Fn(&ResourceName) -> i64) -> Shares {
    let offered = |name: &ResourceName| node.allocatable.get(name);
    PREDICTED
        .into_iter()
        .filter(|name| offered(name) > 0)
        .map(|name| {
            let asked = i128::from(node.requested().get(&name)) + i128::from(more(&name));
            let share = i64::try_from(asked * 1_000 / i128::from(offered(&name))).unwrap_or(i64::MAX);
            (name, share)
        })
        .collect()
}

/// Thousandths as people read them.
#[must_use]
pub fn percent(permille: i64) -> String {
    match permille % 10 {
        0 => format!("{} %", permille / 10),
        tenth => format!("{}.{} %", permille / 10, tenth.abs()),
    }
}

/// A placement that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The decision.
    pub decision: DecisionId,
    /// The node it named.
    pub node: String,
    /// When.
    pub at: Timestamp,
    /// The node's shares then; empty when they are not known any more.
    pub shares: Shares,
}

/// A placement, and how much this scheduler had added to its node by then.
#[derive(Debug, Clone)]
struct Open {
    placement: Placement,
    requests: Resources,
    added: Resources,
}

/// The placements that are followed, by the pod's uid.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    open: HashMap<String, Open>,
    /// The same by age.
    by_age: BTreeSet<(Timestamp, String)>,
    /// What this scheduler added to each node in all: only differences are used.
    added: HashMap<String, Resources>,
    /// Those whose pods ran.
    ran: HashMap<String, Ran>,
    /// The same in order, for forgetting.
    order: VecDeque<(Timestamp, String)>,
    /// Those of them whose nodes were not measured since, in order.
    unmeasured: VecDeque<(Timestamp, String)>,
}

/// A placement whose pod ran.
#[derive(Debug, Clone)]
struct Ran {
    open: Open,
    /// What its requests tell.
    requested: Effect,
    /// What was said last.
    said: Effect,
}

/// What effects are told from, besides the pod.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The cluster.
    pub view: &'a View,
    /// What its nodes use.
    pub used: &'a NodeUse,
}

impl Effects {
    /// Follows a placement. What it adds to its node is added to the other predictions for that node.
    pub fn placed(&mut self, pod: &Pod, placement: Placement) {
        let added = self.added.entry(placement.node.clone()).or_default();
        added.add_assign(&pod.requests);
        let open = Open { placement, requests: pod.requests.clone(), added: added.clone() };
        self.open(&pod.uid, open);
    }

    /// Follows a placement of an earlier leader. Its pod has come to its node, which is predicted to stay as it is then.
    pub fn placed_before(&mut self, uid: &str, node: &Node, requests: &Resources, placement: Placement) {
        let added = self.added.entry(placement.node.clone()).or_default();
        added.add_assign(requests);
        let (added, placement) = (added.clone(), Placement { shares: shares(node, |_| 0), ..placement });
        self.open(uid, Open { placement, requests: requests.clone(), added });
    }

    /// Follows a placement of which only the pod is left, after a restart.
    pub fn follow(&mut self, uid: &str, placement: Placement) {
        self.open(uid, Open { placement, requests: Resources::new(), added: Resources::new() });
    }

    fn open(&mut self, uid: &str, open: Open) {
        if self.open.len() >= FOLLOWED
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.open.remove(&oldest);
        }
        self.close(uid);
        self.by_age.insert((open.placement.at, uid.to_owned()));
        self.open.insert(uid.to_owned(), open);
    }

    fn close(&mut self, uid: &str) -> Option<Open> {
        let open = self.open.remove(uid)?;
        self.by_age.remove(&(open.placement.at, uid.to_owned()));
        Some(open)
    }

    /// The predicted shares of the node, with what this scheduler has added since.
    fn predicted(&self, open: &Open, node: &Node) -> Shares {
        let since = |name: &ResourceName| {
            let more = self.added.get(&node.name).map_or(0, |added| added.get(name) - open.added.get(name));
            more.saturating_mul(1_000) / node.allocatable.get(name).max(1)
        };
        open.placement.shares.iter().map(|(name, share)| (name.clone(), share + since(name))).collect()
    }

    /// Whether a placement of this pod is followed.
    #[must_use]
    pub fn follows(&self, uid: &str) -> bool {
        self.open.contains_key(uid)
    }

    /// The pod was not bound after all: there is nothing to measure.
    pub fn forget(&mut self, uid: &str) {
        let Some(open) = self.close(uid) else { return };
        if let Some(added) = self.added.get_mut(&open.placement.node) {
            *added = added.saturating_sub(&open.requests);
        }
    }

    /// The node is gone, and what was added to it.
    pub fn node_gone(&mut self, name: &str) {
        self.added.remove(name);
    }

    /// Looks at a pod that changed; the effect, once it can be told.
    pub fn changed(&mut self, pod: &Written, seen: &Seen, now: Timestamp) -> Option<(DecisionId, Effect)> {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let status = pod.status.as_ref();
        if self.ran.contains_key(uid) {
            return self.taken_away(uid, status?, now);
        }
        let open = self.open.get(uid)?;
        let placement = &open.placement;
        let bound_to = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).filter(|name| !name.is_empty())?;
        let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or_default();
        let after = now.since(placement.at);
        let effect = if bound_to != placement.node {
            let sentence = format!("Bound to {bound_to} instead of {}: another scheduler was faster.", placement.node);
            wrong(now, sentence)
        } else if phase == "Failed" && !status.is_some_and(has_run) {
            let reason = status.and_then(|status| status.reason.as_deref()).unwrap_or_default();
            let message = status.and_then(|status| status.message.as_deref()).unwrap_or_default();
            wrong(
                now,
                format!("Failed on {bound_to} after {after} without running: {reason} {message}").trim_end().into(),
            )
        } else if matches!(phase, "Running" | "Succeeded" | "Failed") {
            self.requested(open, seen.view, phase, now)
        } else {
            return None;
        };
        let open = self.close(uid)?;
        let decision = open.placement.decision;
        if phase != "Running" || effect.figures.is_empty() {
            return Some((decision, effect));
        }
        let said = measuring::not_yet(&effect, seen.used);
        self.follow_on(uid, Ran { open, requested: effect, said: said.clone() }, now);
        Some((decision, said))
    }

    fn follow_on(&mut self, uid: &str, ran: Ran, now: Timestamp) {
        self.ran.insert(uid.to_owned(), ran);
        self.unmeasured.push_back((now, uid.to_owned()));
        self.order.push_back((now, uid.to_owned()));
        let over = |(since, _): &(Timestamp, String)| now.since(*since) >= AFTERMATH;
        while self.order.len() > FOLLOWED || self.order.front().is_some_and(over) {
            let Some((_, uid)) = self.order.pop_front() else { break };
            self.ran.remove(&uid);
        }
    }

    /// Of a pod that ran: the effect, when its node gave it up. One that ends by itself says nothing about its place.
    fn taken_away(&mut self, uid: &str, status: &PodStatus, now: Timestamp) -> Option<(DecisionId, Effect)> {
        let ended = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
        let Ran { open: Open { placement, .. }, said, .. } = if ended { self.ran.remove(uid)? } else { return None };
        let reason = status.reason.as_deref().filter(|reason| !reason.is_empty())?;
        let (after, message) = (now.since(placement.at), status.message.as_deref().unwrap_or_default());
        let sentence = format!("{} {reason} by {} after {after}: {message}", said.sentence, placement.node);
        Some((placement.decision, Effect { at: now, sentence, as_predicted: Some(false), figures: said.figures }))
    }

    /// What the requests of its node tell of a pod that runs or ran.
    fn requested(&self, open: &Open, view: &View, phase: &str, now: Timestamp) -> Effect {
        let (node, after) = (&open.placement.node, now.since(open.placement.at));
        let mut sentence = format!("{phase} after {after}");
        let mut figures = BTreeMap::from([("running after".to_owned(), after.to_string())]);
        let Some(member) = view.member(node) else {
            return wrong(now, format!("{sentence} on {node}, which is gone."));
        };
        let (predicted, mut as_predicted) = (self.predicted(open, &member.node), true);
        for (name, share) in shares(&member.node, |_| 0) {
            figures.insert(format!("node {name} requested"), percent(share));
            // Of a pod that ended already its node holds nothing, so nothing can be compared.
            let Some(said) = predicted.get(&name).filter(|_| phase == "Running") else { continue };
            figures.insert(format!("node {name} said"), percent(*said));
            as_predicted &= (share - said).abs() <= TOLERANCE && share <= 1_000;
            let (share, said) = (percent(share), percent(*said));
            sentence.push_str(&format!("; {node} {name} requested at {share} (said {said})"));
        }
        sentence.push('.');
        Effect { at: now, sentence, as_predicted: Some(as_predicted), figures }
    }

    /// A pod is gone; the effect, when it never ran.
    pub fn deleted(&mut self, uid: &str, now: Timestamp) -> Option<(DecisionId, Effect)> {
        self.ran.remove(uid);
        let Open { placement, .. } = self.close(uid)?;
        let after = now.since(placement.at);
        Some((
            placement.decision,
            wrong(now, format!("Deleted or evicted after {after}, before it ran on {}.", placement.node)),
        ))
    }

    /// The placements whose pods take too long, by the pod's uid.
    pub fn overdue(&mut self, now: Timestamp) -> Vec<(String, (DecisionId, Effect))> {
        let mut effects = Vec::new();
        while self.by_age.first().is_some_and(|(at, _)| now.since(*at) >= PATIENCE)
            && let Some((_, uid)) = self.by_age.pop_first()
            && let Some(Open { placement, .. }) = self.open.remove(&uid)
        {
            let sentence = format!("Bound to {}, and not running after {PATIENCE}.", placement.node);
            effects.push((uid, (placement.decision, wrong(now, sentence))));
        }
        effects
    }

    /// How many placements are followed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// Whether a container of the pod was started.
fn has_run(status: &PodStatus) -> bool {
    let started = |state: &Option<ContainerState>| {
        state.as_ref().is_some_and(|state| {
            state.running.is_some() || state.terminated.as_ref().is_some_and(|ended| ended.started_at.is_some())
        })
    };
    status
        .container_statuses
        .iter()
        .flatten()
        .any(|container| started(&container.state) || started(&container.last_state))
}

fn wrong(at: Timestamp, sentence: String) -> Effect {
    Effect { at, sentence, as_predicted: Some(false), figures: BTreeMap::new() }
}

#[cfg(test)]
mod tests;
