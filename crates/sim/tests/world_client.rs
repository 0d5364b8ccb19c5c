//! The world as a client sees it: a real kube client on the tower face, on virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use keelson_core::{Span, Timestamp};
use keelson_sim::api::{Api as Double, Config};
use keelson_sim::clock::Clock;
use keelson_sim::face::{Shared, tower::Face};
use keelson_sim::world::drive::Simulation;
use keelson_sim::world::invariants::Invariants;
use keelson_sim::world::scenario::{EVENING, Scenario};
use keelson_sim::world::{Settings, World};
use kube::api::{Api, EvictParams, ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Client, Error};
use serde_json::json;
use tokio::time::{sleep, timeout};

fn start(seed: u64) -> (Simulation, Client) {
    let clock = Clock::start(Timestamp::parse(EVENING).unwrap(), 1);
    let shared = Shared::new(Double::new(Config { seed, ..Config::default() }), clock);
    let simulation = Simulation::new(shared.clone(), World::new(seed, Settings::default()));
    (simulation, Client::new(Face::new(shared), "default"))
}

fn shop() -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "shop"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "shop"}}, "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "main", "image": "shop:1", "resources": {"requests": {"cpu": "500m"}}}]}}},
    }))
    .unwrap()
}

fn budget() -> PodDisruptionBudget {
    let spec = json!({"minAvailable": 2, "selector": {"matchLabels": {"app": "shop"}}});
    serde_json::from_value(json!({"metadata": {"name": "shop"}, "spec": spec})).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_client_watches_its_deployment_come_up_and_evicts_within_the_budget() {
    let (simulation, client) = start(1);
    let running = tokio::spawn(simulation.clone().run(|_, _| ()));
    let machines = Scenario { nodes: Scenario::churn(1, 4, 10, "").nodes, ..Scenario::default() };
    simulation.act(|world, cluster| world.follow(machines, cluster)).unwrap();
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let created = deployments.create(&PostParams::default(), &shop()).await.unwrap();
    let budgets: Api<PodDisruptionBudget> = Api::default_namespaced(client.clone());
    budgets.create(&PostParams::default(), &budget()).await.unwrap();
    let version = created.metadata.resource_version.unwrap();
    let mut watch = deployments.watch(&WatchParams::default(), &version).await.unwrap().boxed();
    let up = async {
        while let Some(Ok(event)) = watch.next().await {
            if let WatchEvent::Modified(shop) = event
                && shop.status.and_then(|status| status.available_replicas) == Some(3)
            {
                return;
            }
        }
        panic!("the watch ended first");
    };
    timeout(Duration::from_secs(120), up).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let pods: Api<Pod> = Api::default_namespaced(client);
    let names: Vec<String> = pods
        .list(&ListParams::default().labels("app=shop"))
        .await
        .unwrap()
        .into_iter()
        .filter_map(|p| p.metadata.name)
        .collect();
    pods.evict(&names[0], &EvictParams::default()).await.unwrap();
    match pods.evict(&names[1], &EvictParams::default()).await {
        Err(Error::Api(refusal)) => assert_eq!(refusal.code, 429),
        other => panic!("the budget should have refused: {other:?}"),
    }
    sleep(Duration::from_secs(60)).await;
    let shop = deployments.get("shop").await.unwrap().status.unwrap();
    assert_eq!(shop.available_replicas, Some(3), "what was evicted was replaced");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn an_evening_runs_beside_a_client_and_breaks_nothing() {
    let (simulation, client) = start(3);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let running = tokio::spawn(simulation.clone().run(move |event, now| {
        tell.send((event.clone(), now)).ok();
    }));
    let scenario = Scenario::evening(3, "default-scheduler", "default-scheduler").unwrap();
    simulation.act(|world, cluster| world.follow(scenario, cluster)).unwrap();
    sleep(Span::minutes(20).to_std()).await;
    let pods: Api<Pod> = Api::all(client);
    let all = pods.list(&ListParams::default()).await.unwrap();
    let running_pods =
        all.iter().filter(|pod| pod.status.as_ref().unwrap().phase.as_deref() == Some("Running")).count();
    assert!(running_pods >= 60, "{running_pods} of {} run", all.items.len());
    let mut checker = Invariants::new();
    while let Ok((event, now)) = told.try_recv() {
        checker.see(&event, now);
    }
    assert_eq!(checker.broken(), []);
    running.abort();
}
