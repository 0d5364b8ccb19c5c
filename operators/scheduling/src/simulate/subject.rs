//! One pod of a cluster that was written down: waiting, movable, or staying where it is.
//!
//! Promise: nothing is moved that Keelson would not have placed, or whose place is a fact of its own.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::Pod as Written;
use keelson_cluster::read::Owner;
use keelson_cluster::{Event, ReadPod, State, View, read};
use keelson_core::{DecisionId, Mode, PlanId, Timestamp, Workload};
use keelson_placement::Network;
use keelson_placement::network::Rank;
use serde::{Deserialize, Serialize};

use super::report::RefusedField;
use crate::decide::{Ask, Moment, Settings};

/// The annotation of a mirror pod: the kubelet started it from a file of its node.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// How many pods a refused field names.
const NAMED: usize = 5;

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The question about it.
    pub ask: Ask,
    /// Its node.
    pub bound_to: Option<String>,
    /// The workload that made it, when that selects pods.
    owner: Option<Owner>,
    /// The workload that it belongs to, as a person would name it.
    belongs_to: Option<Workload>,
    /// When it was created, in microseconds.
    pub created: i64,
    /// Whether it is of its node, and started from a file there.
    is_static: bool,
}

/// What is asked about a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has no node: where would it go?
    Waits,
    /// It has one: where would it be?
    Moves,
    /// It has one, and stays there.
    Stays(Stays),
}

/// Why a pod stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stays {
    /// A DaemonSet has one on every node.
    Daemon,
    /// It is started from a file of its node.
    Static,
    /// Nothing would make it again.
    Alone,
    /// It is being deleted.
    Leaving,
    /// It uses a field that Keelson refuses.
    Refused,
    /// Something of it could not be read.
    Unread,
    /// Its node was not written down.
    NodeUnknown,
    /// A claim of it was not written down.
    ClaimUnknown,
    /// Its volume can be reached from one node alone.
    Pinned,
}

impl Stays {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daemon => "of a DaemonSet",
            Self::Static => "static pods of their node",
            Self::Alone => "owned by no workload that would make them again",
            Self::Leaving => "being deleted",
            Self::Refused => "with fields that Keelson refuses",
            Self::Unread => "of which something could not be read",
            Self::NodeUnknown => "on a node that is not in the dump",
            Self::ClaimUnknown => "with a claim that is not in the dump",
            Self::Pinned => "whose volume can be reached from their node alone",
        }
    }
}

impl Subject {
    /// A pod as it was written down; `None` for one that has ended.
    #[must_use]
    pub fn new(written: &Written) -> Option<Self> {
        let read = read::pod(written);
        if read.ended {
            return None;
        }
        let scheduler = written.spec.as_ref().and_then(|spec| spec.scheduler_name.clone()).unwrap_or_default();
        let settings = Settings::new(&scheduler, Mode::Enforce);
        let at = Moment { decision: DecisionId::nth(0), plan: PlanId::UNNAMED, now: Timestamp(0) };
        let (bound_to, owner, meta) = (read.bound_to.clone(), read.owner.clone(), &written.metadata);
        let belongs_to = read.workload.clone();
        let mut ask = Ask::new(written, read, settings, at);
        // What a pod of another scheduler says about Keelson's mode is not asked here.
        (ask.brief, ask.settings.mode) = (true, Mode::Enforce);
        let mirrored = meta.annotations.as_ref().is_some_and(|known| known.contains_key(MIRROR));
        Some(Self {
            is_static: mirrored || ask.owners.iter().any(|owner| owner.kind == "Node"),
            created: meta.creation_timestamp.as_ref().map_or(0, |time| time.0.as_microsecond()),
            bound_to,
            owner,
            belongs_to,
            ask,
        })
    }

