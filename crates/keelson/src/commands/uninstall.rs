//! `keelson uninstall`: every feature Off, confirmed by whoever leads it, and what stays.
//!
//! The chart runs it before it goes, while everything is still there to obey. Somebody who is dead cannot confirm: that is
//! waited for so long and no longer, then said, and the uninstallation goes on.
//!
//! Promises: nothing is deleted; ends within the wait and a few requests; no answer in time is no failure, an API server
//! that refuses is one.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::Lease;
use keelson_api::{Platform, names};
use keelson_core::{Feature, Mode};
use keelson_runtime::Calls;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::cli::Uninstall;
use crate::cluster;
use crate::commands::leftovers::waiting;

/// Time between two looks at the status.
const STEP: Duration = Duration::from_millis(500);

/// Switches every feature Off and says what came of it.
///
/// # Errors
/// When the API server does not answer or refuses.
pub async fn run(args: &Uninstall) -> Result<bool> {
    let client = cluster::client(args.kubeconfig.as_deref(), &Calls::default()).await?;
    let platforms: Api<Platform> = Api::all(client.clone());
    let Some(before) = cluster::platform(&client).await.context("reading the Platform")? else {
        println!("There is no Platform: nothing was switched on.");
        return Ok(true);
    };
    let off: Map<String, Value> =
        Feature::ALL.iter().map(|feature| (feature.to_string(), json!({"mode": Mode::Off}))).collect();
    let patch = Patch::Merge(json!({"spec": {"features": off}}));
    let switched =
        platforms.patch(names::PLATFORM, &PatchParams::default(), &patch).await.context("switching features Off")?;
    let silent = confirmed(&client, switched.metadata.generation.unwrap_or_default(), args.wait).await?;
    for feature in Feature::ALL {
        println!("{}", ended(&client, args, feature, silent.contains(&feature)).await);
    }
    let scheduler = &before.spec.features.scheduling.settings.scheduler_name;
    // Where no feature might observe, nobody may list pods: then none of them waits for us by our doing.
    for pod in waiting(&client, scheduler).await.unwrap_or_default() {
        println!("Pod {pod} has no node and names schedulerName {scheduler}: give its workload another one.");
    }
    println!(
        "What stays are the definitions of {group} and Platform {name}; `kubectl delete crd platforms.{group} nodenetworks.{group}` removes \
         all of it.",
        group = names::GROUP,
        name = names::PLATFORM
    );
    Ok(true)
}

/// Waits until the status says that every feature is Off in this generation; the features of which it does not say so.
async fn confirmed(client: &kube::Client, generation: i64, wait: Duration) -> Result<BTreeSet<Feature>> {
    let end = Instant::now() + wait;
    loop {
        let status = cluster::platform(client).await?.and_then(|there| there.status).unwrap_or_default();
        let seen = status.observed_generation.is_some_and(|seen| seen >= generation);
        let mut modes = status.features.unwrap_or_default();
        let silent: BTreeSet<_> =
            Feature::ALL.into_iter().filter(|feature| !seen || modes.entry(*feature).mode != Mode::Off).collect();
        if silent.is_empty() || Instant::now() >= end {
            return Ok(silent);
        }
        tokio::time::sleep(STEP).await;
    }
}

/// How a feature ended, in a sentence.
async fn ended(client: &kube::Client, args: &Uninstall, feature: Feature, silent: bool) -> String {
    if !silent {
        return format!("{feature} is Off, and its leader has confirmed it.");
    }
    let leases: Api<Lease> = Api::namespaced(client.clone(), &args.namespace);
    let lease = leases.get_opt(&names::lease(feature)).await.ok().flatten().and_then(|lease| lease.spec);
    let holder = lease.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty());
    let who = holder.map_or_else(
        || "nobody holds its Lease".to_owned(),
        |holder| {
            let namespace = &args.namespace;
            format!("{holder} holds its Lease; see `kubectl -n {namespace} get pod {holder} -o wide` and that node")
        },
    );
    format!("{feature} was switched Off, and within {} s nobody confirmed it: {who}.", args.wait.as_secs())
}
