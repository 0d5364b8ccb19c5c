//! A random cluster and pod from a seed.
//!
//! Each plugin's features live in a room of their own, which adds them to nodes, to pods and to the cluster. The vocabulary is
//! small (three zones, three apps, a few ports) so that things meet: a selector that never matches proves nothing.
//!
//! Promises: the same seed and mode give the same case; objects are what an API server could have stored; coverage.rs counts
//! which outcomes were reached, and a test holds that all of them were.

#![allow(clippy::indexing_slicing, reason = "a JSON object answers null for a field that it has not")]

mod basics;
mod disks;
mod images;
mod limits;
mod node_affinity;
mod pod_affinity;
mod ports;
mod priorities;
mod resources;
mod spread;
mod taints;
mod volumes;
mod words;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::dice::Dice;
use crate::feature::{Feature, Mode};
use crate::request::Request;

/// A case: what is asked, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The seed.
    pub seed: u64,
    /// What it may use.
    pub mode: Mode,
    /// What it uses.
    pub features: BTreeSet<Feature>,
    /// The question.
    pub request: Request,
}

/// Whose pod it is that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The one to judge.
    Judged,
    /// One on a node.
    Standing,
    /// One that waits for room on a node.
    Nominated,
}

/// A case under construction.
struct Making {
    dice: Dice,
    features: BTreeSet<Feature>,
    request: Request,
    /// Names that were given.
    count: u32,
    /// The sizes of images, which are the same on every node.
    sizes: Vec<i64>,
}

impl Making {
    fn uses(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// A name that no other object has.
    fn name(&mut self, start: &str) -> String {
        self.count += 1;
        format!("{start}-{}", self.count)
    }

    fn node_names(&self) -> Vec<String> {
        self.request.nodes.iter().filter_map(|node| node["metadata"]["name"].as_str()).map(str::to_owned).collect()
    }
}

/// The case of a seed.
#[must_use]
pub fn case(seed: u64, mode: Mode) -> Case {
    let mut dice = Dice::of(seed);
    let features = mode.features(&mut dice);
    let mut making = Making { dice, features, request: Request::default(), count: 0, sizes: Vec::new() };
    making.weigh_images();
    making.nodes();
    making.namespaces();
    making.classes();
    making.disks_at_hand();
    for role in making.roles() {
        let pod = making.pod(role);
        match role {
            Role::Judged => making.request.pod = pod,
            Role::Standing | Role::Nominated => making.request.pods.push(pod),
        }
    }
    making.limits();
    making.owners();
    making.budgets();
    Case { seed, mode, features: making.features, request: making.request }
}

impl Making {
    fn nodes(&mut self) {
        for number in 1..=self.dice.between(3, 12) {
            let mut node = self.plain_node(number);
            if self.uses(Feature::NodeResourcesFit) || self.uses(Feature::DefaultPreemption) {
                self.size(&mut node);
            }
            self.repel(&mut node);
            if self.uses(Feature::ImageLocality) {
                self.images_of(&mut node);
            }
            self.request.nodes.push(node);
        }
    }

    /// The pod to judge comes last: by then there is something to meet.
    fn roles(&mut self) -> Vec<Role> {
        let nodes = u32::try_from(self.request.nodes.len()).unwrap_or(1);
        // There must be somebody to evict.
        let crowd = if self.uses(Feature::DefaultPreemption) { 2 * nodes..=7 * nodes } else { nodes / 2..=4 * nodes };
        let mut roles = vec![Role::Standing; self.dice.times(*crowd.start(), *crowd.end()).len()];
        if self.uses(Feature::Nominated) {
            roles.extend(self.dice.times(1, 4).map(|_| Role::Nominated));
        }
        roles.push(Role::Judged);
        roles
    }

    fn pod(&mut self, role: Role) -> Value {
        let mut pod = self.plain_pod(role);
        if self.uses(Feature::NodeResourcesFit) {
            self.requests(&mut pod, role);
        }
        self.tolerate(&mut pod, role);
        if self.uses(Feature::NodeAffinity) {
            self.prefer_nodes(&mut pod);
        }
        if self.uses(Feature::NodePorts) {
            self.ports(&mut pod);
        }
        if self.uses(Feature::ImageLocality) {
            self.images(&mut pod);
        }
        if self.uses(Feature::PodTopologySpread) {
            self.spread(&mut pod);
        }
        if self.uses(Feature::InterPodAffinity) {
            self.pod_affinity(&mut pod, role);
        }
        self.volumes(&mut pod, role);
        self.rank(&mut pod, role);
        pod
    }
}

/// Adds an item to a list, which is made where there is none.
fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        other => *other = Value::Array(vec![item]),
    }
}

/// The items of a list.
fn items(list: &mut Value) -> impl Iterator<Item = &mut Value> {
    list.as_array_mut().into_iter().flatten()
}
