//! Views out: the state at one version, for whoever must not stop the loop.
//!
//! Promise: a view never changes; making one costs a few pointers, whatever the size of the cluster.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keelson_core::{Rates, Resources};
use keelson_placement::volumes::VolumeKind;
use keelson_placement::{Budgets, Claim, Namespaces, Network, Node, Pod, Reserved, Snapshot, Volumes};

use crate::blocks::Blocks;
use crate::cell::Cell;
use crate::learned::Learned;
use crate::read::{Problem, ReadPod};
use crate::selectors::Selectors;

/// One node and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What placement looks at, with its pods, assumed ones included.
    pub node: Node,
    /// `status.capacity`.
    pub capacity: Resources,
    /// What its annotations say that its interface carries; what others know of it counts where they say nothing.
    pub carries: Rates,
    /// Whether the node reports Ready.
    pub ready: bool,
    /// Its zone.
    pub zone: Option<String>,
    /// Its instance type.
    pub instance_type: Option<String>,
    /// What of the node could not be read.
    pub problems: Vec<Problem>,
    /// `namespace/name` of the pods on it of which something could not be read: its sums are too small by that.
    pub unread: BTreeSet<Arc<str>>,
    pub(crate) known: bool,
}

impl Default for Member {
    fn default() -> Self {
        Self {
            node: Node::new("", []),
            capacity: Resources::default(),
            carries: Rates::default(),
            ready: false,
            zone: None,
            instance_type: None,
            problems: Vec::new(),
            unread: BTreeSet::new(),
            known: false,
        }
    }
}

/// A pod that room is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nominated {
    /// `namespace/name`.
    pub key: Arc<str>,
    /// Where the room is made.
    pub node: Arc<str>,
    /// Its priority.
    pub priority: i32,
    /// What it will take.
    pub claim: Arc<Claim>,
    /// Its place among all that were nominated, in the order in which that was heard of.
    pub turn: u64,
}

/// The state at one moment.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub(crate) slots: Blocks<Member>,
    pub(crate) namespaces: Arc<Namespaces>,
    pub(crate) network: Arc<Network>,
    pub(crate) nominated: Arc<BTreeMap<Arc<str>, Nominated>>,
    pub(crate) budgets: Arc<Budgets>,
    pub(crate) selectors: Arc<Selectors>,
    pub(crate) learned: Arc<Learned>,
    pub(crate) volumes: Arc<Volumes>,
    pub(crate) volume_problems: Arc<BTreeMap<(VolumeKind, String), Vec<Problem>>>,
}

impl View {
    /// The nodes that exist; the order means nothing and may differ between two views.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.slots.iter().filter(|member| member.known)
    }

    /// One node by name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members().find(|member| member.node.name == name)
    }

    /// The node in a slot; `None` when there is none now.
    #[must_use]
    pub fn slot(&self, slot: u32) -> Option<&Member> {
        self.slots.get(slot as usize)
    }

    /// The existing node in a slot.
    #[must_use]
    pub fn node_at(&self, slot: u32) -> Option<&Node> {
        self.slot(slot).filter(|member| member.known).map(|member| &member.node)
    }

    /// The cluster as it is for `pod`: without itself, and with the room reserved that was made for others of its priority or
    /// more. Where room was made for the pod itself, those of its priority come after it that were nominated after it: were
    /// they in each other's way, each might wait for good for what was made for it (kube-scheduler 1.36 has them be).
    #[must_use]
    pub fn snapshot_for(&self, pod: &Pod) -> Snapshot<'_> {
        let mut nodes: Vec<_> = self.members().map(|member| Cow::Borrowed(&member.node)).collect();
        for node in nodes.iter_mut().filter(|node| node.claim(&pod.uid).is_some()) {
            node.to_mut().remove(&pod.uid);
        }
        let mut reserved: BTreeMap<usize, Vec<Reserved>> = BTreeMap::new();
        let own = self.nominated.get(pod.uid.as_str());
        let ahead = |(uid, other): &(&Arc<str>, &Nominated)| {
            let after = |own: &Nominated| own.node == other.node && own.turn < other.turn;
            let equal = || other.priority == pod.priority && !own.is_some_and(after);
            uid.as_ref() != pod.uid && (other.priority > pod.priority || equal())
        };
        for (uid, nominated) in self.nominated.iter().filter(ahead) {
            if let Some(index) = nodes.iter().position(|node| node.name == nominated.node.as_ref()) {
                let claim = Arc::clone(&nominated.claim);
                reserved.entry(index).or_default().push(Reserved { uid: Arc::clone(uid), claim });
            }
        }
        Snapshot {
            nodes,
            namespaces: Cow::Borrowed(self.namespaces.as_ref()),
            volumes: Cow::Borrowed(self.volumes.as_ref()),
            budgets: Cow::Borrowed(self.budgets.as_ref()),
            reserved,
            network: Cow::Borrowed(self.network.as_ref()),
        }
    }

    /// The labels of namespaces.
    #[must_use]
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// The disruption budgets.
    #[must_use]
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Which pods are of one kind, as Services and workloads say.
    #[must_use]
    pub fn selectors(&self) -> &Selectors {
        &self.selectors
    }

    /// What pods ask of the network that do not say it themselves.
    #[must_use]
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// A pod with what the cluster adds to it: how it is spread by default when it says nothing of that, and what its
    /// workload was seen to use.
    #[must_use]
    pub fn complete(&self, read: ReadPod) -> ReadPod {
        self.learned.complete(self.selectors.spread(read))
    }

    /// Whether room is made on a node.
    #[must_use]
    pub fn is_reserved(&self, node: &str) -> bool {
        self.nominated.values().any(|nominated| nominated.node.as_ref() == node)
    }

    /// Claims, volumes and what is known of them, with what was decided for assumed pods.
    #[must_use]
    pub fn volumes(&self) -> &Volumes {
        &self.volumes
    }

    /// The objects of storage of which something could not be read, by kind and name.
    #[must_use]
    pub fn volume_problems(&self) -> &BTreeMap<(VolumeKind, String), Vec<Problem>> {
        &self.volume_problems
    }

    /// Groups, and what places cost each other.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Whether room was made for a pod of at least this priority.
    #[must_use]
    pub fn has_nominations(&self, priority: i32) -> bool {
        self.nominated.values().any(|nominated| nominated.priority >= priority)
    }

    /// One row a node, by name.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells: Vec<_> = self.members().map(Cell::of).collect();
        cells.sort_by(|a, b| a.name.cmp(&b.name));
        cells
    }
}
