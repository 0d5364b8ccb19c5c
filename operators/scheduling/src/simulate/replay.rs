//! The running pods, placed again: the most urgent first, then the oldest, an AppGroup as a unit when its first pod's turn
//! comes.

use std::collections::{BTreeMap, HashSet};

use super::groups::{self, Members, Ways};
use super::report::Unplaced;
use super::trial::Trial;
use super::{Progress, Subject};

/// Places pods; what that came to for each group.
pub(super) fn replay(
    trial: &mut Trial,
    moves: &[&Subject],
    bound: &Members<'_>,
    seed: u64,
    progress: Progress<'_>,
) -> (Vec<Unplaced>, BTreeMap<String, Ways>) {
    let of_groups = groups::members(moves, &trial.state);
    let mut ways = BTreeMap::new();
    let mut unplaced: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut grouped: HashSet<String> = HashSet::new();
    for (done, pod) in moves.iter().enumerate() {
        progress("placing again", done, moves.len());
        if let Some((name, movable)) = groups::of(pod, &trial.state).and_then(|name| of_groups.get_key_value(&name))
            && grouped.insert(name.clone())
        {
            let all = bound.get(name).unwrap_or(movable);
            ways.insert(name.clone(), groups::place(trial, all, movable, seed));
        }
        if trial.state.node_of(&pod.ask.pod.uid).is_some() {
            continue;
        }
        trial.wait(pod);
        let decided = trial.place(&pod.sparing());
        if decided.node.is_none() {
            let sentence = decided.plan.decisions.first().map(|decision| decision.sentence.clone());
            unplaced.entry(sentence.unwrap_or_default()).or_default().push(pod.key());
        }
    }
    (unplaced.into_iter().map(|(reason, pods)| Unplaced { reason, pods }).collect(), ways)
}
