//! The Platform's status: how each feature is doing, in the cluster's own words.
//!
//! The leader of a feature writes that feature's part; the leader of the first feature writes what is true of the platform
//! as a whole. Each part is applied by its own field manager, so leaders of different features do not meet.
//!
//! Promises: nothing is written while nothing changed, so a status never wakes its own writer; a failed write is tried
//! again.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition as Stored;
use keelson_api::platform::FeatureStatus;
use keelson_api::{Platform, conditions, names};
use keelson_core::{Condition, ConditionStatus, Feature, Mode, Span};
use kube::Resource;
use kube::api::{PartialObjectMeta, Patch, PatchParams, Request};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Runtime;
use crate::cache::Cache;
use crate::mandate::introduced;
use crate::switch::Switch;

/// How often what nobody announces (a cache falling behind) is looked at.
const GLANCE: Span = Span::seconds(10);
/// The shortest time between two writes. Two that both believe they lead may see different things and write over each other:
/// this is how fast.
const PAUSE: Span = Span::seconds(1);
/// The longest wait after a failed write.
const LONGEST: Span = Span::seconds(30);
/// The conditions of the whole platform that are written here.
const OURS: [&str; 4] = ["Ready", "SettingsAccepted", "InputUnavailable", "ObjectsSkipped"];
/// The field manager of the whole platform's part.
const MANAGER: &str = "keelson/runtime";

/// A part that was written, and over which version of the object: it is not written over the same one again, because the
/// watch may not have shown it yet.
type Written = BTreeMap<String, (Value, Option<String>)>;

/// Keeps the status until the process stops.
pub(crate) async fn keep(runtime: Runtime) {
    let cache: Cache<Platform> = runtime.optional_cache();
    cache.synced().await;
    // `platform::follow` touches the switches whenever the object has changed, after it has read it. Two tasks that wait
    // for one change would wake in an order that tokio draws by lot.
    let mut switches = runtime.0.switches.changes();
    let mut verdict = runtime.0.verdict.subscribe();
    let mut reported = runtime.0.reported.subscribe();
    let mut written = Written::new();
    let chance = runtime.0.chance.fork("platform status");
    let mut wait = Span::seconds(1);
    loop {
        switches.mark_unchanged();
        verdict.mark_unchanged();
        reported.mark_unchanged();
        let before = written.clone();
        let next = match write(&runtime, &cache, &mut written).await {
            Ok(()) => {
                wait = Span::seconds(1);
                if written != before {
                    sleep(PAUSE.to_std()).await;
                }
                GLANCE.to_std()
            }
            Err(error) => {
                tracing::warn!("the Platform's status was not written: {error}");
                wait = Span(wait.0.saturating_mul(2)).min(LONGEST);
                chance.jitter(wait).to_std()
            }
        };
        tokio::select! {
            biased;
            _ = switches.changed() => {}
            _ = verdict.changed() => {}
            _ = reported.changed() => {}
            () = sleep(next) => {}
        }
    }
}

async fn write(runtime: &Runtime, cache: &Cache<Platform>, written: &mut Written) -> Result<(), kube::Error> {
    let Some(platform) = cache.get("", names::PLATFORM) else { return Ok(()) };
    let status = platform.status.clone().unwrap_or_default();
    let mut over = platform.metadata.resource_version.clone();
    for feature in Feature::ALL {
        let switch = runtime.0.switches.now(feature);
        if !switch.leading {
            continue;
        }
        let there = status.features.clone().unwrap_or_default().entry(feature).clone();
        let wanted = FeatureStatus {
            mode: switch.effective,
            conditions: merged(runtime, &there.conditions, &of_feature(runtime, feature, &switch), switch.generation),
        };
        let is_there = status.features.is_some() && there == wanted;
        let part = json!({"features": {feature.as_str(): wanted}});
        let manager = names::field_manager(feature);
        let put = put(runtime, &mut over, written, &manager, part, is_there);
        runtime.0.switches.mandate(feature, switch.fence).act(put).await?;
    }
    let first = Feature::ALL.first().map(|first| (*first, runtime.0.switches.now(*first)));
    if let Some((feature, switch)) = first.filter(|(_, switch)| switch.leading) {
        let verdict = runtime.0.verdict.borrow().clone();
        let list = merged(runtime, &status.conditions, &of_platform(runtime), verdict.generation);
        let ours = status.conditions.iter().filter(|stored| OURS.contains(&stored.type_.as_str()));
        let is_there = ours.eq(&list) && status.observed_generation == Some(verdict.generation);
        let part = json!({"observedGeneration": verdict.generation, "conditions": list});
        let put = put(runtime, &mut over, written, MANAGER, part, is_there);
        runtime.0.switches.mandate(feature, switch.fence).act(put).await?;
    }
    Ok(())
}

