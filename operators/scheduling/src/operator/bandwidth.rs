//! NodeNetworks become the facts of what nodes' interfaces carry, and of what pods of workloads used of them.
//!
//! Every replica follows them, leader or not, so that all have the same board. They change often, one node after another:
//! what comes within a moment is put on the board at once.

use std::collections::BTreeMap;

use keelson_api::{NodeNetwork, names};
use keelson_core::{NodeBandwidth, Span, WorkloadUsage};
use keelson_runtime::Runtime;
use keelson_runtime::cache::Delta;
use keelson_runtime::permissions::Rule;

use crate::{interfaces, learned};

/// What comes within this long is one change.
const GATHERED: Span = Span::millis(500);

/// What following them needs.
pub(super) fn permission() -> Rule {
    Rule::follow(names::GROUP, &["nodenetworks"])
}

/// Follows them until the process stops.
pub(super) async fn keep(rt: Runtime) {
    tokio::select! {
        () = rt.stopping() => {}
        () = follow(&rt) => {}
    }
}

async fn follow(rt: &Runtime) {
    let (clock, mut objects) = (rt.clock(), rt.optional_cache::<NodeNetwork>().subscribe());
    loop {
        let mut heard = vec![objects.next().await];
        let until = clock.now() + GATHERED;
        loop {
            tokio::select! {
                biased;
                delta = objects.next() => heard.push(delta),
                () = clock.sleep_until(until) => break,
            }
            if clock.now() >= until {
                break;
            }
        }
        let now = clock.now();
        let rest = heard.clone();
        rt.facts().fold(now, None, |known: &mut NodeBandwidth| take_in(&mut known.0, heard, interfaces::read));
        rt.facts().fold(now, None, |known: &mut WorkloadUsage| take_in(&mut known.0, rest, learned::read));
    }
}

/// Keeps by node what is read of the objects.
fn take_in<T>(known: &mut BTreeMap<String, T>, heard: Vec<Delta<NodeNetwork>>, read: fn(&NodeNetwork) -> T) {
    let name = |object: &NodeNetwork| object.metadata.name.clone().unwrap_or_default();
    for delta in heard {
        match delta {
            Delta::Restarted(all) => *known = all.map(|object| (name(&object), read(&object))).collect(),
            Delta::Applied(object) => _ = known.insert(name(&object), read(&object)),
            Delta::Deleted(object) => _ = known.remove(&name(&object)),
        }
    }
}
