//! An evening and a day of wear, played to their ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::{Span, Timestamp};

use super::invariants::{Invariant, Invariants};
use super::kinds::{DEPLOYMENTS, NODES, PODS, REPLICA_SETS, STATEFUL_SETS};
use super::read::{condition, int, name, text};
use super::rig::{Scene, active};
use super::scenario::{EVENING, Scenario};
use super::{Settings, drive};
use crate::objects::Resource;

/// Plays a span with a checker and without keeping the events.
fn play(scene: &mut Scene, span: Span, checker: &mut Invariants) -> u64 {
    let end = scene.now + span;
    let mut events = 0;
    loop {
        let next = drive::catch_up(&mut scene.world, &mut scene.api, scene.now, |event, now| {
            events += 1;
            checker.see(event, now);
        });
        match next.filter(|next| *next <= end) {
            Some(next) => scene.now = next,
            None => break,
        }
    }
    scene.now = end;
    events
}

fn evening(seed: u64) -> Scene {
    let mut scene = Scene::new(seed, Settings::default());
    scene.now = Timestamp::parse(EVENING).unwrap();
    let scenario = Scenario::evening(seed, "default-scheduler").unwrap();
    scene.act(|world, cluster| world.follow(scenario, cluster)).unwrap();
    scene
}

fn replicas(scene: &mut Scene, resource: Resource, name: &str) -> (i64, i64) {
    let object = scene.find(resource, "streaming", name).unwrap();
    (int(&object, "spec.replicas").unwrap(), int(&object, "status.readyReplicas").unwrap_or(0))
}

#[test]
fn an_evening_grows_with_its_viewers_and_shrinks_again() {
    let mut scene = evening(1);
    let mut checker = Invariants::new();
    play(&mut scene, Span::minutes(30), &mut checker);
    assert_eq!(replicas(&mut scene, STATEFUL_SETS, "edge-cache"), (6, 6));
    assert_eq!(replicas(&mut scene, DEPLOYMENTS, "transcoder"), (12, 12));
    assert_eq!(replicas(&mut scene, STATEFUL_SETS, "origin"), (3, 3));
    play(&mut scene, Span::minutes(280), &mut checker);
    let (wanted, ready) = replicas(&mut scene, STATEFUL_SETS, "edge-cache");
    assert!(wanted >= 18 && ready >= 17, "at 22:10: {ready} of {wanted}");
    play(&mut scene, Span::minutes(110), &mut checker);
    assert!(replicas(&mut scene, STATEFUL_SETS, "edge-cache").0 <= 8);
    assert_eq!(checker.broken(), []);
    assert_eq!(scene.list(NODES).len(), 36, "what was reclaimed was replaced");
}

#[test]
fn a_batch_that_fits_nowhere_says_so() {
    let mut scene = evening(2);
    play(&mut scene, Span::minutes(95), &mut Invariants::new());
    let waiting: Vec<_> = scene.list(PODS).into_iter().filter(|pod| name(pod).starts_with("render-")).collect();
    assert_eq!(waiting.len(), 4);
    for pod in waiting {
        let scheduled = condition(&pod, "PodScheduled").unwrap();
        assert_eq!(text(scheduled, "reason"), "Unschedulable");
        assert!(text(scheduled, "message").contains("Insufficient cpu"), "{pod:#}");
    }
}

#[test]
fn a_day_of_wear_breaks_nothing() {
    let mut scene = Scene::new(5, Settings { events: false, ..Settings::default() });
    let scenario = Scenario::churn(5, 50, 500, "default-scheduler");
    scene.act(|world, cluster| world.follow(scenario, cluster)).unwrap();
    let mut checker = Invariants::new();
    let events = play(&mut scene, Span::hours(24), &mut checker);
    assert_eq!(checker.broken(), []);
    for invariant in Invariant::ALL {
        assert!(checker.at_stake().contains_key(&invariant), "{invariant:?} was never at stake");
    }
    eprintln!("{events} events, at stake {:?}", checker.at_stake());
    // When the wear stops, everything is as it was asked for.
    play(&mut scene, Span::hours(1), &mut checker);
    let pods = active(&scene.api.cluster(scene.now)).len();
    let sets = scene.list(REPLICA_SETS);
    let wanted: i64 = sets.iter().filter_map(|set| int(set, "spec.replicas")).sum();
    let jobs = scene.list(super::kinds::JOBS).len();
    assert!(
        i64::try_from(pods).unwrap() >= wanted && pods <= usize::try_from(wanted).unwrap() + 4 * jobs,
        "{pods} of {wanted}"
    );
}