/// Applies one part unless it is there already, and only over this version: a leader that does not know yet that it was
/// replaced has not seen what its successor wrote. Whoever meets another version looks again once the watch has shown it.
async fn put(
    runtime: &Runtime,
    over: &mut Option<String>,
    written: &mut Written,
    manager: &str,
    part: Value,
    is_there: bool,
) -> Result<(), kube::Error> {
    let wanted = (part, over.clone());
    if is_there || written.get(manager) == Some(&wanted) {
        return Ok(());
    }
    let intent = json!({
        "apiVersion": "keelson.dev/v1alpha1",
        "kind": "Platform",
        "metadata": {"name": names::PLATFORM, "resourceVersion": over},
        "status": wanted.0,
    });
    // The answer is not read as a Platform: the one that is there may be broken.
    let requests = Request::new(Platform::url_path(&(), None));
    // Forced: the status is ours alone, whatever an older version of us was called.
    let params = PatchParams::apply(manager).force();
    let request = requests.patch_subresource("status", names::PLATFORM, &params, &Patch::Apply(intent));
    match runtime.0.client.request::<PartialObjectMeta<Platform>>(introduced(request)?).await {
        Ok(now) => {
            written.insert(manager.to_owned(), wanted);
            *over = now.metadata.resource_version;
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error),
    }
}

/// The wanted conditions, with the transition times of those that are there already; others are gone.
fn merged(runtime: &Runtime, there: &[Stored], wanted: &[Condition], generation: i64) -> Vec<Stored> {
    let kept = |stored: &&Stored| wanted.iter().any(|condition| condition.kind == stored.type_);
    let mut list: Vec<Stored> = there.iter().filter(kept).cloned().collect();
    for condition in wanted {
        conditions::set(&mut list, condition, generation, runtime.clock().now());
    }
    list
}

fn condition(kind: &str, is: bool, reason: &str, message: impl Into<String>) -> Condition {
    let status = if is { ConditionStatus::True } else { ConditionStatus::False };
    Condition { kind: kind.to_owned(), status, reason: reason.to_owned(), message: message.into() }
}

/// What is said of a feature: the switch's own conditions, those of the executor, and what the feature reported.
fn of_feature(runtime: &Runtime, feature: Feature, switch: &Switch) -> Vec<Condition> {
    let mut list = Vec::new();
    if switch.wanted > switch.ceiling {
        let message = format!(
            "Mode {} is above the ceiling {}. Raise it with: helm upgrade keelson --reuse-values \
             --set features.{feature}.ceiling={}",
            switch.wanted, switch.ceiling, switch.wanted
        );
        list.push(condition("CeilingReached", true, "RightsNotGranted", message));
    }
    if switch.paused {
        let message =
            format!("Every action is held; decisions go on. Set spec.features.{feature}.paused to false to act.");
        list.push(condition("Paused", true, "PausedByUser", message));
    }
    if let Some(why) = &switch.breaker {
        list.push(condition("BreakerOpen", true, "ActionsDidHarm", why.clone()));
    }
    list.extend(runtime.executor().conflict_condition(feature));
    let reported = runtime.0.reported.borrow();
    for said in reported.get(&feature).into_iter().flatten() {
        list.retain(|there| there.kind != said.kind);
        list.push(said.clone());
    }
    if switch.effective == Mode::Off {
        list.retain(|there| there.kind != "Ready");
    }
    list
}

/// What is said of the platform as a whole.
fn of_platform(runtime: &Runtime) -> Vec<Condition> {
    let health = runtime.health();
    let named = |which: fn(&crate::cache::CacheHealth) -> bool| {
        let kinds: Vec<_> =
            health.caches.iter().filter(|cache| which(cache)).map(|cache| cache.kind.as_str()).collect();
        kinds.join(", ")
    };
    let behind = named(|cache| !cache.synced);
    let mut list = vec![if behind.is_empty() {
        condition("Ready", true, "Running", "Every cache is read.")
    } else {
        condition("Ready", false, "CachesNotRead", format!("Not read yet: {behind}."))
    }];
    list.push(match &runtime.0.verdict.borrow().refused {
        None => condition("SettingsAccepted", true, "Valid", "The settings are in force."),
        Some(why) => {
            condition("SettingsAccepted", false, "Invalid", format!("{why}. The last good settings stay in force."))
        }
    });
    let absent = named(|cache| cache.unavailable);
    if !absent.is_empty() {
        let message = format!("The API server does not have {absent}; looked for every minute.");
        list.push(condition("InputUnavailable", true, "ApiAbsent", message));
    }
    let broken: Vec<_> =
        health.caches.iter().flat_map(|cache| cache.broken.iter().map(|why| (&cache.kind, why))).collect();
    if let Some((kind, why)) = broken.first() {
        let message = format!("{} objects cannot be read and are skipped; the first: {kind} {why}", broken.len());
        list.push(condition("ObjectsSkipped", true, "Undecodable", message));
    }
    list
}
