//! The Platform that an installation wishes for, and what became of the wish.
//!
//! Whoever installs Keelson says how it should start, and cannot make the Platform: its kind comes with the same
//! installation. So the controller makes it when there is none. From then on it is people's own: what they change there
//! stays, and when the installation's wish changes later, the difference is shown with the command that takes it over.
//!
//! Promises: a Platform that is there is never changed; only what the wish names is compared; the leader alone speaks, so
//! that two replicas with different wishes do not contradict each other, under its number and over the version that it read;
//! nothing is written while nothing changed.

use std::future::pending;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use keelson_api::{Platform, PlatformSpec, conditions, names};
use keelson_core::{Condition, ConditionStatus, Feature};
use keelson_runtime::{Runtime, read_platform_file};
use kube::Resource;
use kube::api::{PartialObjectMeta, Patch, PatchParams, PostParams, Request};
use serde_json::{Map, Value, json};

/// The condition that shows a difference.
pub const DIFFERS: &str = "ValuesDiffer";
/// The field manager of what is done here.
const MANAGER: &str = "keelson/handover";
/// Time to the next look after one that failed, or when nobody announces anything.
const GLANCE: Duration = Duration::from_secs(10);

/// How an installation wishes the Platform to be.
#[derive(Debug, Clone)]
pub struct Wish {
    platform: Platform,
    /// What was written, without defaults: only that is wished for.
    written: Value,
}

impl Wish {
    /// The wish in a file.
    ///
    /// # Errors
    /// What in it is no Platform, and the fix.
    pub fn read(path: &Path) -> Result<Self> {
        let platform = read_platform_file(path).map_err(|why| anyhow!("--initial-platform {why}"))?;
        platform.spec.validate().with_context(|| format!("--initial-platform {}", path.display()))?;
        let text = std::fs::read_to_string(path).with_context(|| format!("--initial-platform {}", path.display()))?;
        let written: Value = serde_saphyr::from_str(&text)?;
        Ok(Self { platform, written: written.get("spec").cloned().unwrap_or_default() })
    }

    /// What a Platform has otherwise, as the patch that would take the wish over, with a line for each field; none when
    /// it is as wished.
    fn differences(&self, there: &PlatformSpec) -> Option<(Value, Vec<String>)> {
        let (wished, there) =
            (serde_json::to_value(&self.platform.spec).ok()?, serde_json::to_value(there).unwrap_or_default());
        let mut lines = Vec::new();
        let patch = differing(&self.written, &wished, &there, "", &mut lines)?;
        Some((json!({"spec": patch}), lines))
    }

    /// The same as a condition.
    fn condition(&self, there: &PlatformSpec) -> Option<Condition> {
        let (patch, lines) = self.differences(there)?;
        let message = format!(
            "The installation's values differ from the Platform, which counts: {}. Take them over with: kubectl patch \
             platform {} --type=merge -p '{patch}'",
            lines.join(", "),
            names::PLATFORM
        );
        let (kind, reason) = (DIFFERS.to_owned(), "ChangedApart".to_owned());
        Some(Condition { kind, status: ConditionStatus::True, reason, message })
    }
}

