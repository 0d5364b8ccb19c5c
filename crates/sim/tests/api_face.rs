//! The tower face under a real kube client, on virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use keelson_core::Timestamp;
use keelson_sim::{
    api::{Api, Config, Token},
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

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_token_says_who_asks() {
    let clock = Clock::start(Timestamp::parse("2026-01-01T00:00:00Z").unwrap(), 1);
    let root = Token { token: "secret".into(), user: "root".into(), groups: vec!["system:masters".into()] };
    let config = Config { tokens: vec![root], anonymous_admin: false, ..Config::default() };
    let shared = Shared::new(Api::new(config), clock);
    let code = |face: Face| async {
        let api: kube::Api<ConfigMap> = kube::Api::default_namespaced(Client::new(face, "default"));
        match api.list(&kube::api::ListParams::default()).await {
            Ok(_) => 200,
            Err(kube::Error::Api(status)) => status.code,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(code(Face::new(shared.clone())).await, 403, "anonymous may do nothing");
    assert_eq!(code(Face::new(shared.clone()).with_token("wrong")).await, 401);
    assert_eq!(code(Face::new(shared.clone()).with_token("secret")).await, 200);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_watch_is_closed_when_its_client_goes() {
    let shared = shared(1);
    let api: kube::Api<ConfigMap> = kube::Api::default_namespaced(Client::new(Face::new(shared.clone()), "default"));
    let mut stream = Box::pin(watcher(api, watcher::Config::default()));
    while !matches!(stream.next().await, Some(Ok(watcher::Event::InitDone))) {}
    let (polled, _) = tokio::join!(tokio::time::timeout(Duration::from_secs(5), stream.next()), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(shared.with(|api, _| api.open_watches()), 1);
    });
    assert!(polled.is_err(), "nothing happens, so nothing is told");
    drop(stream);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shared.with(|api, _| api.open_watches()), 0);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_streamed_list_ends_with_its_bookmark() {
    let shared = shared(1);
    let api: kube::Api<ConfigMap> = kube::Api::default_namespaced(Client::new(Face::new(shared.clone()), "default"));
    api.create(&PostParams::default(), &map("a", "1")).await.unwrap();
    let mut stream = Box::pin(watcher(api.clone(), watcher::Config::default().streaming_lists()));
    let mut seen = Vec::new();
    loop {
        match stream.next().await.unwrap().unwrap() {
            watcher::Event::InitApply(map) => seen.push(map.metadata.name.unwrap()),
            watcher::Event::InitDone => break,
            _ => {}
        }
    }
    assert_eq!(seen, ["a"]);
}
