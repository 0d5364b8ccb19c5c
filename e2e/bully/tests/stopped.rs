//! A leader that stood still for a minute in the middle of evictions, on a real control plane: its audit log is the judge.
//!
//! Needs root and Go, as every test of the real cluster does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

mod support;

use std::time::{Duration, Instant};

use keelson_harness::Cluster;
use keelson_runtime::user_agent::made_under;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{Loose, WORKLOADS, cluster, evictions, evictions_in, open_shops, rules, until};

/// What makes a request harmless that an older leader's process sent after it was replaced.
const HARMLESS: [(&str, &str); 3] = [
    ("create pods/eviction", "names the pod's uid"),
    ("patch platforms/status", "names the resourceVersion"),
    ("patch leases", "names the resourceVersion"),
];

/// What the leader of a feature asked for and got, or may have.
struct Led {
    fence: u64,
    /// `verb resource`.
    what: String,
    name: String,
    /// What was answered 504 may have been carried out.
    got: bool,
}

fn led(audited: &[Value]) -> Vec<Led> {
    let told = |event: &Value| {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (_, fence) = made_under(&text("/userAgent"))?;
        let code = event["responseStatus"]["code"].as_u64().unwrap_or(0);
        let what = [text("/objectRef/resource"), text("/objectRef/subresource")].join("/");
        let what = format!("{} {}", text("/verb"), what.trim_end_matches('/'));
        (event["stage"] == "ResponseComplete" && (code < 300 || code == 504)).then(|| Led {
            fence,
            what,
            name: text("/objectRef/name"),
            got: code < 300,
        })
    };
    audited.iter().filter_map(told).collect()
}

fn holder(cluster: &Cluster) -> String {
    let path = "--output=jsonpath={.spec.holderIdentity}";
    let lease = ["get", "lease", "keelson-scheduling", "--namespace=keelson-system", path];
    cluster.kubectl(&lease).unwrap_or_default()
}

/// The library of Debian's faketime, which lies in a folder of the machine's architecture.
fn faketime() -> String {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|path| path.exists());
    found.expect("install the Debian package faketime").display().to_string()
}

#[test]
fn one_that_stood_still_for_a_minute_evicts_nothing_late_with_clocks_an_hour_apart() {
    let cluster = cluster();
    let kubeconfig = cluster.user("bully", &rules(true)).unwrap();
    let faketime = faketime();
    let hour = [("LD_PRELOAD", faketime.as_str()), ("FAKETIME", "+1h"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let one = Loose::on(&kubeconfig, "one", &[]);
    until("one leads", 30, || holder(&cluster) == "one");
    let _two = Loose::on(&kubeconfig, "two", &hour);
    until("it is in the middle of evicting", 30, || evictions(&cluster, true) > 3);
    let signal = |signal| kill(Pid::from_raw(i32::try_from(one.0.id()).unwrap()), signal).unwrap();
    signal(Signal::SIGSTOP);
    let since = Instant::now();
    until("two leads", 40, || holder(&cluster) == "two");
    let before = evictions(&cluster, true);
    // Workloads that need no rest.
    open_shops(&cluster, WORKLOADS..2 * WORKLOADS);
    until("two evicts", 30, || evictions(&cluster, true) > before);
    std::thread::sleep(Duration::from_secs(60).saturating_sub(since.elapsed()));
    signal(Signal::SIGCONT);
    // Counted before: a new workload is evicted from while the last of them is still starting.
    let before = evictions(&cluster, true);
    open_shops(&cluster, 2 * WORKLOADS..3 * WORKLOADS);
    until("somebody goes on", 30, || evictions(&cluster, true) > before);
    assert_eq!(holder(&cluster), "two", "whoever stood still stays behind");

    let (mut newest, mut harmful) = (0, Vec::new());
    // Read once: it goes on evicting.
    let audited = cluster.audited().unwrap();
    let led = led(&audited);
    for Led { fence, what, name, .. } in &led {
        if *fence < newest {
            println!("fence {fence} after {newest}: {what} {name}");
            harmful.extend(HARMLESS.iter().all(|(harmless, _)| harmless != what).then_some(what));
        }
        newest = newest.max(*fence);
    }
    assert_eq!(harmful, Vec::<&String>::new());
    let evicted = led.iter().filter(|it| it.what == "create pods/eviction" && it.got);
    let under = |fence: u64| evicted.clone().filter(|it| it.fence == fence).count();
    println!("{} evictions under fence 1, {} under fence 2", under(1), under(2));
    assert!(newest == 2 && under(1) > 0 && under(2) > 0);
    let all = evictions_in(&audited, true);
    assert_eq!(all, under(1) + under(2), "every eviction shows its fence");
    cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}
