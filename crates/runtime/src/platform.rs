//! Following the Platform.
//!
//! The object is watched, or a file that takes its place is read again when it changes. What was read is checked again,
//! and only good settings replace good settings.
//!
//! Promises: a change of mode or a pause takes effect as soon as the watch shows it; a broken Platform, and a file that is
//! gone, change nothing but the condition that says what is broken; without any Platform everything observes.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use keelson_api::{Platform, PlatformSpec, names};
use keelson_core::{DecisionId, Feature, ObjectRef, Reason, Verb};
use serde_json::Value;
use tokio::time::{Duration, sleep};

use crate::Runtime;
use crate::cache::Cache;
use crate::executor::Remark;
use crate::switch::Switch;

/// How often the file is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// The longest file that is read.
const LONGEST: u64 = 1 << 20;

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
    match read_file(path) {
        Ok(platform) => judged(platform.spec, platform.metadata.generation.unwrap_or_default()),
        Err(why) => Found::Bad(why, 0),
    }
}

/// The Platform in a file, in YAML or JSON; as strict as an API server.
///
/// # Errors
/// One sentence: the file is not there, too large, no Platform named default, or holds a field that there is not.
pub fn read_file(path: &Path) -> Result<Platform, String> {
    let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() as u64 > LONGEST {
        return Err(failed(&format!("it is longer than {LONGEST} bytes; a Platform has a few lines")));
    }
    let written: Value = serde_saphyr::from_str(&text).map_err(|error| failed(&error))?;
    let word = |pointer: &str| written.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    for (pointer, wanted) in
        [("/apiVersion", "keelson.dev/v1alpha1"), ("/kind", "Platform"), ("/metadata/name", names::PLATFORM)]
    {
        if word(pointer) != wanted {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            return Err(failed(&format!("{field} is {:?}; write {wanted}", word(pointer))));
        }
    }
    // From the text again: only a reader that wants a word takes YAML's Off for one.
    let platform: Platform = serde_saphyr::from_str(&text).map_err(|error| failed(&error))?;
    let known = serde_json::to_value(&platform).map_err(|error| failed(&error))?;
    match unknown(&written, &known, "") {
        Some(field) => Err(failed(&format!("there is no field {field}; see `kubectl explain platform.spec`"))),
        None => Ok(platform),
    }
}

/// The first field that was written and is not known. What is said of the object itself is not ours to judge.
fn unknown(written: &Value, known: &Value, at: &str) -> Option<String> {
    let (Value::Object(written), Value::Object(known)) = (written, known) else { return None };
    written.iter().filter(|(name, _)| !at.is_empty() || !matches!(name.as_str(), "metadata" | "status")).find_map(
        |(name, value)| {
            let field = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            match known.get(name) {
                Some(known) => unknown(value, known, &field),
                None => Some(field),
            }
        },
    )
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_judged_as_strictly_as_an_object() {
        let path = std::env::temp_dir().join(format!("keelson-{}-platform.yaml", std::process::id()));
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_file(&path).map(|platform| platform.spec.mode(Feature::Scheduling).to_string())
        };
        let head = "apiVersion: keelson.dev/v1alpha1\nkind: Platform\nmetadata: {name: default}\n";
        for mode in ["Enforce", "Off"] {
            assert_eq!(read(&format!("{head}spec: {{features: {{scheduling: {{mode: {mode}}}}}}}")).unwrap(), mode);
        }
        for (text, word) in [
            (head.replace("default", "other"), "metadata.name is \"other\"; write default"),
            (head.replace("Platform", "Platfrom"), "kind is \"Platfrom\""),
            (head.replace("v1alpha1", "v2"), "apiVersion"),
            (
                format!("{head}spec: {{features: {{scheduling: {{mod: Off}}}}}}"),
                "no field spec.features.scheduling.mod",
            ),
            (format!("{head}spec: {{features: {{schedulign: {{}}}}}}"), "no field spec.features.schedulign"),
            (format!("{head}spec: {{}}\nspce: {{}}"), "no field spce"),
            (format!("{head}spec: [broken"), "platform.yaml"),
            (format!("{head}# {}", "x".repeat(1 << 20)), "longer than 1048576"),
            (head.to_owned(), "spec"),
            (String::new(), "platform.yaml"),
        ] {
            let refused = read(&text).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
        let longest = format!("{head}spec: {{}}\n# ");
        assert!(
            read(&format!("{longest}{}", "x".repeat((1 << 20) - longest.len()))).is_ok(),
            "exactly as long as may be"
        );
        std::fs::remove_file(&path).unwrap();
        assert!(read_file(&path).unwrap_err().contains("platform.yaml"));
    }
}