    /// `namespace/name`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.ask.pod.namespace, self.ask.pod.name)
    }

    /// The workload that a person would name: the Deployment, or the controller; the pod itself without one.
    #[must_use]
    pub fn workload(&self) -> String {
        let name =
            |owner: &keelson_core::ObjectRef| format!("{} {}/{}", owner.kind, self.ask.pod.namespace, owner.name);
        self.ask.owners.last().map_or_else(|| format!("Pod {}", self.key()), name)
    }

    /// Adds what the cluster adds to it.
    pub(super) fn complete(&mut self, view: &View) {
        let (owner, workload) = (self.owner.clone(), self.belongs_to.clone());
        let read = ReadPod { owner, workload, ..ReadPod::of(self.ask.pod.clone(), None) };
        let read = view.complete(read);
        (self.ask.pod, self.ask.learned) = (read.pod, read.learned);
    }

    /// Mixes a seed into the lot.
    pub(super) const fn draw(&mut self, seed: u64) {
        self.ask.seed ^= seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// The same, evicting nobody.
    pub(super) fn sparing(&self) -> Self {
        let mut sparing = self.clone();
        sparing.ask.pod.never_preempts = true;
        sparing
    }

    /// The pod on a node, or nowhere.
    pub(super) fn at(&self, node: Option<&str>) -> Event {
        let read = ReadPod::of(self.ask.pod.clone(), node.map(str::to_owned));
        Event::PodApplied(Box::new(ReadPod { problems: self.ask.problems.clone(), ..read }))
    }

    pub(super) fn standing(&self, ground: &State) -> Standing {
        if self.bound_to.is_none() {
            return if self.ask.pod.leaving { Standing::Stays(Stays::Leaving) } else { Standing::Waits };
        }
        let why = self.stays(ground).or_else(|| self.held_by_volumes(ground));
        why.map_or(Standing::Moves, Standing::Stays)
    }

    /// Why it stays on its node, whatever its volumes are.
    pub(super) fn stays(&self, ground: &State) -> Option<Stays> {
        let owner = self.ask.owners.first().map(|owner| owner.kind.as_str());
        match owner {
            _ if self.is_static => Some(Stays::Static),
            Some("DaemonSet") => Some(Stays::Daemon),
            None => Some(Stays::Alone),
            _ if self.ask.pod.leaving => Some(Stays::Leaving),
            _ if !self.ask.findings.is_empty() => Some(Stays::Refused),
            _ if !self.ask.problems.is_empty() => Some(Stays::Unread),
            _ if self.bound_to.as_deref().is_some_and(|node| ground.member(node).is_none()) => Some(Stays::NodeUnknown),
            Some(_) => None,
        }
    }

    fn held_by_volumes(&self, ground: &State) -> Option<Stays> {
        let volumes = ground.live().volumes();
        for name in self.ask.pod.volumes.iter().filter_map(keelson_placement::PodVolume::claim) {
            let Some(claim) = volumes.claim(&self.ask.pod.namespace, name) else { return Some(Stays::ClaimUnknown) };
            let terms = volumes.volume(&claim.volume).and_then(|volume| volume.affinity.as_ref());
            let reaches = |terms: &Vec<keelson_placement::NodeTerm>| {
                let nodes = ground.live().members().filter(|known| terms.iter().any(|term| term.matches(&known.node)));
                nodes.take(2).count()
            };
            if terms.is_some_and(|terms| reaches(terms) < 2) {
                return Some(Stays::Pinned);
            }
        }
        None
    }
}

/// The places of the pods in the order in which the scheduler's queue would have them.
pub(super) fn in_order(pods: &[Subject], network: &Network) -> Vec<usize> {
    let group = |subject: &Subject| network.name_of(&subject.ask.pod.namespace, &subject.ask.pod.labels);
    let groups: Vec<_> = pods.iter().map(group).collect();
    let mut since: HashMap<_, i64> = HashMap::new();
    for (pod, group) in pods.iter().zip(&groups) {
        let first = since.entry((group, pod.ask.pod.priority)).or_insert(pod.created);
        *first = (*first).min(pod.created);
    }
    let mut ranked: Vec<(Rank, String, usize)> = pods
        .iter()
        .zip(&groups)
        .enumerate()
        .map(|(index, (pod, group))| {
            let first = since.get(&(group, pod.ask.pod.priority)).copied().unwrap_or(pod.created);
            (Rank::of(&pod.ask.pod, network, pod.created, first), pod.key(), index)
        })
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(.., index)| index).collect()
}

/// The fields that pods use and that are refused, most used first.
pub(super) fn refused_fields(pods: &[Subject]) -> Vec<RefusedField> {
    let mut fields: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for pod in pods {
        let mut seen: Vec<String> = Vec::new();
        for finding in &pod.ask.findings {
            let field = pattern(&finding.path);
            if !seen.contains(&field) {
                let (_, users) = fields.entry(field.clone()).or_insert_with(|| (finding.why.to_string(), Vec::new()));
                users.push(pod.key());
                seen.push(field);
            }
        }
    }
    let row = |(field, (why, mut users)): (String, (String, Vec<String>))| {
        users.sort();
        let pods = users.len();
        users.truncate(NAMED);
        RefusedField { field, why, pods, examples: users }
    };
    let mut rows: Vec<RefusedField> = fields.into_iter().map(row).collect();
    rows.sort_by(|a, b| b.pods.cmp(&a.pods).then_with(|| a.field.cmp(&b.field)));
    rows
}

/// A path without its indexes: `spec.volumes[].image`.
fn pattern(path: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in path.chars() {
        inside = inside && c != ']';
        if !inside || !c.is_ascii_digit() {
            text.push(c);
        }
        inside = inside || c == '[';
    }
    text
}
