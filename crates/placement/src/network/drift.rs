//! Moves that pay.
//!
//! A group that was well placed drifts: pods come and go, nodes too. A move is proposed when it saves more than it disturbs;
//! each one is worked out with those before it carried out, because the second may be pointless after the first. Nothing is
//! moved here.
//!
//! Promises: every move passes every check, and makes no other pod of the group wrong where it is; each saves at least the
//! threshold.

use super::board::Board;
use crate::pod::Pod;
use crate::snapshot::Snapshot;

/// One pod that should move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which of the pods.
    pub pod: usize,
    /// Its node, by its place in the snapshot.
    pub from: usize,
    /// Where it should be.
    pub to: usize,
    /// What its edges cost where it is.
    pub cost: i64,
    /// How much less they cost there.
    pub saving: i64,
}

/// The moves of running pods of one group, all of which the snapshot holds, that save at least `threshold` (1 or more), the
/// best first; no more than `most`.
#[must_use]
pub fn drift(pods: &[Pod], snapshot: &Snapshot<'_>, threshold: i64, most: usize) -> Vec<Move> {
    let mut board = Board::new(pods, snapshot);
    board.excuse();
    let mut moves = Vec::new();
    while moves.len() < most {
        let mut found: Vec<Move> = (0..pods.len()).filter_map(|pod| best(&mut board, pod)).collect();
        found.retain(|found| found.saving >= threshold.max(1));
        found.sort_by_key(|found| (std::cmp::Reverse(found.saving), found.pod));
        let sound = found.into_iter().find(|found| {
            board.put(found.pod, found.to);
            let sound = board.is_sound(&[found.pod]);
            if !sound {
                board.put(found.pod, found.from);
            }
            sound
        });
        let Some(next) = sound else { break };
        moves.push(next);
    }
    moves
}

/// Where the engine would place one of these pods if it came again, the others being where they are, and how much less its
/// edges cost there than where it is; `None` when it is nowhere, or could not be where it is.
#[must_use]
pub fn again(pods: &[Pod], snapshot: &Snapshot<'_>, pod: usize, seed: u64) -> Option<(usize, i64)> {
    let mut board = Board::new(pods, snapshot);
    let from = board.take(pod)?;
    let to = board.choice(pod, seed)?;
    let reach = board.reach(pod);
    let cost = |slot: usize| reach.iter().find(|(at, _)| *at == slot).map(|(_, cost)| *cost);
    Some((to, cost(from)? - cost(to)?))
}

/// Where a pod would be cheapest. One that could not be where it is (a taint that came later, say) is not judged: it has no
/// place to compare with.
fn best(board: &mut Board<'_>, pod: usize) -> Option<Move> {
    let from = board.take(pod)?;
    let reach = board.reach(pod);
    board.put(pod, from);
    let now = reach.iter().find(|(slot, _)| *slot == from).map(|(_, cost)| *cost)?;
    let (to, cost) = reach.into_iter().min_by_key(|(slot, cost)| (*cost, *slot != from, *slot))?;
    Some(Move { pod, from, to, cost: now, saving: now - cost })
}
