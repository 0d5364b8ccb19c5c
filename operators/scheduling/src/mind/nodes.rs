//! What the watch says of nodes, namespaces and budgets, and of the network between nodes.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use keelson_cluster::{Event, Member, ReadNode, read};
use keelson_core::Timestamp;

use super::Mind;
use crate::effect::Seen;
use crate::used::NodeUse;

/// Whether a node may hold pods now that it could not hold before.
fn may_hold_more(before: Option<&Member>, after: &ReadNode) -> bool {
    let Some(before) = before else { return true };
    let (old, new) = (&before.node, &after.node);
    new.allocatable.iter().any(|(name, amount)| amount > old.allocatable.get(name))
        || old.labels != new.labels
        || old.taints.iter().any(|taint| !new.taints.contains(taint))
        || (old.unschedulable && !new.unschedulable)
}

impl Mind {
    /// The nodes there are.
    pub fn nodes(&mut self, nodes: impl IntoIterator<Item = Arc<Node>>, now: Timestamp) {
        let mut listed = HashSet::new();
        for node in nodes {
            self.node(&node, now);
            listed.extend(node.metadata.name.clone());
        }
        let there = self.state.live().members().map(|member| member.node.name.clone());
        let gone: Vec<String> = there.filter(|name| !listed.contains(name)).collect();
        gone.iter().for_each(|name| self.node_gone(name, now));
    }

    /// A node is new or changed.
    pub fn node(&mut self, node: &Node, now: Timestamp) {
        let read = read::node(node);
        let before = self.state.member(&read.node.name);
        let places = before
            .is_none_or(|before| (&before.node.labels, &before.node.taints) != (&read.node.labels, &read.node.taints));
        let may_hold_more = may_hold_more(before, &read);
        let before = before.filter(|_| may_hold_more).map(|before| before.node.clone());
        let name = read.node.name.clone();
        self.pool_node(&read.node);
        self.state.apply(Event::NodeApplied(Box::new(read)));
        if may_hold_more {
            self.changed_on(&name, before.as_ref(), now);
        }
        if places {
            self.places_changed(now);
        }
    }

    /// What nodes use was heard anew, or why it was not.
    pub fn node_use(&mut self, used: Arc<NodeUse>, now: Timestamp) {
        self.used = used;
        let seen = Seen { view: self.state.live(), used: &self.used };
        self.measured.extend(self.effects.measured(&seen, now));
    }

    /// A node is gone.
    pub fn node_gone(&mut self, name: &str, now: Timestamp) {
        self.effects.node_gone(name);
        self.pool.gone(name);
        self.state.apply(Event::NodeDeleted { name: name.to_owned() });
        self.places_changed(now);
    }

    /// The namespaces there are; all others are gone.
    pub fn namespaces(&mut self, namespaces: impl IntoIterator<Item = Arc<Namespace>>, now: Timestamp) {
        let mut listed = HashSet::new();
        for namespace in namespaces {
            self.namespace(&namespace, now);
            listed.extend(namespace.metadata.name.clone());
        }
        let gone: Vec<String> =
            self.state.live().namespaces().keys().filter(|name| !listed.contains(*name)).cloned().collect();
        gone.iter().for_each(|name| self.namespace_gone(name, now));
    }

    /// A namespace is new or changed: other pods are spoken of by its labels.
    pub fn namespace(&mut self, namespace: &Namespace, now: Timestamp) {
        let name = namespace.metadata.name.clone().unwrap_or_default();
        let labels = namespace.metadata.labels.clone().unwrap_or_default();
        if self.state.live().namespaces().get(&name) != Some(&labels) {
            self.state.apply(Event::NamespaceApplied { name, labels });
            self.places_changed(now);
        }
    }

    /// The disruption budgets there are; all others are gone.
    pub fn budgets(&mut self, budgets: impl IntoIterator<Item = Arc<PodDisruptionBudget>>) {
        let before: Vec<String> = self.state.live().budgets().keys().cloned().collect();
        let listed: HashSet<String> = budgets.into_iter().map(|budget| self.budget(&budget)).collect();
        before.into_iter().filter(|key| !listed.contains(key)).for_each(|key| self.budget_gone(key));
    }

    /// A disruption budget is new or changed; its `namespace/name`. Nobody waits for it: no budget forbids an eviction that
    /// priority asks for.
    pub fn budget(&mut self, budget: &PodDisruptionBudget) -> String {
        let budget = read::budget(budget);
        let key = budget.key();
        self.state.apply(Event::BudgetApplied(Box::new(budget)));
        key
    }

    /// A disruption budget is gone.
    pub fn budget_gone(&mut self, key: String) {
        self.state.apply(Event::BudgetDeleted { key });
    }

    /// Something about groups or the costs between places: a pod that was too far from others may not be any more.
    pub fn network(&mut self, event: Event, now: Timestamp) {
        let before = self.state.view();
        self.declare(&event);
        self.state.apply(event);
        if before.network() != self.state.live().network() {
            self.places_changed(now);
            self.groups_changed(now);
        }
    }

    /// A namespace is gone.
    pub fn namespace_gone(&mut self, name: &str, now: Timestamp) {
        self.state.apply(Event::NamespaceDeleted { name: name.to_owned() });
        self.places_changed(now);
    }
}
