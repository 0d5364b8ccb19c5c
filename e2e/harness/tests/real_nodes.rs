//! Real nodes run a real application, and are gone afterwards.
//!
//! Needs root and the programs of `e2e/tools/README.md`; without them it fails and says what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "the tests print how long real processes took")]

use std::time::{Duration, Instant};

use keelson_harness::cluster::wait_for_nodes;
use keelson_harness::{Cluster, Config};

const SHOP: &str = include_str!("../../apps/online-boutique/app.yaml");

fn start(config: Config) -> Cluster {
    Cluster::start(config).unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn two_real_nodes_run_an_application_beside_pretended_ones_and_nothing_stays_behind() {
    let began = Instant::now();
    let told = |what: &str| println!("{:6.1} s: {what}", began.elapsed().as_secs_f64());
    let cluster = start(Config { real_nodes: 2, kwok_nodes: 10, dns: true, ..Config::default() });
    let traces = cluster.traces();
    told("two real nodes are Ready");
    wait_for_nodes(&cluster, 12, Duration::from_secs(30)).unwrap();
    told("ten pretended nodes are Ready");

    cluster.kubectl(&["taint", "nodes", "--selector=type=kwok", "pretended=true:NoSchedule"]).unwrap();
    cluster.stand_in(SHOP).unwrap();
    cluster.apply(SHOP).unwrap();
    let shop = "--namespace=online-boutique";
    cluster.kubectl(&["wait", shop, "--for=condition=Available", "deployment", "--all", "--timeout=120s"]).unwrap();
    told("the application is available");
    let nodes = cluster.kubectl(&["get", "pods", shop, "--output=jsonpath={.items[*].spec.nodeName}"]).unwrap();
    assert_eq!(nodes.split_whitespace().filter(|node| node.starts_with("real-")).count(), 11, "{nodes}");

    drop(cluster);
    told("gone");
    assert_eq!(traces.leftovers().unwrap(), Vec::<String>::new());
}
