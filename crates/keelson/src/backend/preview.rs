//! What a switch would mean, in sentences.

use std::collections::BTreeMap;

use keelson_core::{Feature, Mode};
use keelson_dashboard::BackendError;
use keelson_dashboard::view::{Count, Preview};
use serde::Deserialize;
use serde_json::Value;

use crate::tally::WINDOW;

/// The scheduler's answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    last_hour: Hour,
}

#[derive(Debug, Deserialize)]
struct Hour {
    placed: u64,
    not_placed: u64,
    held_back: u64,
    same_choice: u64,
    other_choice: u64,
    not_judged: u64,
    by_reason: BTreeMap<String, u64>,
}

/// Reads the scheduler's answer and says what `to` would mean.
pub fn read(feature: Feature, from: Mode, to: Mode, told: Value) -> Result<Preview, BackendError> {
    let Told { last_hour: hour } = serde_json::from_value(told).map_err(|error| BackendError::Unavailable {
        message: format!("the feature's answer cannot be read: {error}"),
        fix: "Report this.".to_owned(),
    })?;
    let pods = |count: u64| format!("{count} pod{}", if count == 1 { "" } else { "s" });
    let mut would = Vec::new();
    let mut say = |count: u64, sentence: String| would.extend((count > 0).then_some(sentence));
    match to {
        Mode::Enforce => {
            say(hour.placed, format!("{} that name Keelson would have been bound to a node.", pods(hour.placed)));
            say(hour.not_placed, format!("{} would have stayed Pending, each with its reason.", pods(hour.not_placed)));
            say(hour.held_back, format!("{} wait now because nothing is enforced.", pods(hour.held_back)));
            let others = hour.same_choice + hour.other_choice + hour.not_judged;
            say(others, format!("{} of other schedulers stay theirs: they are only compared.", pods(others)));
        }
        Mode::Observe => {
            say(hour.placed, format!("{} that name Keelson would not have been bound by anybody.", pods(hour.placed)));
            would.push("Every pod is still decided and explained; nothing is written.".to_owned());
        }
        Mode::Off => {
            say(hour.placed, format!("{} that name Keelson would not have been bound by anybody.", pods(hour.placed)));
            would.push("Nothing is decided or recorded any more.".to_owned());
        }
    }
    Ok(Preview {
        feature,
        from,
        to,
        window_us: WINDOW.0,
        actions: if to == Mode::Enforce { hour.placed } else { 0 },
        would,
        by_verb: Vec::new(),
        by_reason: hour.by_reason.into_iter().map(|(word, count)| Count { word, count }).collect(),
        waiting_for_us: hour.held_back,
    })
}
