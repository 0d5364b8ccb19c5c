//! How much of what decisions saw is recorded.
//!
//! A recording holds every node, and takes as long as a hundred decisions where there are thousands. So it is nodes that are
//! counted: of 36 every decision is recorded, of 5,000 one in some seconds. What they take in the store is bounded there.
//!
//! Promise: a burst after a quiet time is recorded, and every cluster now and then, however large it is.

use keelson_core::{Span, Timestamp};

/// How many nodes a second, over all decisions that lead to actions: some hundredths of a processor.
const A_SECOND: i64 = 2_000;
/// How many at once, after a quiet time.
const AT_ONCE: i64 = 20_000;
/// What is counted are millionths of a node, so that nothing is lost between two moments that are close.
const NODE: i64 = Span::seconds(1).0;

/// What is left to be recorded, and when that was so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    left: i64,
    at: Timestamp,
}

impl Default for Recorded {
    fn default() -> Self {
        Self { left: AT_ONCE * NODE, at: Timestamp(0) }
    }
}

impl Recorded {
    /// Whether a decision that saw so many nodes is recorded.
    pub(super) fn takes(&mut self, nodes: usize, now: Timestamp) -> bool {
        let nodes = i64::try_from(nodes).unwrap_or(i64::MAX).saturating_mul(NODE);
        let gained = now.since(self.at).0.max(0).saturating_mul(A_SECOND);
        let left = self.left.saturating_add(gained).min(nodes.max(AT_ONCE * NODE));
        let takes = left >= nodes;
        *self = Self { left: if takes { left - nodes } else { left }, at: now };
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_nodes_are_recorded_a_second_and_all_of_them_now_and_then() {
        // In how many of thirty seconds with a thousand decisions each.
        let seconds = |nodes| {
            let mut recorded = Recorded::default();
            let mut in_second = |second: i64| {
                let at = |part: i64| Timestamp(second * 1_000_000 + part * 1_000);
                (0..1_000).filter(|part| recorded.takes(nodes, at(*part))).count() > 0
            };
            (1..=30).filter(|second| in_second(*second)).count()
        };
        assert_eq!(seconds(40), 30);
        assert_eq!(seconds(4_000), 15, "five at once, then one in two seconds");
        assert_eq!(seconds(30_000), 2, "the first after five seconds, then one in fifteen");
    }
}
