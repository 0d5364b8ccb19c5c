//! Real nodes run a real application, and are gone afterwards.
//!
//! Needs root and the programs of `e2e/tools/README.md`; without them it fails and says what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "the tests print how long real processes took")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use keelson_harness::cluster::wait_for_nodes;
use keelson_harness::{Cluster, Config, Traces, tools, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SHOP: &str = include_str!("../../apps/online-boutique/app.yaml");

fn start(config: Config) -> Cluster {
    Cluster::start(config).unwrap_or_else(|error| panic!("{error:#}"))
}

fn with(mut command: Command, args: &[&str]) -> Command {
    command.args(args);
    command
}

/// The program that keeps a cluster for people, once the cluster is up, and what to look for afterwards.
fn owner() -> (Child, Traces) {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_keelson-cluster"));
    let mut owner = owner.args(["--real", "1", "--kwok", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines: Vec<String> =
        BufReader::new(owner.stdout.take().unwrap()).lines().take(3).map(|line| line.unwrap()).collect();
    let kubeconfig = lines[0].strip_prefix("kubeconfig ").unwrap();
    let traces = Traces::of(Path::new(kubeconfig).parent().unwrap()).unwrap();
    let found = traces.leftovers().unwrap();
    for kind in ["process ", "cgroup ", "files "] {
        assert!(found.iter().any(|line| line.starts_with(kind)), "a running cluster shows no {kind}: {found:?}");
    }
    (owner, traces)
}

fn send(signal: Signal, owner: &Child) {
    kill(Pid::from_raw(i32::try_from(owner.id()).unwrap()), signal).unwrap();
}

#[test]
fn a_killed_owner_leaves_nothing_behind() {
    let (mut owner, traces) = owner();
    send(Signal::SIGKILL, &owner);
    owner.wait().unwrap();
    wait::until("the watcher", Duration::from_secs(20), || {
        let left = traces.leftovers()?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_interrupted_owner_takes_everything_with_it() {
    let (mut owner, traces) = owner();
    send(Signal::SIGINT, &owner);
    assert!(owner.wait().unwrap().success());
    assert_eq!(traces.leftovers().unwrap(), Vec::<String>::new());
}

#[test]
fn two_clusters_at_once_do_not_meet() {
    let config = Config { real_nodes: 1, default_scheduler: false, ..Config::default() };
    let (one, two) = (start(config.clone()), start(config));
    one.kubectl(&["create", "configmap", "only-here"]).unwrap();
    assert!(two.kubectl(&["get", "configmap", "only-here"]).is_err());
    let traces = one.traces().unwrap();
    drop(one);
    assert_eq!(traces.leftovers().unwrap(), Vec::<String>::new());
    assert_eq!(two.ready_nodes().unwrap(), ["real-0"]);
}

#[test]
fn two_real_nodes_run_an_application_beside_pretended_ones_and_nothing_stays_behind() {
    let began = Instant::now();
    let told = |what: &str| println!("{:6.1} s: {what}", began.elapsed().as_secs_f64());
    let mut cluster = start(Config { real_nodes: 2, kwok_nodes: 10, dns: true, ..Config::default() });
    let traces = cluster.traces().unwrap();
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

    let node = cluster.node("real-1").unwrap();
    // kube-proxy follows the endpoints a moment later, hence again and again.
    let url = "frontend.online-boutique.svc.cluster.local/cart";
    let answer = tools::run(with(
        node.command("curl"),
        &["--silent", "--retry", "20", "--retry-delay", "1", "--retry-all-errors", url],
    ))
    .unwrap();
    assert!(answer.starts_with("frontend-") && answer.ends_with(" /cart\n"), "{answer}");
    let routes = node.command("ip").args(["route", "get", "192.0.2.1"]).output().unwrap();
    assert!(!routes.status.success(), "the node has a route out: {}", String::from_utf8_lossy(&routes.stdout));
    let pod = "nsenter --net=$(ls -d /run/netns/cni-* | head -1) curl --silent --insecure https://10.96.0.1/livez";
    let alive = tools::run(with(node.command("bash"), &["-c", pod])).unwrap();
    assert_eq!(alive, "ok", "a pod reaches the API server");

    let selector = "--selector=app=frontend";
    let address =
        cluster.kubectl(&["get", "pods", shop, selector, "--output=jsonpath={.items[0].status.podIP}"]).unwrap();
    let door = cluster.expose(format!("{address}:8080").parse().unwrap()).unwrap();
    let answer = tools::run(with(Command::new("curl"), &["--silent", &format!("http://{door}/page")])).unwrap();
    assert!(answer.starts_with("frontend-") && answer.ends_with(" /page\n"), "{answer}");

    let logs = cluster.kubectl(&["logs", shop, "deployment/redis-cart"]).unwrap();
    assert_eq!(logs, "listening on 6379\n");
    told("a service name was resolved and served, logs were read");

    cluster.node("real-0").unwrap().end();
    told("one node crashed");
    drop(cluster);
    told("gone");
    assert_eq!(traces.leftovers().unwrap(), Vec::<String>::new());
}
