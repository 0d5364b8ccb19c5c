//! Following the Platform.
//!
//! The object is watched, or a file that takes its place is read again when it changes. What was read is checked again,
//! and only good settings replace good settings.
//!
//! Promises: a change of mode or a pause takes effect as soon as the watch shows it; a broken Platform changes nothing
//! but the condition that says what is broken; without any Platform everything observes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keelson_api::{Platform, PlatformSpec, names};
use keelson_core::{DecisionId, Feature, ObjectRef, Reason, Verb};
use tokio::time::{Duration, sleep};

use crate::Runtime;
use crate::cache::Cache;
use crate::executor::Remark;
use crate::switch::Switch;

/// How often the file is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// Whether the last Platform could be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Verdict {
    /// What is wrong with it.
    pub(crate) refused: Option<String>,
    /// The generation that was judged.
    pub(crate) generation: i64,
}

/// A Platform as it was found.
enum Found {
    Good(Box<PlatformSpec>, i64),
    Bad(String, i64),
    None,
}

/// Follows the Platform until the process stops.
pub(crate) async fn follow(runtime: Runtime) {
    let cache: Cache<Platform> = runtime.optional_cache();
    let mut changes = cache.changes();
    cache.synced().await;
    let file = runtime.0.config.mode_file.clone();
    loop {
        changes.borrow_and_update();
        let from_file = file.as_deref();
        adopt(&runtime, from_file.map_or_else(|| in_cluster(&cache), in_file));
        if from_file.is_none() {
            runtime.0.switches.touch();
        }
        tokio::select! {
            biased;
            changed = changes.changed() => if changed.is_err() { return },
            () = sleep(GLANCE), if from_file.is_some() => {}
        }
    }
}

fn in_cluster(cache: &Cache<Platform>) -> Found {
    let object = cache.get("", names::PLATFORM);
    let generation = object.as_ref().and_then(|object| object.metadata.generation).unwrap_or_default();
    if let Some(why) = cache.broken("", names::PLATFORM) {
        return Found::Bad(why, generation);
    }
    match object {
        Some(object) => judged(object.spec.clone(), generation),
        None => Found::None,
    }
}

fn in_file(path: &Path) -> Found {
    let path: PathBuf = path.to_owned();
    let bad = |why: String| Found::Bad(format!("{}: {why}", path.display()), 0);
    match std::fs::read_to_string(&path) {
        Ok(text) => match serde_saphyr::from_str::<Platform>(&text) {
            Ok(platform) => judged(platform.spec, platform.metadata.generation.unwrap_or_default()),
            Err(error) => bad(error.to_string()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::None,
        Err(error) => bad(error.to_string()),
    }
}

fn judged(spec: PlatformSpec, generation: i64) -> Found {
    match spec.validate() {
        Ok(()) => Found::Good(Box::new(spec), generation),
        Err(error) => Found::Bad(error.to_string(), generation),
    }
}

fn adopt(runtime: &Runtime, found: Found) {
    let (spec, generation, refused) = match found {
        Found::Good(spec, generation) => (Some(spec), generation, None),
        Found::None => (Some(Box::default()), 0, None),
        Found::Bad(why, generation) => (None, generation, Some(why)),
    };
    let verdict = Verdict { refused, generation };
    runtime.0.verdict.send_if_modified(|before| {
        let changed = *before != verdict;
        if changed && let Some(why) = &verdict.refused {
            tracing::error!("the Platform cannot be used, the last good settings stay in force: {why}");
        }
        *before = verdict;
        changed
    });
    if let Some(spec) = spec {
        for feature in Feature::ALL {
            let before = runtime.0.switches.now(feature);
            let mode = spec.mode(feature).min(before.ceiling);
            let moves = before.leading && (mode, spec.paused(feature)) != (before.effective, before.paused);
            let moved_by = moves.then(|| runtime.decision_id());
            runtime.0.switches.change(feature, |switch| {
                switch.wanted = spec.mode(feature);
                switch.paused = spec.paused(feature);
                switch.generation = generation;
                switch.moved_by = moved_by.or(switch.moved_by);
            });
            if let Some(id) = moved_by {
                remember(runtime, feature, &before, id);
            }
        }
        runtime.0.settings.send_if_modified(|before| {
            let changed = **before != *spec;
            if changed {
                *before = Arc::from(spec);
            }
            changed
        });
    }
    runtime.0.known.send_if_modified(|known| !std::mem::replace(known, true));
}

/// A switch that was moved while this process leads belongs in the history.
fn remember(runtime: &Runtime, feature: Feature, before: &Switch, id: DecisionId) {
    let now = runtime.0.switches.now(feature);
    let (reason, sentence) = if now.effective != before.effective {
        (Reason::ModeChanged, format!("The mode of {feature} went from {} to {}.", before.effective, now.effective))
    } else if now.paused {
        (Reason::Paused, format!("{feature} is paused: every action is held."))
    } else {
        (Reason::Resumed, format!("{feature} is no longer paused."))
    };
    tracing::info!(%feature, "{sentence}");
    let subject = ObjectRef::cluster("Platform", names::PLATFORM).in_group(names::GROUP);
    let remark = Remark { id: Some(id), controller: "platform", subject, verb: Verb::Configure, reason, sentence };
    runtime.executor().remark(feature, remark);
}
