//! How the Platform divides nodes with another scheduler: as the scheduler takes it, and what its status says of it.

use keelson_api::names;
use keelson_api::platform::{SchedulingLayout, SchedulingSettings};
use keelson_core::{Condition, ConditionStatus, Mode};
use keelson_placement::{Layout, Pool};

use crate::decide::{Settings, empty_pool};
use crate::mind::Mind;

/// The settings that bear on decisions.
pub(super) fn settings(platform: &SchedulingSettings, mode: Mode) -> Settings {
    let layout = platform.layout.map_or(Layout::All, |layout| divided(layout, platform.headroom_percent));
    let replaces = platform.layout == Some(SchedulingLayout::Replacement);
    Settings { layout, replaces, ..Settings::new(&platform.scheduler_name, mode) }
}

/// What of the nodes Keelson may use in a layout; `headroom_percent` is of Shared alone.
#[must_use]
pub fn divided(layout: SchedulingLayout, headroom_percent: i32) -> Layout {
    match layout {
        SchedulingLayout::Dedicated => Layout::Pool(Pool::new(names::POOL, names::SCHEDULING_POOL)),
        SchedulingLayout::Shared => match u8::try_from(headroom_percent) {
            Ok(percent) if percent > 0 => Layout::Headroom(percent),
            _ => Layout::All,
        },
        SchedulingLayout::Replacement => Layout::All,
    }
}

/// The reasons for which they are not divided as the layout wants them to be.
pub(super) const UNSOUND: [&str; 4] = ["LayoutNotSet", "NoPoolNodes", "PoolNotExclusive", "OtherSchedulerLeads"];

/// Whether nodes are divided as the layout wants them to be.
pub(super) fn condition(platform: &SchedulingSettings, mind: &Mind) -> Condition {
    let sound = |reason: &str, message: String| (ConditionStatus::True, reason.to_owned(), message);
    let not = |reason: &str, message: String| (ConditionStatus::False, reason.to_owned(), message);
    let (status, reason, message) = match (platform.layout, &mind.standing().settings.layout) {
        (None, _) => not(
            "LayoutNotSet",
            "spec.features.scheduling.settings.layout is not set: pods go to all of every node, as before there were \
             layouts, and so do another scheduler's. Set it to Dedicated, Shared or Replacement."
                .to_owned(),
        ),
        (Some(_), Layout::Pool(pool)) => {
            let (nodes, (open, named)) = (mind.pool().nodes(), mind.pool().open());
            let (Pool { key, value }, taint) = (pool, pool.taint());
            match (nodes, open) {
                (0, _) => not("NoPoolNodes", empty_pool(pool)),
                (_, 0) => {
                    sound("PoolExclusive", format!("All nodes of Keelson's pool have the taint {taint}: {nodes}."))
                }
                _ => not(
                    "PoolNotExclusive",
                    format!(
                        "Nodes of Keelson's pool without the taint that keeps other schedulers off: {open} of {nodes} \
                         ({named}). Taint them: kubectl taint nodes -l {key}={value} {taint} --overwrite"
                    ),
                ),
            }
        }
        (Some(SchedulingLayout::Replacement), _) => match &mind.standing().stands_back {
            Some(why) => not("OtherSchedulerLeads", format!("Nothing of default-scheduler's is bound: {why}.")),
            None => sound("Replaces", "No kube-scheduler leads: pods of default-scheduler are Keelson's.".to_owned()),
        },
        (Some(_), layout) => {
            sound("SharedNodes", format!("{} % of every node are left to other schedulers.", layout.headroom()))
        }
    };
    Condition { kind: "LayoutSound".into(), status, reason, message }
}

#[cfg(test)]
mod tests;
