//! A pod as a choice sees it: what it asks, where it may go, and where it would like to go.
//!
//! Promise: only what the checks and scores read is here, so that pods that are equal in it are placed alike.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use keelson_core::Resources;
use serde::{Deserialize, Serialize};

use crate::affinity::{NodeTerm, PreferredTerm};
use crate::ports::HostPort;
use crate::requests::{NonZero, PodRequests};
use crate::taints::Toleration;

/// What a pod takes of its node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Claim {
    /// See [`Pod::requests`].
    pub requests: Resources,
    /// See [`Pod::non_zero`].
    pub non_zero: NonZero,
    /// See [`Pod::host_ports`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_ports: Vec<HostPort>,
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
    /// What must be free on a node; see [`PodRequests::total`].
    pub requests: Resources,
    /// What the scores count; see [`PodRequests::non_zero`].
    pub non_zero: NonZero,
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
    /// `spec.priority`.
    pub priority: i32,
}

impl Pod {
    /// A pod that asks nothing; its uid is `namespace/name` until [`Self::uid`] gives another.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            uid: format!("{namespace}/{name}"),
            requests: Resources::default(),
            non_zero: NonZero::default(),
            node_name: None,
            node_selector: BTreeMap::new(),
            required: None,
            preferred: Vec::new(),
            tolerations: Vec::new(),
            host_ports: Vec::new(),
            priority: 0,
        }
    }

    /// Whether both are alike in everything a choice looks at, so that one answer serves both.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        // What is not compared: whose it is, what it is called, and how urgent it is.
        let Self { requests, non_zero, node_name, node_selector, required, preferred, tolerations, host_ports, .. } =
            self;
        *requests == other.requests
            && *non_zero == other.non_zero
            && *node_name == other.node_name
            && *node_selector == other.node_selector
            && *required == other.required
            && *preferred == other.preferred
            && *tolerations == other.tolerations
            && *host_ports == other.host_ports
    }

    /// A number that is the same for all pods that are alike.
    #[must_use]
    pub fn likeness(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let of_node = (&self.node_name, &self.node_selector, &self.required, &self.preferred, &self.tolerations);
        (&self.requests, self.non_zero, of_node, &self.host_ports).hash(&mut hasher);
        hasher.finish()
    }

    /// What it takes of its node.
    #[must_use]
    pub fn claim(&self) -> Claim {
        Claim { requests: self.requests.clone(), non_zero: self.non_zero, host_ports: self.host_ports.clone() }
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
        self.non_zero = requests.non_zero();
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

    /// The same pod with this priority.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
}
