//! Which node a pod would rather have.
//!
//! Of cpu, memory and the two directions of its interface, a pod takes the largest share of a node in one: its dominant
//! share (Ghodsi et al., Dominant Resource Fairness, NSDI 2011). What is left of that one is the score. So a pod that mostly
//! sends goes where the interface is free, whoever uses the cpu, and one that mostly computes where the cpu is, whoever uses
//! the interface: the two kinds come to share nodes, and neither strands what the other needs.
//!
//! Promises: a pod that asks for no bandwidth gets nothing on any node; so does every pod on a node whose interface nobody
//! knows.

use crate::room::{Asked, Room};

/// The best a node gets.
const MAX: i128 = 100;

/// What is left of the resource of which the pod takes the largest share, 0 to 100; of equal shares the one that is left
/// least.
#[must_use]
#[inline]
pub fn left(asked: &Asked, room: &Room) -> i64 {
    if asked.bandwidth == [0, 0] {
        return 0;
    }
    let directions = asked.bandwidth.iter().zip(room.usable.iter().zip(&room.taken));
    if directions.clone().any(|(asked, (usable, _))| *asked > 0 && *usable <= 0) {
        return 0;
    }
    let [cpu, memory, _] = asked.requests;
    let [cpu_of, memory_of, _] = room.allocatable;
    let [cpu_taken, memory_taken, _] = room.requested;
    let compute = [(cpu, cpu_of, cpu_taken), (memory, memory_of, memory_taken)];
    let network = directions.map(|(asked, (usable, taken))| (*asked, *usable, *taken));
    let shares = compute.into_iter().chain(network).filter(|(asked, of, _)| *asked > 0 && *of > 0);
    let scored = shares.map(|(asked, of, taken)| {
        let (asked, of, taken) = (i128::from(asked), i128::from(of), i128::from(taken));
        let left = ((of - taken - asked) * MAX / of).clamp(0, MAX);
        (asked * 1_000_000 / of, -left)
    });
    scored.max().map_or(0, |(_, left)| i64::try_from(-left).unwrap_or(0))
}
