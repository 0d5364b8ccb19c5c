//! The cluster as one choice sees it.
//!
//! Nodes with what is on them, and what bears on pods besides. It borrows what it can: an existing cluster and one that is
//! only thought of are the same to the engine.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::network::Network;
use crate::node::Node;
use crate::peers::Namespaces;
use crate::pod::Claim;

/// Nodes and namespaces at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot<'a> {
    /// The nodes; their order means nothing.
    pub nodes: Vec<Cow<'a, Node>>,
    /// The labels of namespaces.
    pub namespaces: Cow<'a, Namespaces>,
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

    /// The same with the pods on a node that it is reserved for; `None` when it is for nobody.
    #[must_use]
    pub fn crowded(&self, index: usize) -> Option<Self> {
        let reserved = self.reserved.get(&index)?;
        let mut crowded = Self { reserved: BTreeMap::new(), ..self.clone() };
        let node = crowded.nodes.get_mut(index)?.to_mut();
        reserved.iter().for_each(|pod| node.hold(Arc::clone(&pod.uid), Arc::clone(&pod.claim)));
        Some(crowded)
    }

    /// A node by its place.
    #[must_use]
    pub fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index).map(AsRef::as_ref)
    }
}
