//! A pod as a choice sees it: what it asks, where it may go, and where it would like to go.
//!
//! Promise: only what the checks and scores read is here, so that pods that are equal in it are placed alike.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use keelson_core::selector::LabelSelector;
use keelson_core::{Resources, Timestamp};
use serde::{Deserialize, Serialize};

use crate::affinity::{NodeTerm, PreferredTerm};
use crate::layout::Layout;
use crate::network::GROUP_LABEL;
use crate::network::costs::{RACK, REGION, SEGMENT};
use crate::node::Node;
use crate::peers::{Labels, Namespaces, PodAffinity, PodTerm, WeightedPodTerm};
use crate::ports::HostPort;
use crate::requests::{NonZero, PodRequests};
use crate::spread::{HOSTNAME, SpreadConstraint, ZONE};
use crate::taints::{self, Taint, Toleration};
use crate::volumes::PodVolume;

/// What a pod takes of its node, and what others that come must know of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Claim {
    /// See [`Pod::requests`].
    pub requests: Resources,
    /// See [`PodRequests::non_zero`].
    pub non_zero: NonZero,
    /// See [`Pod::host_ports`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_ports: Vec<HostPort>,
    /// `metadata.namespace`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// `metadata.labels`.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Its rules about other pods.
    #[serde(default, skip_serializing_if = "PodAffinity::is_empty")]
    pub affinity: PodAffinity,
    /// See [`Pod::volumes`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<PodVolume>,
    /// Whether it is being deleted: it holds its room, and does not count for spreading.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

/// One pod, placed or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`: a recreated pod is another pod.
    pub uid: String,
    /// `metadata.labels`: what other pods' rules select it by.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// What must be free on a node; see [`PodRequests::total`].
    pub requests: Resources,
    /// What the score of free room counts of it; see [`PodRequests::to_come`].
    pub non_zero: NonZero,
    /// What it counts once the pod is there, where that is something else; see [`PodRequests::non_zero`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once_there: Option<NonZero>,
    /// `spec.nodeName`, when the pod names its node itself.
    pub node_name: Option<String>,
    /// `spec.nodeSelector`: every label must be there.
    pub node_selector: BTreeMap<String, String>,
    /// Required node affinity: one term must match; `None` asks nothing, an empty list matches no node.
    pub required: Option<Vec<NodeTerm>>,
    /// Preferred node affinity.
    pub preferred: Vec<PreferredTerm>,
    /// `spec.tolerations`.
    pub tolerations: Vec<Toleration>,
    /// The ports it takes on the node.
    pub host_ports: Vec<HostPort>,
    /// Its rules about other pods.
    #[serde(default, skip_serializing_if = "PodAffinity::is_empty")]
    pub affinity: PodAffinity,
    /// How it is spread with pods like it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spread: Vec<SpreadConstraint>,
    /// Whether those are the defaults of the cluster: nodes that lack one of their labels are scored by the others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spread_by_default: bool,
    /// The images of its containers, init containers and image volumes, with their tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// How many containers and init containers it has.
    #[serde(default)]
    pub containers: u16,
    /// What it mounts, as far as that says where it may run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<PodVolume>,
    /// `metadata.deletionTimestamp` is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// `spec.priority`.
    pub priority: i32,
    /// `spec.preemptionPolicy` is Never: nobody is evicted for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_preempts: bool,
    /// `status.nominatedNodeName`: where room is made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominated: Option<String>,
    /// `status.startTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Which nodes its scheduler has for it, and how much of each.
    #[serde(default, skip_serializing_if = "Layout::is_all")]
    pub layout: Layout,
}