/// The part of `wished` that was written and is otherwise in `there`.
fn differing(written: &Value, wished: &Value, there: &Value, at: &str, lines: &mut Vec<String>) -> Option<Value> {
    let Value::Object(fields) = written else {
        if wished == there {
            return None;
        }
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        lines.push(format!("{at} is {} there and {} here", word(wished), word(there)));
        return Some(wished.clone());
    };
    let mut patch = Map::new();
    for (name, below) in fields {
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        if let Some(part) = differing(below, &wished[name], &there[name], &at, lines) {
            patch.insert(name.clone(), part);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Sees to the wish until the process stops; without one there is nothing to see to.
pub async fn keep(wish: Option<Wish>, runtime: Runtime) {
    let (Some(wish), Some(first)) = (wish, Feature::ALL.first()) else { return pending().await };
    let cache = runtime.platform();
    let (mut changes, mut switch) = (cache.changes(), runtime.switch(*first));
    cache.synced().await;
    loop {
        changes.borrow_and_update();
        if switch.borrow_and_update().leading
            && let Err(error) = see_to(&wish, &runtime, *first).await
        {
            tracing::warn!("the installation's wish for the Platform: {error}");
        }
        let ended = tokio::select! {
            changed = changes.changed() => changed.is_err(),
            changed = switch.changed() => changed.is_err(),
            () = tokio::time::sleep(GLANCE) => false,
        };
        if ended {
            return pending().await;
        }
    }
}

async fn see_to(wish: &Wish, runtime: &Runtime, first: Feature) -> Result<(), kube::Error> {
    let (cache, requests) = (runtime.platform(), Request::new(Platform::url_path(&(), None)));
    let Some(there) = cache.get("", names::PLATFORM) else {
        // One that cannot be read is there all the same, and so may one be that the watch has not shown yet.
        if cache.broken("", names::PLATFORM).is_some() {
            return Ok(());
        }
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let body = serde_json::to_vec(&wish.platform).map_err(kube::Error::SerdeError)?;
        if sent(runtime, first, requests.create(&params, body)).await? {
            tracing::info!("made the Platform as the installation wishes it; it is people's own from now on");
        }
        return Ok(());
    };
    let stored = there.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
    let before: Vec<_> = stored.into_iter().filter(|condition| condition.type_ == DIFFERS).collect();
    let mut after = before.clone();
    match wish.condition(&there.spec) {
        Some(condition) => {
            let generation = there.metadata.generation.unwrap_or_default();
            conditions::set(&mut after, &condition, generation, runtime.clock().now());
        }
        None => after.clear(),
    }
    if after == before {
        return Ok(());
    }
    let intent = json!({
        "apiVersion": "keelson.dev/v1alpha1", "kind": "Platform",
        "metadata": {"name": names::PLATFORM, "resourceVersion": there.metadata.resource_version},
        "status": {"conditions": after},
    });
    let params = PatchParams::apply(MANAGER).force();
    let request = requests.patch_subresource("status", names::PLATFORM, &params, &Patch::Apply(intent));
    sent(runtime, first, request).await.map(drop)
}

/// Sends a write as the leader; says whether it was carried out. Whoever meets another object or another version looks again
/// when the watch shows it.
async fn sent(
    runtime: &Runtime,
    first: Feature,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<bool, kube::Error> {
    match runtime.send_as_leader::<PartialObjectMeta<Platform>>(first, request).await {
        Some(Ok(_)) => Ok(true),
        None => Ok(false),
        Some(Err(kube::Error::Api(status))) if status.code == 409 => Ok(false),
        Some(Err(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_core::Mode;

    use super::*;

    fn wish(spec: &str) -> Result<Wish> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("platform.yaml");
        let head = "apiVersion: keelson.dev/v1alpha1\nkind: Platform\nmetadata: {name: default}\n";
        std::fs::write(&path, format!("{head}spec: {spec}\n")).unwrap();
        Wish::read(&path)
    }

    #[test]
    fn a_difference_is_shown_with_the_command_that_takes_it_over() {
        let wish = wish("{features: {scheduling: {mode: Enforce, settings: {podMaxBackoffSeconds: 20}}}}").unwrap();
        let condition = wish.condition(&PlatformSpec::default()).unwrap();
        assert_eq!(
            condition.message,
            "The installation's values differ from the Platform, which counts: features.scheduling.mode is Enforce there \
             and Observe here, features.scheduling.settings.podMaxBackoffSeconds is 20 there and 10 here. Take them over \
             with: kubectl patch platform default --type=merge -p \
             '{\"spec\":{\"features\":{\"scheduling\":{\"mode\":\"Enforce\",\"settings\":{\"podMaxBackoffSeconds\":20}}}}}'"
        );
        assert_eq!(wish.condition(&wish.platform.spec), None);
    }

    #[test]
    fn what_the_wish_does_not_name_is_not_compared() {
        let wish = wish("{features: {scheduling: {mode: \"Off\"}}}").unwrap();
        let mut there = PlatformSpec::default();
        there.features.scheduling.mode = Mode::Off;
        there.features.scheduling.paused = true;
        assert_eq!(wish.differences(&there), None, "a pause is people's own");
    }

    #[test]
    fn a_wish_that_is_no_platform_is_refused_with_its_field() {
        let refused = wish("{features: {scheduling: {mod: Enforce}}}").unwrap_err().to_string();
        assert!(refused.contains("spec.features.scheduling.mod"), "{refused}");
        let refused = format!("{:#}", wish("{features: {scheduling: {settings: {schedulerName: \"\"}}}}").unwrap_err());
        assert!(refused.contains("schedulerName"), "{refused}");
    }
}
