//! Asks for the ConfigMaps with round-trip times, and puts the answers on the board.
//!
//! Every replica asks, leader or not, so that all have the same board. Each ConfigMap is asked for by its name: the right to
//! that alone is granted, where somebody asks for it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use keelson_api::NetworkTopology;
use keelson_cluster::read::network::{Name, measured};
use keelson_core::Span;
use keelson_runtime::{Cache, Listing, Runtime};

use super::network::read_topology;
use crate::times::{Missing, NetworkTimes};

/// It is asked once a minute. Measuring takes netperf's component minutes.
const REST: Span = Span::seconds(55);
/// A NetworkTopology that changes is looked at sooner, but not more often than this.
const SOONER: Span = Span::seconds(5);
/// So many ConfigMaps are asked for; a cluster has one.
const MOST: usize = 16;

/// Asks until the process stops.
pub(super) async fn keep(rt: Runtime) {
    tokio::select! {
        () = rt.stopping() => {}
        () = ask(&rt) => {}
    }
}

async fn ask(rt: &Runtime) {
    let (clock, topologies) = (rt.clock(), rt.optional_cache::<NetworkTopology>());
    topologies.synced().await;
    let mut changes = topologies.changes();
    loop {
        changes.mark_unchanged();
        let mut answers = BTreeMap::new();
        for name in named(&topologies) {
            let answer = match rt.look_up::<ConfigMap>(&name.0, &name.1).await {
                Listing::Read(written) => written.first().map(|written| measured(written)).ok_or(Missing::Absent),
                Listing::Absent => Err(Missing::Absent),
                Listing::Forbidden(_) => Err(Missing::Forbidden),
                Listing::Failed(why) => Err(Missing::Failed(why)),
            };
            answers.insert(name, answer);
        }
        rt.facts().fold(clock.now(), None, |times: &mut NetworkTimes| times.heard(answers));
        clock.sleep(SOONER).await;
        tokio::select! {
            () = clock.sleep(REST) => {}
            // The cache lives as long as the runtime.
            _ = changes.changed() => {}
        }
    }
}

/// The ConfigMaps that NetworkTopologies name.
fn named(topologies: &Cache<NetworkTopology>) -> BTreeSet<Name> {
    let named = topologies.list().filter_map(|topology| {
        let read = read_topology(&topology, "");
        read.config_map.map(|name| (read.name.0, name))
    });
    named.take(MOST).collect()
}
