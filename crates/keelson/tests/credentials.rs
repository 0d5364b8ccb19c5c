//! What proves us to the API server, and it to us, is replaced while the controller runs: certificates and tokens.
//!
//! Needs root and Go, as every test of the real cluster does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

#[path = "support/binding.rs"]
mod binding;
mod support;

use std::time::{Duration, Instant};

use binding::{Controller, bound_at_most_once, cluster, job, lease, running};
use keelson_harness::{Cluster, Component};
use support::install::rules;
use support::{faketime, until};

fn all_run(cluster: &Cluster, count: usize) {
    job(cluster, count);
    until(&format!("{count} pods run"), 60, || (running(cluster) == count).then_some(()));
}

#[test]
fn certificates_are_rotated_under_a_controller_that_goes_on() {
    let (mut cluster, _) = cluster(10);
    const LASTS: Duration = Duration::from_secs(40);
    let made = Instant::now();
    let kubeconfig = cluster.certified_user("ada", &rules(), LASTS).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let controller = Controller::start(&kubeconfig, folder.path(), "a", &[], &[]);
    until("it leads", 30, || (lease(&cluster).0 == "a").then_some(()));
    all_run(&cluster, 20);

    cluster.certify("ada", Duration::from_secs(3_600)).unwrap();
    cluster.rotate_serving_certificate().unwrap();
    // Connections that were open go on as they are: each has to be made anew.
    cluster.stop(Component::ApiServer).unwrap();
    cluster.start_again(Component::ApiServer).unwrap();
    controller.says_api(true);
    let fence = lease(&cluster).1;
    std::thread::sleep((LASTS + Duration::from_secs(2)).saturating_sub(made.elapsed()));
    all_run(&cluster, 40);
    println!("fence {fence}, and then {:?}", lease(&cluster));
    bound_at_most_once(&cluster);
    controller.tells_all(&cluster);
    let said = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(said.contains("have changed, and were read again"), "and says so");
    cluster.asked_only_what_is_known_though_hurt().unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn a_token_that_is_worthless_is_shown_and_its_successor_in_the_file_is_taken() {
    let (cluster, _) = cluster(10);
    let kubeconfig = cluster.user_with_token_file("bob", &rules()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // kube reads such a file again after fifty seconds by the wall clock; that is put on, and nothing else.
    let ahead = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ahead.path(), "+0").unwrap();
    let (file, faketime) = (ahead.path().display().to_string(), faketime());
    let clocks = [
        ("LD_PRELOAD", faketime.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let controller = Controller::start(&kubeconfig, folder.path(), "b", &clocks, &[]);
    until("it leads", 30, || (lease(&cluster).0 == "b").then_some(()));
    all_run(&cluster, 20);

    let fresh = cluster.revoke_tokens("bob").unwrap();
    controller.says_api(false);
    std::fs::write(cluster.token_file("bob"), fresh).unwrap();
    std::fs::write(ahead.path(), "+60s").unwrap();
    controller.says_api(true);
    all_run(&cluster, 40);
    bound_at_most_once(&cluster);
    controller.tells_all(&cluster);
    cluster.asked_only_what_is_known_though_hurt().unwrap_or_else(|error| panic!("{error:#}"));
}
