//! The cluster as one choice sees it.
//!
//! Nodes with what is on them, volumes, and what bears on pods besides. It borrows what it can: an existing cluster and one that is
//! only thought of are the same to the engine.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::budget::Budgets;
use crate::network::Network;
use crate::node::{Node, Occupant};
use crate::peers::Namespaces;
use crate::pod::Claim;
use crate::volumes::Volumes;

/// Nodes, namespaces and volumes at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot<'a> {
    /// The nodes; their order means nothing.
    pub nodes: Vec<Cow<'a, Node>>,
    /// The labels of namespaces.
    pub namespaces: Cow<'a, Namespaces>,
    /// Claims, volumes, and what is known of them.
    pub volumes: Cow<'a, Volumes>,
    /// What limits how many pods may be evicted.
    pub budgets: Cow<'a, Budgets>,
    /// Room that was made on a node, by its place, for pods that go first: none of it may be taken.
    pub reserved: BTreeMap<usize, Vec<Reserved>>,
    /// Who depends on whom, and what places cost each other.
    pub network: Cow<'a, Network>,
}

/// A nominated pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// Its uid.
    pub uid: Arc<str>,
    /// What it will take.
    pub claim: Arc<Claim>,
}

impl Reserved {
    /// The pod once it is there.
    #[must_use]
    pub fn arrived(&self) -> Occupant {
        Occupant::taking(Arc::clone(&self.claim))
    }
}

impl<'a> Snapshot<'a> {
    /// These nodes, and no namespace with labels.
    #[must_use]
    pub fn of<N: Borrow<Node>>(nodes: &'a [N]) -> Self {
        let nodes = nodes.iter().map(|node| Cow::Borrowed(node.borrow())).collect();
        Self { nodes, ..Self::default() }
    }

    /// The same with these namespaces.
    #[must_use]
    pub fn within(mut self, namespaces: &'a Namespaces) -> Self {
        self.namespaces = Cow::Borrowed(namespaces);
        self
    }

    /// The same with these budgets.
    #[must_use]
    pub fn allowing(mut self, budgets: &'a Budgets) -> Self {
        self.budgets = Cow::Borrowed(budgets);
        self
    }

    /// The same with these volumes.
    #[must_use]
    pub fn with_volumes(mut self, volumes: &'a Volumes) -> Self {
        self.volumes = Cow::Borrowed(volumes);
        self
    }

    /// The same with these groups and costs.
    #[must_use]
    pub fn over(mut self, network: &'a Network) -> Self {
        self.network = Cow::Borrowed(network);
        self
    }

    /// The nodes.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.nodes.iter().map(AsRef::as_ref)
    }

    /// A node by its place.
    #[must_use]
    pub fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index).map(AsRef::as_ref)
    }
}
