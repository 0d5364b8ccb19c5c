//! Where a pod's images are already.
//!
//! A node that has a large image of the pod spares pulling it. An image that few nodes have counts less, so that the pods
//! of one image do not all gather where its first one happened to start.
//!
//! Promise: the formula is that of ImageLocality in kube-scheduler 1.36.

use std::collections::BTreeMap;

use crate::node::Node;
use crate::pod::Pod;
use crate::score::MAX;

/// Less than this is as good as nothing, in bytes.
const LEAST: i64 = 23 << 20;
/// What counts of one container at most, in bytes.
const MOST: i64 = 1_000 << 20;

/// How many nodes have each of a pod's images, of how many nodes.
#[derive(Debug, Clone, Default)]
pub struct Holders<'a> {
    having: BTreeMap<&'a str, usize>,
    nodes: usize,
}

impl<'a> Holders<'a> {
    /// Counts. `O(nodes × images)`.
    #[must_use]
    pub fn count<'n>(pod: &'a Pod, nodes: impl ExactSizeIterator<Item = &'n Node>) -> Self {
        let mut having: BTreeMap<&str, usize> = pod.images.iter().map(|image| (image.as_str(), 0)).collect();
        let total = nodes.len();
        for node in nodes {
            for (image, count) in &mut having {
                *count += usize::from(node.images.contains_key(*image));
            }
        }
        Self { having, nodes: total }
    }

    /// Whether any node has any of them.
    pub(crate) fn any(&self) -> bool {
        self.having.values().any(|count| *count > 0)
    }

    /// 0 to 100: the bytes of the pod's images that the node has, each times the share of nodes that have it, between
    /// 23 MiB and 1000 MiB a container.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as the compared system computes")]
    pub fn score(&self, pod: &Pod, node: &Node) -> i64 {
        let share = |image: &str| self.having.get(image).copied().unwrap_or(0) as f64 / self.nodes.max(1) as f64;
        let here = pod.images.iter().filter_map(|image| Some((image, *node.images.get(image)?)));
        let bytes: i64 = here.map(|(image, bytes)| (bytes as f64 * share(image)) as i64).sum();
        let most = MOST * i64::from(pod.containers);
        if most <= LEAST { 0 } else { MAX * (bytes.clamp(LEAST, most) - LEAST) / (most - LEAST) }
    }
}

/// The name under which a node lists an image: without a tag it is the latest.
#[must_use]
pub fn normalised(name: &str) -> String {
    if name.rfind(':') <= name.rfind('/') { format!("{name}:latest") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: i64 = 1 << 20;

    /// `TestImageLocalityPriority` of kube-scheduler 1.36.
    #[test]
    fn the_score_is_upstreams() {
        let score = |pod: &Pod, nodes: &[Node]| -> Vec<i64> {
            let holders = Holders::count(pod, nodes.iter());
            nodes.iter().map(|node| holders.score(pod, node)).collect()
        };
        let held = Node::new("a", []).image("gcr.io/40:latest", 40 * MB).image("gcr.io/300:latest", 300 * MB);
        let other = Node::new("b", []).image("gcr.io/250:latest", 250 * MB);
        let pod = |images: &[&str]| images.iter().fold(Pod::new("a", "b"), |pod, name| pod.image(&normalised(name)));
        assert_eq!(score(&pod(&["gcr.io/40", "gcr.io/250"]), &[held.clone(), other.clone()]), [0, 5]);
        assert_eq!(score(&pod(&["gcr.io/40", "gcr.io/300"]), &[held, other]), [7, 0]);
        let huge = Node::new("c", []).image("gcr.io/4000:latest", 4_000 * MB);
        assert_eq!(score(&pod(&["gcr.io/4000"]), &[huge]), [100]);
        assert_eq!(score(&Pod::new("a", "b"), &[Node::new("d", [])]), [0]);
    }

    #[test]
    fn a_name_without_a_tag_means_the_latest() {
        assert_eq!(normalised("shop/cart"), "shop/cart:latest");
        assert_eq!(normalised("host:5000/cart"), "host:5000/cart:latest");
        assert_eq!(normalised("cart:v1"), "cart:v1");
        assert_eq!(normalised("root"), "root:latest");
    }
}
