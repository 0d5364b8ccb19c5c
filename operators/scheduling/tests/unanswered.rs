//! Bindings that nobody answers: their pods may be on their nodes, or come there yet; on virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use keelson_core::{Mode, Outcome, Reason, Verb};
use keelson_sim::face::faults::Faults;
use serde_json::{Value, json};
use support::{Mute, Scene, seconds};

/// Only one of them can be on the node.
fn with_a_port() -> Value {
    let ports = json!([{"containerPort": 80, "hostPort": 8_000}]);
    json!({"containers": [{"name": "c", "image": "web", "resources": {"requests": {"cpu": "100m"}}, "ports": ports}]})
}

#[tokio::test(start_paused = true)]
async fn a_binding_keeps_its_place_until_it_is_known_how_it_went() {
    for writes_later in [true, false] {
        let scene = Scene::new(60, Mode::Enforce).nodes(1, 4);
        let process = scene.process("a", Faults::none(), true);
        seconds(20).await;
        *scene.mute.lock().unwrap() = Some(Mute { pod: "first", writes_later });
        scene.schedule("first", "keelson", "100m", with_a_port());
        seconds(20).await;
        let decision = process.last("first");
        assert_eq!((decision.verb, decision.outcome), (Verb::Place, Outcome::Pending), "nobody could look yet");
        scene.schedule("second", "keelson", "100m", with_a_port());
        // Also when the process that began it stops leading for a while.
        process.lease_faults.outage(true);
        seconds(20).await;
        process.lease_faults.outage(false);
        seconds(20).await;
        assert_eq!(process.last("second").reason, Reason::Unschedulable, "{}", process.last("second").sentence);
        *scene.mute.lock().unwrap() = None;
        seconds(30).await;
        let first = process.decision(decision.id);
        assert_eq!(first.outcome, if writes_later { Outcome::Done } else { Outcome::Failed }, "{first:#?}");
        seconds(60).await;
        assert_eq!(scene.node_of("first").or(scene.node_of("second")).as_deref(), Some("node-0"));
        assert!(!writes_later || scene.node_of("first").is_some());
        scene.unbroken();
    }
}
