//! NodeNetworks become the fact of what nodes' interfaces carry.
//!
//! Every replica follows them, leader or not, so that all have the same board. They change often, one node after another:
//! what comes within a moment is put on the board at once.

use keelson_api::{NodeNetwork, names};
use keelson_core::{NodeBandwidth, Span};
use keelson_runtime::Runtime;
use keelson_runtime::cache::Delta;
use keelson_runtime::permissions::Rule;

use crate::interfaces::read;

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
        rt.facts().fold(clock.now(), None, |known: &mut NodeBandwidth| {
            heard.into_iter().for_each(|delta| take_in(known, delta));
        });
    }
}

fn take_in(known: &mut NodeBandwidth, delta: Delta<NodeNetwork>) {
    let name = |object: &NodeNetwork| object.metadata.name.clone().unwrap_or_default();
    match delta {
        Delta::Restarted(all) => known.0 = all.map(|object| (name(&object), read(&object))).collect(),
        Delta::Applied(object) => _ = known.0.insert(name(&object), read(&object)),
        Delta::Deleted(object) => _ = known.0.remove(&name(&object)),
    }
}
