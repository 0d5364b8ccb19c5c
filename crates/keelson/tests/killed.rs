//! The controller on a real control plane, killed and stopped in the middle of its work.
//!
//! Needs root and Go, as every test of the real cluster does. The API server's audit log is the judge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

#[path = "support/binding.rs"]
mod binding;
#[path = "support/load.rs"]
mod load;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use binding::{Controller, HARMLESS, bound_once, cluster, job, late, lease, pods, running};
use load::Load;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{faketime, until};

/// Leadership that is lost soon, so that many deaths do not take all day.
const SHORT: [&str; 6] = [
    "--leader-elect-lease-duration",
    "2s",
    "--leader-elect-renew-deadline",
    "1500ms",
    "--leader-elect-retry-period",
    "300ms",
];

/// Draws from a seed that is printed.
struct Draw(u64);

impl Draw {
    /// A number from `low` to below `high`. (Steele, Lea and Flood's SplitMix64.)
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (z ^ (z >> 31)) % (high - low)
    }
}

/// How often it is killed: ten times, or as often as `KEELSON_KILLS` says.
fn kills() -> usize {
    std::env::var("KEELSON_KILLS").map_or(10, |kills| kills.parse().expect("KEELSON_KILLS is a number"))
}

/// Waits until its journal grows: every action is written there before it begins. False when none begins within 30 s.
fn an_action_begins(folder: &Path) -> bool {
    let bytes = || -> u64 {
        let Ok(files) = std::fs::read_dir(folder.join("journal")) else { return 0 };
        files.filter_map(|file| file.ok()?.metadata().ok()).map(|file| file.len()).sum()
    };
    let (since, mut least) = (Instant::now(), u64::MAX);
    while since.elapsed() < Duration::from_secs(30) {
        let now = bytes();
        if now > least {
            return true;
        }
        least = now;
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

#[test]
fn killed_at_any_point_it_binds_every_pod_once_and_says_how_each_went() {
    let (seed, kills) = (u64::from(std::process::id()), kills());
    println!("seed {seed}, {kills} kills");
    let mut draw = Draw(seed);
    let (cluster, kubeconfig) = cluster(20);
    let folder = tempfile::tempdir().unwrap();
    for nth in 1..=kills {
        // More work each time, so that there is some at every point.
        job(&cluster, 40 * nth);
        // The pod's name stays the same when its container starts again.
        let controller = Controller::start(&kubeconfig, folder.path(), "keelson-0", &[], &SHORT);
        // Two seconds of waiting for the Lease, then the work of the time without a leader at once, then what comes.
        // Every second death waits for an action to begin: where the machine is busy, chance alone may miss them all.
        if nth % 2 == 0 {
            assert!(an_action_begins(folder.path()), "no action began within 30 s");
            std::thread::sleep(Duration::from_millis(draw.between(0, 20)));
        } else {
            std::thread::sleep(Duration::from_millis(draw.between(1_000, 4_000)));
        }
        controller.signal(Signal::SIGKILL);
    }
    let count = 40 * kills;
    let last = Controller::start(&kubeconfig, folder.path(), "keelson-0", &[], &SHORT);
    until("every pod runs", 180, || (running(&cluster) == count).then_some(()));
    let decisions = last.tells_all(&cluster);
    bound_once(&cluster, count);
    let settled = |outcome: &str| {
        let mut steps = decisions.iter().filter(|it| it["outcome"] == outcome).flat_map(|it| it["steps"].as_array());
        let settled = |steps: &&Vec<Value>| steps.iter().any(|step| step["action"] == "look how it went");
        steps.by_ref().filter(settled).count()
    };
    let (done, not_done) = (settled("Done"), settled("Failed"));
    println!("of what the dead left open, {done} were done and {not_done} were not");
    assert!(done + not_done > 0, "it was never killed in the middle of anything: the test proves nothing");
    cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}

/// How many pods are bound under kills: 2,000, or as many as `KEELSON_BINDS` says.
fn binds() -> usize {
    std::env::var("KEELSON_BINDS").map_or(2_000, |binds| binds.parse().expect("KEELSON_BINDS is a number"))
}

/// No more deaths than that: each takes some seconds.
const MOST_KILLS: usize = 30;

/// How many pods are on each node, and the millicores they ask for.
type Ledger = BTreeMap<String, (u64, i64)>;

fn ledger_of_the_server(pods: &[Value]) -> Ledger {
    let mut ledger = Ledger::new();
    for pod in pods {
        let asked = pod["spec"]["containers"][0]["resources"]["requests"]["cpu"].as_str().unwrap();
        let of = ledger.entry(pod["spec"]["nodeName"].as_str().unwrap().to_owned()).or_default();
        *of = (of.0 + 1, of.1 + asked.strip_suffix('m').unwrap().parse::<i64>().unwrap());
    }
    ledger
}

fn ledger_of(controller: &Controller) -> Ledger {
    let nodes = controller.nodes().into_iter().filter(|node| node["pods"] != 0);
    let of = |node: &Value| {
        let cpu = node["resources"].as_array().unwrap().iter().find(|resource| resource["name"] == "cpu").unwrap();
        (node["pods"].as_u64().unwrap(), cpu["requested"].as_i64().unwrap())
    };
    nodes.map(|node| (node["name"].as_str().unwrap().to_owned(), of(&node))).collect()
}

#[test]
fn killed_again_and_again_while_thousands_wait_its_ledger_is_the_servers_own() {
    let (seed, count) = (u64::from(std::process::id()), binds());
    println!("seed {seed}, {count} binds");
    let mut draw = Draw(seed);
    // Four in five places are taken in the end.
    let (cluster, kubeconfig) = cluster(u32::try_from(count.div_ceil(80)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let pod = |index: usize| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("job-{index}"), "labels": {"app": "job"}},
            "spec": {"schedulerName": "keelson", "containers": [{"name": "c", "image": "job:1",
                "resources": {"requests": {"cpu": format!("{}m", 10 + 20 * (index % 3))}}}]}})
    };
    let load = Load::at(&cluster.kubeconfig());
    load.make("/api/v1/namespaces/default/pods", (0..count).map(pod));
    // One is enough to know: who lists thousands five times a second leaves the processors to nobody else.
    let wait = || !load.list("/api/v1/namespaces/default/pods?fieldSelector=spec.nodeName%3D&limit=1").is_empty();
    let mut kills = 0;
    while kills < MOST_KILLS && wait() {
        let controller = Controller::start(&kubeconfig, folder.path(), "keelson-0", &[], &SHORT);
        // None begins when the last of them had sent all, and not all was answered yet.
        if !an_action_begins(folder.path()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(draw.between(0, 3_000)));
        controller.signal(Signal::SIGKILL);
        kills += usize::from(wait());
    }
    // A busy machine renews no Lease within a second and a half, again and again.
    let last = Controller::start(&kubeconfig, folder.path(), "keelson-0", &[], &[]);
    until("every pod has a node", 400, || (!wait()).then_some(()));
    println!("killed {kills} times before all were bound");
    assert!(kills > 1, "it was not killed in the middle: the test proves nothing");
    last.tells_all(&cluster);
    bound_once(&cluster, count);
    let of_the_server = ledger_of_the_server(&pods(&cluster));
    until("its ledger is the server's", 30, || (ledger_of(&last) == of_the_server).then_some(()));
}

