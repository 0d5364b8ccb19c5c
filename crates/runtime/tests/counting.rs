//! Every request of a process is counted, whoever makes it and however it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use support::{Fault, Process, World, bind, seconds};

/// How many requests were counted, by code, method and host.
fn requests(process: &Process) -> BTreeMap<String, usize> {
    let (mut registry, mut text) = (prometheus_client::registry::Registry::default(), String::new());
    process.runtime.register(&mut registry);
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("rest_client_requests_total"));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(by, count)| (by.into(), count.parse().unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn watches_lists_leases_and_actions_are_counted_once_each() {
    let (world, process) = World::enforcing(30).await;
    let _pods = process.runtime.cache::<Pod>();
    world.node("n1").await;
    let pod = world.pod("a").await;
    process.act(&pod, vec![bind("n1")]).await;
    seconds(60).await;
    let made = process.net.log().len() + process.lease_net.log().len();
    let counted = requests(&process);
    assert_eq!(counted.values().sum::<usize>(), made, "{counted:#?}");
    let watches = process.net.log().iter().filter(|call| call.contains("watch=true")).count();
    let leases = process.lease_net.log().len();
    assert!(watches >= 2 && leases > 20, "{watches} watches, {leases} calls about Leases");
    assert!(counted.keys().all(|by| by.ends_with(",host=\"api:6443\"}")), "{counted:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_counted_when_nobody_waits_for_it_any_more() {
    let (world, process) = World::enforcing(31).await;
    let pod = world.pod("a").await;
    process.net.rule(|_, path| path.contains("/binding").then_some(Fault::Hang));
    process.act(&pod, vec![bind("n1")]).await;
    let unanswered = "{code=\"<error>\",method=\"POST\",host=\"api:6443\"}";
    assert_eq!(requests(&process).get(unanswered), Some(&process.net.writes("/binding")));
}
