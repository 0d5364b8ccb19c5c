//! Which node a pod would rather have.
//!
//! Of cpu, memory and the two directions of its interface, a pod takes the largest share of a node in one: its dominant
//! share (Ghodsi et al., Dominant Resource Fairness, NSDI 2011). How safe that one is there is the score. So a pod that mostly
//! sends goes where the interface is free, whoever uses the cpu, and one that mostly computes where the cpu is, whoever uses
//! the interface: the two kinds come to share nodes, and neither strands what the other needs.
//!
//! How safe: `1 − (μ + σ)/2`, the share taken with the pod and the share by which it varies (LoadVariationRiskBalancing of
//! Trimaran, scheduler-plugins). What nobody measures does not vary.
//!
//! Promises: a pod that asks for no bandwidth gets nothing on any node; so does every pod on a node whose interface nobody
//! knows.

use crate::room::{Asked, Room};

/// The best a node gets.
const MAX: i128 = 100;
/// In this many parts a share is counted.
const PARTS: i128 = 1_000_000;

/// How safe the resource is of which the pod takes the largest share, 0 to 100; of equal shares the one that is least safe.
#[must_use]
#[inline]
pub fn safety(asked: &Asked, room: &Room) -> i64 {
    if asked.bandwidth == [0, 0] {
        return 0;
    }
    let [cpu, memory, _] = asked.requests;
    let [cpu_of, memory_of, _] = room.allocatable;
    let [cpu_taken, memory_taken, _] = room.requested;
    let compute = [(cpu, cpu_of, cpu_taken, 0), (memory, memory_of, memory_taken, 0)];
    let [out, back] = asked.bandwidth;
    let [out_of, back_of] = room.usable;
    let ([out_taken, back_taken], [out_varies, back_varies]) = (room.taken, room.varies);
    if out > 0 && out_of <= 0 || back > 0 && back_of <= 0 {
        return 0;
    }
    let network = [(out, out_of, out_taken, out_varies), (back, back_of, back_taken, back_varies)];
    let shares = compute.into_iter().chain(network).filter(|(asked, of, ..)| *asked > 0 && *of > 0);
    let scored = shares.map(|(asked, of, taken, varies)| {
        let safe = balanced_risk(i128::from(asked) + i128::from(taken), i128::from(varies), i128::from(of));
        (i128::from(asked) * PARTS / i128::from(of), -safe)
    });
    scored.max().map_or(0, |(_, safe)| i64::try_from(-safe).unwrap_or(0))
}

/// `⌊100·(1 − (μ + σ)/2)⌋`, both shares between nothing and all.
fn balanced_risk(mean: i128, deviation: i128, of: i128) -> i128 {
    let share = |part: i128| (part * PARTS / of).clamp(0, PARTS);
    MAX - ((share(mean) + share(deviation)) * MAX + 2 * PARTS - 1) / (2 * PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of LoadVariationRiskBalancing's tests, of capacity 100 and request 10, as listed in reference/scheduling.md.
    /// (Margin and sensitivity are 1 here, as they are by default; a deviation of 60 is theirs of 36 at sensitivity 2.)
    #[test]
    fn the_risk_is_trimarans() {
        let vectors = [(40, 36, 57), (-40, 60, 65), (200, 60, 20), (40, -36, 75), (40, 120, 25), (40, 0, 75)];
        for (mean, deviation, score) in vectors {
            assert_eq!(balanced_risk(mean.max(0) + 10, deviation, 100), score, "mean {mean}, deviation {deviation}");
        }
    }
}
