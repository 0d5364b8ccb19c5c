//! What a switch would mean, in sentences: from what was last said about each pod in the last hour, and from who waits now.

use std::collections::BTreeMap;

use keelson_core::{Feature, Mode, Outcome, Reason, Verb};
use keelson_dashboard::view::{Count, Preview};

use crate::tally::{WINDOW, Word};

/// Says what a switch from one mode to another would mean. `waiting` is how many pods name Keelson and have no node now.
pub fn of<'a>(
    feature: Feature,
    (from, to): (Mode, Mode),
    words: impl Iterator<Item = &'a Word>,
    waiting: u64,
) -> Preview {
    let (mut by_verb, mut by_reason) = (BTreeMap::new(), BTreeMap::new());
    let (mut placed, mut not_placed, mut others) = (0, 0, 0);
    for word in words {
        *by_reason.entry(word.reason.to_string()).or_insert(0) += 1;
        match verb(word) {
            Verb::Compare => others += 1,
            Verb::Configure => {}
            verb => {
                let count = if verb == Verb::Place { &mut placed } else { &mut not_placed };
                *count += u64::from(word.reason != Reason::SchedulingGated);
                *by_verb.entry(verb.to_string()).or_insert(0) += 1;
            }
        }
    }
    let waiting_for_us = if from < Mode::Enforce { waiting } else { 0 };
    let pods = |count: u64| format!("{count} pod{}", if count == 1 { "" } else { "s" });
    let mut would = Vec::new();
    let mut say = |count: u64, sentence: String| would.extend((count > 0).then_some(sentence));
    match to {
        Mode::Enforce => {
            say(placed, format!("{} that name Keelson would have been bound to a node.", pods(placed)));
            say(not_placed, format!("{} would have stayed Pending, each with its reason.", pods(not_placed)));
            say(waiting_for_us, format!("{} wait now because nothing is enforced.", pods(waiting_for_us)));
            say(others, format!("{} of other schedulers stay theirs: they are only compared.", pods(others)));
        }
        Mode::Observe => {
            say(placed, format!("{} that name Keelson would not have been bound by anybody.", pods(placed)));
            would.push("Every pod is still decided and explained; nothing is written.".to_owned());
        }
        Mode::Off => {
            say(placed, format!("{} that name Keelson would not have been bound by anybody.", pods(placed)));
            would.push("Nothing is decided or recorded any more.".to_owned());
        }
    }
    let counts = |words: BTreeMap<String, u64>| words.into_iter().map(|(word, count)| Count { word, count }).collect();
    // Below Enforce nothing is done, whatever was said.
    let acts = to == Mode::Enforce;
    Preview {
        feature,
        from,
        to,
        window_us: WINDOW.0,
        actions: if acts { placed } else { 0 },
        would,
        by_verb: if acts { counts(by_verb) } else { Vec::new() },
        by_reason: counts(by_reason),
        waiting_for_us,
    }
}

/// What would be done about a pod, enforced: one that is held back with a node chosen would be placed.
fn verb(word: &Word) -> Verb {
    match (word.verb, word.reason, word.chosen) {
        (Verb::Wait, Reason::SchedulerNotEnforcing, true) => Verb::Place,
        (Verb::Place, ..) if word.outcome == Outcome::Failed => Verb::Wait,
        (verb, ..) => verb,
    }
}