#[test]
fn a_leader_that_stood_still_for_a_minute_does_no_harm_with_clocks_an_hour_apart() {
    const PODS: usize = 800;
    let (cluster, kubeconfig) = cluster(20);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let faketime = faketime();
    let hour = [("LD_PRELOAD", faketime.as_str()), ("FAKETIME", "+1h"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let holder = || lease(&cluster).0;
    let a = Controller::start(&kubeconfig, folders[0].path(), "a", &[], &[]);
    until("a leads", 30, || (holder() == "a").then_some(()));
    let _b = Controller::start(&kubeconfig, folders[1].path(), "b", &hour, &[]);
    job(&cluster, PODS);
    until("it is in the middle of binding", 60, || (running(&cluster) > 60).then_some(()));
    a.signal(Signal::SIGSTOP);
    let since = std::time::Instant::now();
    until("the other leads", 60, || (holder() == "b").then_some(()));
    std::thread::sleep(Duration::from_secs(60).saturating_sub(since.elapsed()));
    a.signal(Signal::SIGCONT);
    until("it knows that it leads no more", 20, || {
        let log = std::fs::read_to_string(folders[0].path().join("log")).unwrap();
        log.contains("leadership lost").then_some(())
    });
    // New work for whoever takes it.
    job(&cluster, PODS + 100);
    until("every pod runs", 120, || (running(&cluster) == PODS + 100).then_some(()));
    assert_eq!(holder(), "b", "whoever stood still stays behind");

    bound_once(&cluster, PODS + 100);
    let harmful = late(&cluster).into_iter().find(|what| !HARMLESS.iter().any(|(harmless, _)| harmless == what));
    assert_eq!(harmful, None);
}
