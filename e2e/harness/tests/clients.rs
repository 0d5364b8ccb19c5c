//! Ordinary clients on a real kube-apiserver: what the double is held against is still the truth.
//!
//! With `KEELSON_RECORD=1` what they are told is kept instead; look at the diff.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../crates/sim/tests/clients/mod.rs"]
mod clients;

use clients::{CLIENTS, differences, kept, told};
use keelson_harness::tools::Toolset;
use keelson_harness::{Cluster, Config};

#[test]
fn ordinary_clients_are_told_by_a_real_api_server_what_is_kept() {
    let cluster = Cluster::start(Config { default_scheduler: false, ..Config::default() })
        .unwrap_or_else(|error| panic!("{error:#}"));
    let kubectl = Toolset::Kubernetes.ready().unwrap().join("kubectl");
    let mut different = Vec::new();
    std::thread::scope(|scope| {
        let start = |client| {
            let (cluster, kubectl) = (&cluster, &kubectl);
            (client, scope.spawn(move || told(client, &cluster.kubeconfig(), kubectl)))
        };
        for (client, running) in CLIENTS.map(start) {
            let told = running.join().unwrap();
            if std::env::var_os("KEELSON_RECORD").is_some() {
                std::fs::write(kept(client), told).unwrap();
            } else {
                different.extend(differences(client, &told));
            }
        }
    });
    assert!(different.is_empty(), "- kept, + told now\n{}", different.join("\n"));
    cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}