impl Pod {
    /// A pod that asks nothing; its uid is `namespace/name` until [`Self::uid`] gives another.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            uid: format!("{namespace}/{name}"),
            labels: Labels::new(),
            requests: Resources::default(),
            non_zero: NonZero::default(),
            once_there: None,
            node_name: None,
            node_selector: BTreeMap::new(),
            required: None,
            preferred: Vec::new(),
            tolerations: Vec::new(),
            host_ports: Vec::new(),
            affinity: PodAffinity::default(),
            spread: Vec::new(),
            spread_by_default: false,
            images: Vec::new(),
            containers: 0,
            volumes: Vec::new(),
            leaving: false,
            priority: 0,
            never_preempts: false,
            nominated: None,
            started: None,
            layout: Layout::All,
        }
    }

    /// Whether both are alike in everything a choice looks at, so that one answer serves both.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.asked() == other.asked()
    }

    /// A number that is the same for all pods that are alike.
    #[must_use]
    pub fn likeness(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.asked().hash(&mut hasher);
        hasher.finish()
    }

    /// Everything a choice looks at. What is left out: what it is called, how urgent it is, what was
    /// done for it, and whether it is leaving.
    fn asked(&self) -> impl Hash + PartialEq + '_ {
        let of_node = (&self.node_name, &self.node_selector, &self.required, &self.preferred, &self.tolerations);
        let of_room = (&self.requests, self.non_zero, &self.host_ports);
        let of_peers = (&self.namespace, &self.labels, &self.affinity, &self.spread, self.spread_by_default);
        // A claim that is made for a pod is that pod's alone.
        let owned = self.volumes.iter().any(|volume| matches!(volume, PodVolume::Ephemeral(_)));
        let of_volumes = (&self.volumes, owned.then_some(&self.uid));
        (of_node, of_room, of_peers, of_volumes, &self.images, self.containers, &self.layout)
    }

    /// Whether another pod that comes, goes or changes may bear on where this one may go.
    #[must_use]
    pub fn minds(&self, other: &Claim, namespaces: &Namespaces) -> bool {
        let theirs = |term: &PodTerm| term.speaks_of(&other.namespace, &other.labels, namespaces);
        let counted = |spread: &SpreadConstraint| other.namespace == self.namespace && spread.selects(&other.labels);
        self.spread.iter().any(|spread| spread.hard && counted(spread))
            || self.affinity.required.iter().chain(&self.affinity.anti).any(theirs)
            || other.affinity.anti.iter().any(|term| term.speaks_of(&self.namespace, &self.labels, namespaces))
            || !(self.volumes.is_empty() || other.volumes.is_empty())
            || self.is_of_one_group_with(other)
    }

    /// Whether both name a group of the same name.
    fn is_of_one_group_with(&self, other: &Claim) -> bool {
        let group = self.labels.get(GROUP_LABEL);
        group.is_some() && group == other.labels.get(GROUP_LABEL)
    }

    /// Whether another pod bears on where this one may go or would rather go.
    #[must_use]
    pub fn regards(&self, other: &Claim, namespaces: &Namespaces) -> bool {
        let theirs = |term: &PodTerm| term.speaks_of(&other.namespace, &other.labels, namespaces);
        let ours = |term: &PodTerm| term.speaks_of(&self.namespace, &self.labels, namespaces);
        self.minds(other, namespaces)
            || self.spread.iter().any(|spread| spread.counts(&self.namespace, other))
            || self.affinity.preferred.iter().any(|preferred| theirs(&preferred.term))
            || other.affinity.drawing().any(|(_, term)| ours(term))
    }

    /// The taints that forbid it the node, in the node's order.
    pub fn forbidding<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Taint> + 'a {
        taints::forbidding(&self.tolerations, &node.taints).filter(|taint| !self.layout.tolerates(taint))
    }

    /// The labels of nodes that its rules about other pods and its group look at.
    pub fn topology_keys(&self) -> impl Iterator<Item = &str> {
        let places = self.labels.contains_key(GROUP_LABEL).then_some([REGION, ZONE, SEGMENT, RACK]);
        let spread = self.spread.iter().map(|spread| spread.topology_key.as_str());
        self.affinity.topology_keys().chain(spread).chain(places.into_iter().flatten())
    }

    /// What it takes of its node.
    #[must_use]
    pub fn claim(&self) -> Claim {
        Claim {
            requests: self.requests.clone(),
            non_zero: self.once_there.unwrap_or(self.non_zero),
            host_ports: self.host_ports.clone(),
            namespace: self.namespace.clone(),
            labels: self.labels.clone(),
            affinity: self.affinity.clone(),
            volumes: self.volumes.clone(),
            leaving: self.leaving,
        }
    }

    /// The same pod with this uid.
    #[must_use]
    pub fn uid(mut self, uid: &str) -> Self {
        self.uid = uid.into();
        self
    }

    /// The same pod with the requests of its spec.
    #[must_use]
    pub fn requesting(mut self, requests: &PodRequests) -> Self {
        self.requests = requests.total();
        self.non_zero = requests.to_come();
        self.once_there = Some(requests.non_zero()).filter(|there| *there != self.non_zero);
        self
    }

    /// The same pod, naming its node.
    #[must_use]
    pub fn on_node(mut self, name: &str) -> Self {
        self.node_name = Some(name.into());
        self
    }

    /// The same pod with one more label in its node selector.
    #[must_use]
    pub fn selecting(mut self, key: &str, value: &str) -> Self {
        self.node_selector.insert(key.into(), value.into());
        self
    }

    /// The same pod with one more alternative of required node affinity.
    #[must_use]
    pub fn requiring(mut self, term: NodeTerm) -> Self {
        self.required.get_or_insert_default().push(term);
        self
    }

    /// The same pod with one more preference.
    #[must_use]
    pub fn preferring(mut self, weight: i32, term: NodeTerm) -> Self {
        self.preferred.push(PreferredTerm { weight, term });
        self
    }

    /// The same pod with one more toleration.
    #[must_use]
    pub fn tolerating(mut self, toleration: Toleration) -> Self {
        self.tolerations.push(toleration);
        self
    }

    /// The same pod with one more host port.
    #[must_use]
    pub fn port(mut self, port: HostPort) -> Self {
        self.host_ports.push(port);
        self
    }

    /// The same pod with one more label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The same pod, to run only where pods run that the term speaks of.
    #[must_use]
    pub fn with(mut self, term: PodTerm) -> Self {
        self.affinity.required.push(term);
        self
    }

    /// The same pod, to run only where no pod runs that the term speaks of.
    #[must_use]
    pub fn apart_from(mut self, term: PodTerm) -> Self {
        self.affinity.anti.push(term);
        self
    }

    /// The same pod, rather with the pods that the term speaks of, or apart from them when the weight is below zero.
    #[must_use]
    pub fn rather(mut self, weight: i32, term: PodTerm) -> Self {
        self.affinity.preferred.push(WeightedPodTerm { weight, term });
        self
    }

    /// The same pod with one more spread constraint.
    #[must_use]
    pub fn spreading(mut self, constraint: SpreadConstraint) -> Self {
        self.spread.push(constraint);
        self
    }

    /// The same pod, spread as the system's defaults of kube-scheduler 1.36 spread those that the selector speaks of: over
    /// nodes, and over zones.
    #[must_use]
    pub fn spreading_like(mut self, selector: &LabelSelector) -> Self {
        let soft = |key, skew| SpreadConstraint::new(key, skew, false, Some(selector.clone()));
        self.spread = vec![soft(HOSTNAME, 3), soft(ZONE, 5)];
        self.spread_by_default = true;
        self
    }

    /// The same pod with one more container of this image.
    #[must_use]
    pub fn image(mut self, name: &str) -> Self {
        self.images.push(name.into());
        self.containers = self.containers.saturating_add(1);
        self
    }

    /// The same pod with one more volume.
    #[must_use]
    pub fn mounting(mut self, volume: PodVolume) -> Self {
        self.volumes.push(volume);
        self
    }

    /// The same pod in this layout.
    #[must_use]
    pub fn in_layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// The same pod with this priority.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
}
