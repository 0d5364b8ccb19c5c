//! How far a feature that evicts everything gets, on a real control plane: its audit log is the judge.
//!
//! Needs root and Go, as every test of the real cluster does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Loose, WORKLOADS, cluster, evictions, open_shops, rules, until};

#[test]
fn gate_pause_and_breaker_stop_it() {
    let cluster = cluster();
    let kubeconfig = cluster.user("bully", &rules(true)).unwrap();
    let loose = Loose::on(&kubeconfig, "one", &[]);
    until("it evicts", 60, || evictions(&cluster, true) > 0);
    std::thread::sleep(Duration::from_secs(15));
    // Each workload rests a minute, and a tenth of the cluster may be away.
    let taken = evictions(&cluster, true);
    assert!(taken <= WORKLOADS, "{taken} pods within 15 s");

    let pause = |paused: bool| {
        let patch = json!({"spec": {"features": {"scheduling": {"paused": paused}}}}).to_string();
        cluster.kubectl(&["patch", "platform", "default", "--type=merge", "--patch", &patch]).unwrap();
    };
    pause(true);
    std::thread::sleep(Duration::from_secs(1));
    let by_then = evictions(&cluster, true);
    // Workloads that need no rest, and with them twice as many pods that may be away: but for the pause it would go on.
    open_shops(&cluster, WORKLOADS..2 * WORKLOADS);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(evictions(&cluster, true), by_then, "a pause stops it within a second");
    pause(false);
    until("it goes on at once", 5, || evictions(&cluster, true) > by_then);
    drop(loose);

    // Where evictions are forbidden, it is stopped before it has asked for every pod.
    let kubeconfig = cluster.user("powerless", &rules(false)).unwrap();
    let _loose = Loose::on(&kubeconfig, "two", &[]);
    let open = || {
        let said = cluster.kubectl(&["get", "platform", "default", "--output=json"]).unwrap();
        said.contains("BreakerOpen") && said.contains("decisions failed")
    };
    until("the breaker opens", 120, open);
    let asked = evictions(&cluster, false);
    std::thread::sleep(Duration::from_secs(10));
    assert!(asked <= 20 && evictions(&cluster, false) <= asked + 4, "{asked}, then {}", evictions(&cluster, false));
    cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}
