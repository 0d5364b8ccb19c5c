//! The cluster is restored from a backup under controllers that run: what was done since is undone, and the count of
//! versions, the Lease's number and its holder go back.
//!
//! Needs root and Go, as every test of the real cluster does. The API server's audit log is the judge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

#[path = "support/binding.rs"]
mod binding;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use binding::{Asked, Controller, asked, cluster, job, lease, pods, running, tell_all};
use keelson_harness::Cluster;
use keelson_runtime::user_agent::made_under;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::until;

/// The fences under which each pod was bound.
fn bindings(asked: &[Asked]) -> BTreeMap<&str, Vec<u64>> {
    let mut bound: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for asked in asked.iter().filter(|asked| asked.accepted && asked.what == "create pods/binding") {
        bound.entry(&asked.name).or_default().push(made_under(&asked.agent).expect("a fence").1);
    }
    bound
}

fn ids(decisions: &[Value]) -> BTreeSet<String> {
    decisions.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

/// Pods of the same workload that want nodes of a kind that there is not.
fn wanting(cluster: &Cluster, count: usize) {
    let container = json!({"name": "c", "image": "job:1", "resources": {"requests": {"cpu": "10m"}}});
    let pod = |number: usize| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("late-{number}"), "namespace": "default", "labels": {"app": "job", "of": "late"}},
            "spec": {"schedulerName": "keelson", "nodeSelector": {"made-for": "late"}, "containers": [container]}})
    };
    let list: Vec<Value> = (0..count).map(pod).collect();
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": list}).to_string()).unwrap();
}

fn all_run(cluster: &Cluster, count: usize) {
    until(&format!("{count} pods run"), 60, || {
        (running(cluster) == count && pods(cluster).len() == count).then_some(())
    });
}

/// Long enough that the time without an API server ends no leadership: the backup's Lease is as its leader wrote it.
const PATIENT: [&str; 4] = ["--leader-elect-lease-duration", "16s", "--leader-elect-renew-deadline", "15s"];

/// A controller with a store of its own, in a folder of its own.
fn controller(kubeconfig: &Path, folder: &Path, identity: &str) -> Controller {
    let folder = folder.join(identity);
    std::fs::create_dir(&folder).unwrap();
    Controller::start(kubeconfig, &folder, identity, &[], &PATIENT)
}

/// Work is done, backed up, and goes on under whoever leads `after`; then the backup is restored.
fn is_restored(cluster: &mut Cluster, controllers: &[&Controller], after: impl FnOnce(&Cluster)) {
    job(cluster, 20);
    all_run(cluster, 20);
    // Forty more fit nowhere until nodes are made for them, after the backup.
    wanting(cluster, 40);
    let backup = cluster.back_up().unwrap();
    after(cluster);
    let label = ["label", "nodes", "--all", "made-for=late"];
    cluster.kubectl(&label).unwrap();
    until("they run", 60, || (running(cluster) == 60).then_some(()));
    // And these the backup knows nothing of.
    job(cluster, 40);
    all_run(cluster, 80);
    let recorded: BTreeSet<String> = controllers.iter().flat_map(|controller| ids(&controller.decisions())).collect();
    let (fence, log) = (lease(cluster).1, asked(cluster).len());

    cluster.restore(&backup).unwrap();
    let uid = |pod: &Value| pod["metadata"]["uid"].as_str().unwrap().to_owned();
    let undone: BTreeSet<String> =
        pods(cluster).iter().filter(|pod| pod["spec"]["nodeName"].is_null()).map(uid).collect();
    assert_eq!(undone.len(), 40, "the backup has undone their bindings, and the label of every node");
    println!("fence {fence}, of the backup {:?}", lease(cluster));
    cluster.kubectl(&label).unwrap();
    all_run(cluster, 60);
    // A pod that is new to everybody, under whoever leads by now.
    job(cluster, 25);
    all_run(cluster, 65);

    let asked = asked(cluster);
    let (before, after) = (bindings(&asked[..log]), bindings(&asked[log..]));
    for (when, bound) in [("before", &before), ("after", &after)] {
        assert_eq!(bound.iter().find(|(_, fences)| fences.len() > 1), None, "bound twice {when} the restore");
    }
    let highest = before.values().flatten().max().unwrap();
    assert!(after.values().flatten().all(|fence| fence > highest), "{highest}, and then {after:?}");
    assert!(lease(cluster).1 > fence, "{:?} after {fence}", lease(cluster));

    let decisions = tell_all(controllers, cluster);
    assert!(ids(&decisions).is_superset(&recorded), "nothing that was recorded is lost");
    for pod in &undone {
        let mine = |it: &&Value| it["subject"]["uid"] == **pod && it["verb"] == "Place" && it["outcome"] == "Done";
        assert_eq!(decisions.iter().filter(mine).count(), 2, "{pod} was placed before and after");
    }
    cluster.asked_only_what_is_known_though_hurt().unwrap_or_else(|error| panic!("{error:#}"));
}

/// How often the Lease was read.
fn looks(cluster: &Cluster) -> usize {
    let look = |asked: &&Asked| asked.what == "get leases" && asked.name == "keelson-scheduling";
    asked(cluster).iter().filter(look).count()
}

fn says_so(folder: &Path, identity: &str) -> bool {
    std::fs::read_to_string(folder.join(identity).join("log")).unwrap().contains("restored from an older state")
}

#[test]
fn what_a_restored_backup_has_undone_is_decided_again_under_a_higher_number() {
    let (mut cluster, kubeconfig) = cluster(20);
    let folder = tempfile::tempdir().unwrap();
    let a = controller(&kubeconfig, folder.path(), "a");
    until("it leads", 30, || (lease(&cluster).0 == "a").then_some(()));
    is_restored(&mut cluster, &[&a], |_| ());
    assert!(says_so(folder.path(), "a"), "and says so");
}

#[test]
fn a_standby_whom_the_backup_calls_the_leader_and_the_one_who_leads_agree_on_one() {
    let (mut cluster, kubeconfig) = cluster(20);
    let folder = tempfile::tempdir().unwrap();
    let a = controller(&kubeconfig, folder.path(), "a");
    until("a leads", 30, || (lease(&cluster).0 == "a").then_some(()));
    let b = controller(&kubeconfig, folder.path(), "b");
    is_restored(&mut cluster, &[&a, &b], |cluster| {
        a.signal(Signal::SIGSTOP);
        until("b leads", 60, || (lease(cluster).0 == "b").then_some(()));
        let looks = looks(cluster);
        a.signal(Signal::SIGCONT);
        // A leader writes its Lease without reading it: only who follows looks.
        until("a has seen under which number b leads", 30, || (self::looks(cluster) > looks).then_some(()));
    });
    println!("after the restore: {:?}", lease(&cluster));
    assert!(says_so(folder.path(), "a") || says_so(folder.path(), "b"), "and one of them says so");
}
