//! Whether a node has room.
//!
//! First the number of pods, then each resource the pod asks for. A resource of which nothing is asked is never short,
//! even on an overcommitted node; the number of pods counts even for a pod that asks nothing. What the pod's layout leaves
//! to other schedulers is not there for it.
//!
//! Promise: every shortfall is returned, so that mending the first does not uncover a second.

use keelson_core::ResourceName;
use keelson_core::resources::Shortfall;

use crate::filter::Failure;
use crate::node::Node;
use crate::pod::Pod;

/// Everything of which the node has too little for `pod`, pods first, then in the order of resources.
#[must_use]
pub fn shortfalls(pod: &Pod, node: &Node) -> Vec<Failure> {
    let allowed = allowed(pod, node);
    let running = i64::try_from(node.pod_count()).unwrap_or(i64::MAX);
    let crowded = (running >= allowed).then(|| {
        let left = node.allocatable.get(&ResourceName::Pods).saturating_sub(allowed);
        Failure::TooManyPods { running, allowed, left }
    });
    let short = pod.requests.iter().filter(|(name, _)| is_counted(name)).filter_map(|(name, needed)| {
        let free = free(pod, node, name);
        (needed > 0 && needed > free).then(|| {
            let offered = node.allocatable.get(name);
            let left = pod.layout.left(offered);
            let shortfall = Shortfall { name: name.clone(), needed, free };
            Failure::Insufficient { shortfall, allocatable: offered.saturating_sub(left), left }
        })
    });
    crowded.into_iter().chain(short).collect()
}

/// How many pods may run on the node.
fn allowed(pod: &Pod, node: &Node) -> i64 {
    let offered = node.allocatable.get(&ResourceName::Pods);
    offered.saturating_sub(pod.layout.left(offered))
}

/// How much of a resource is there for the pod.
fn free(pod: &Pod, node: &Node, name: &ResourceName) -> i64 {
    node.free(name).saturating_sub(pod.layout.left(node.allocatable.get(name)))
}

/// Whether the resources suffice that not every pod asks for.
#[must_use]
pub fn has_more(pod: &Pod, node: &Node) -> bool {
    let common = [ResourceName::Cpu, ResourceName::Memory, ResourceName::EphemeralStorage];
    let more = pod.requests.iter().filter(|(name, needed)| *needed > 0 && is_counted(name) && !common.contains(name));
    more.into_iter().all(|(name, needed)| needed <= free(pod, node, name))
}

/// Whether [`shortfalls`] would be empty.
#[must_use]
pub fn has_room(pod: &Pod, node: &Node) -> bool {
    i64::try_from(node.pod_count()).is_ok_and(|running| running < allowed(pod, node))
        && pod.requests.iter().all(|(name, needed)| !is_counted(name) || needed <= 0 || needed <= free(pod, node, name))
}

/// Whether a node has so much of it as it offers. Pods are counted themselves, and bandwidth has a ledger of its own
/// ([`crate::bandwidth`]).
fn is_counted(name: &ResourceName) -> bool {
    !matches!(name, ResourceName::Pods | ResourceName::Egress | ResourceName::Ingress)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::requests::PodRequests;

    fn pod(name: &str, cpu: i64, gpus: i64) -> Pod {
        let asked = [(ResourceName::Cpu, cpu), (ResourceName::from("nvidia.com/gpu"), gpus)];
        Pod::new("shop", name).requesting(&PodRequests::default().container(asked))
    }

    fn texts(pod: &Pod, node: &Node) -> Vec<String> {
        shortfalls(pod, node).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_shortfall_is_reported_with_its_numbers() {
        let node = Node::new("n", [(ResourceName::Cpu, 880), (ResourceName::Pods, 1)]).holding(&pod("a", 500, 0));
        assert_eq!(
            texts(&pod("b", 500, 2), &node),
            [
                "1 of 1 allowed pods run: short 1",
                "needs 500m cpu, 380m free: short 120m",
                "needs 2 nvidia.com/gpu, 0 free: short 2"
            ]
        );
    }

    #[test]
    fn a_pod_that_asks_nothing_fits_an_overcommitted_node_until_the_pods_run_out() {
        let full = Node::new("n", [(ResourceName::Cpu, 100), (ResourceName::Pods, 2)]).holding(&pod("a", 500, 0));
        assert!(full.free(&ResourceName::Cpu) < 0);
        assert_eq!(texts(&pod("b", 0, 0), &full), Vec::<String>::new());
        assert_eq!(texts(&pod("c", 0, 0), &full.holding(&pod("b", 0, 0))), ["2 of 2 allowed pods run: short 1"]);
    }

    #[test]
    fn a_pod_that_fills_the_node_to_the_brim_fits() {
        assert!(texts(&pod("a", 500, 0), &Node::new("n", [(ResourceName::Cpu, 500)])).is_empty());
    }
}
