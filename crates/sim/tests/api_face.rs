//! The tower face under a real kube client, on virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use keelson_core::Timestamp;
use keelson_sim::{
    api::{Api, Config},
    clock::Clock,
    face::{Shared, tower::Face},
};
use kube::{
    Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

fn shared(seed: u64) -> Shared {
    let clock = Clock::start(Timestamp::parse("2026-01-01T00:00:00Z").unwrap(), 1);
    Shared::new(Api::new(Config { seed, ..Config::default() }), clock)
}

fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"a": value}})).unwrap()
}

async fn story(seed: u64) -> Vec<String> {
    let shared = shared(seed);
    let client = Client::new(Face::new(shared.clone()), "default");
    let api: kube::Api<ConfigMap> = kube::Api::default_namespaced(client);
    let writer = api.clone();
    tokio::spawn(async move {
        for round in 0..20 {
            tokio::time::sleep(Duration::from_secs(7)).await;
            let name = format!("m{}", round % 5);
            match writer.get_opt(&name).await.unwrap() {
                None => drop(writer.create(&PostParams::default(), &map(&name, "new")).await.unwrap()),
                Some(_) if round % 3 == 0 => drop(writer.delete(&name, &DeleteParams::default()).await.unwrap()),
                Some(_) => {
                    let patch = json!({"data": {"a": format!("{round}")}});
                    writer.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
                }
            }
        }
    });
    let mut trace = Vec::new();
    let stream = watcher(api, watcher::Config::default()).default_backoff();
    let mut stream = Box::pin(stream.take_until(tokio::time::sleep(Duration::from_secs(600))));
    while let Some(event) = stream.next().await {
        trace.push(format!("{} {event:?}", shared.clock().now()));
    }
    trace
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_same_seed_gives_the_same_story() {
    let trace = story(7).await;
    assert_eq!(trace, story(7).await);
    assert!(trace.len() > 15, "{trace:#?}");
    assert!(trace.iter().all(|line| line.contains(" Ok(")), "{trace:#?}");
    assert_ne!(trace, story(8).await, "uids come from the seed");
}
