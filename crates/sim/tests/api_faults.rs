//! Faults between a real client and the API, on virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::{collections::BTreeMap, time::Duration};

use futures::StreamExt;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap};
use keelson_core::{Span, Timestamp};
use keelson_sim::{
    api::{Api, Config},
    clock::Clock,
    face::{
        Shared,
        faults::{Faults, Rates},
        tower::Face,
    },
};
use kube::{
    Client,
    api::{Patch, PatchParams, PostParams, WatchParams},
    runtime::{reflector, watcher},
};
use serde_json::json;

fn shared() -> Shared {
    let clock = Clock::start(Timestamp::parse("2026-01-01T00:00:00Z").unwrap(), 1);
    Shared::new(Api::new(Config { history: 60, ..Config::default() }), clock)
}

fn maps(shared: &Shared, faults: &Faults) -> kube::Api<ConfigMap> {
    kube::Api::default_namespaced(Client::new(Face::new(shared.clone()).with_faults(faults.clone()), "default"))
}

/// A writer that never gives up and a reflector, for a virtual hour and a quiet ten minutes.
async fn hour(seed: u64) -> (BTreeMap<&'static str, u64>, Vec<String>, Vec<String>) {
    let shared = shared();
    let faults = Faults::new(seed, Rates::rough());
    let api = maps(&shared, &faults);
    let writer = api.clone();
    let done = tokio::spawn(async move {
        for round in 0..360_u64 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let name = format!("m{}", round % 7);
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": round.to_string()}});
            let parameters = PatchParams::apply("writer").force();
            while writer.patch(&name, &parameters, &Patch::Apply(&object)).await.is_err() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    });
    let (store, sink) = reflector::store();
    let events = watcher(api, watcher::Config { page_size: None, ..watcher::Config::default() }.any_semantic());
    let stream = reflector(sink, events);
    let watching = tokio::spawn(stream.for_each(|event| async move {
        if event.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }));
    done.await.unwrap();
    faults.set(Rates::default());
    tokio::time::sleep(Duration::from_secs(600)).await;
    watching.abort();
    let mut seen: Vec<String> =
        store.state().iter().map(|map| format!("{} {:?}", map.metadata.name.as_deref().unwrap(), map.data)).collect();
    seen.sort();
    let quiet = maps(&shared, &Faults::none());
    let truth = quiet.list(&kube::api::ListParams::default()).await.unwrap();
    let mut truth: Vec<String> =
        truth.iter().map(|map| format!("{} {:?}", map.metadata.name.as_deref().unwrap(), map.data)).collect();
    truth.sort();
    (faults.fired(), seen, truth)
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_reflector_ends_up_with_the_truth_and_every_fault_fires() {
    let mut all: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 0..6 {
        let (fired, seen, truth) = hour(seed).await;
        assert_eq!(truth.len(), 7);
        assert_eq!(seen, truth, "seed {seed}: {fired:?}");
        for (what, times) in fired {
            *all.entry(what).or_default() += times;
        }
    }
    for what in [
        "latency",
        "conflict",
        "too_many",
        "error_before",
        "error_after",
        "gone",
        "dropped",
        "stalled",
        "duplicate",
        "late",
        "stale_list",
    ] {
        assert!(all.get(what).is_some_and(|times| *times > 0), "{what} never fired: {all:?}");
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_same_seed_gives_the_same_faults() {
    assert_eq!(hour(3).await, hour(3).await);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn in_an_outage_nothing_is_reached() {
    let shared = shared();
    let faults = Faults::none();
    let api = maps(&shared, &faults);
    assert!(api.get_opt("none").await.unwrap().is_none());
    faults.outage(true);
    assert!(api.get_opt("none").await.is_err());
    faults.outage(false);
    assert!(api.get_opt("none").await.unwrap().is_none());
    assert!(faults.fired()["outage"] > 0);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_outage_ends_open_watches_too() {
    let shared = shared();
    let faults = Faults::none();
    let mut watch = Box::pin(maps(&shared, &faults).watch(&WatchParams::default(), "1").await.unwrap());
    faults.outage(true);
    faults.outage(false);
    let began = tokio::time::Instant::now();
    assert!(watch.next().await.is_none_or(|event| event.is_err()));
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing has to happen first");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_lease_is_lost_when_its_holder_renews_it() {
    let shared = shared();
    let faults = Faults::new(2, Rates { lost_lease: 0.1, ..Rates::default() });
    let client = Client::new(Face::new(shared.clone()).with_faults(faults.clone()), "default");
    let leases: kube::Api<Lease> = kube::Api::default_namespaced(client);
    let lease = json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}});
    let lease: Lease = serde_json::from_value(lease).unwrap();
    let (mut deleted, mut taken) = (0, 0);
    for _ in 0..100 {
        let held = match leases.get_opt("l").await.unwrap() {
            Some(held) => held,
            None => leases.create(&PostParams::default(), &lease).await.unwrap(),
        };
        match leases.replace("l", &PostParams::default(), &held).await {
            // A PUT makes it anew, under another uid.
            Ok(renewed) => deleted += u64::from(renewed.metadata.uid != held.metadata.uid),
            Err(_) => {
                let now = leases.get("l").await.unwrap();
                assert_eq!(now.spec.unwrap().holder_identity.as_deref(), Some("somebody-else"));
                taken += 1;
                leases.delete("l", &Default::default()).await.unwrap();
            }
        }
    }
    assert!(deleted > 0 && taken > 0, "deleted {deleted}, taken over {taken}");
    assert_eq!(faults.fired()["lost_lease"], deleted + taken);
}

#[test]
fn each_clients_clock_is_off_by_its_own() {
    let faults = Faults::new(4, Rates { skew_ms: (-90_000, 90_000), ..Rates::default() });
    let skews = [faults.skew(), faults.skew()];
    assert!(skews[0] != skews[1] && skews.iter().all(|skew| skew.0.abs() <= 90_000_000), "{skews:?}");
    assert_eq!(faults.fired()["skew"], 2);
    assert_eq!((Faults::none().skew(), Faults::none().fired().len()), (Span::ZERO, 0));
}
