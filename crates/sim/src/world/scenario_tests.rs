//! An evening and a day of wear, played to their ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::{Span, Timestamp};
use sha2::{Digest, Sha256};

use super::invariants::{Invariant, Invariants};
use super::kinds::{DEPLOYMENTS, EVENTS, NODES, PODS, REPLICA_SETS, STATEFUL_SETS};
use super::nodes::NodeSpec;
use super::read::{condition, int, name, text};
use super::rig::{Scene, deployment};
use super::scenario::{EVENING, Scenario};
use super::script::Deed;
use super::{Settings, drive};
use crate::objects::Resource;
use crate::tree::json;

/// Plays a span with a checker and without keeping the events.
fn play(scene: &mut Scene, span: Span, checker: &mut Invariants) -> u64 {
    let end = scene.now + span;
    let mut events = 0;
    drive::play(&mut scene.world, &mut scene.api, scene.now, end, |event, now| {
        events += 1;
        checker.see(event, now);
    });
    scene.now = end;
    events
}

fn evening(seed: u64) -> Scene {
    let mut scene = Scene::new(seed, Settings::default());
    scene.now = Timestamp::parse(EVENING).unwrap();
    let scenario = Scenario::evening(seed, "default-scheduler", "default-scheduler").unwrap();
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
fn the_night_lives_too() {
    let mut scene = evening(4);
    let mut hours = [0_usize; 12];
    let (mut checker, begin, end) = (Invariants::new(), scene.now, scene.now + Span::hours(12));
    drive::play(&mut scene.world, &mut scene.api, begin, end, |event, now| {
        checker.see(event, now);
        let bound = event.resource == EVENTS && text(&event.object, "reason") == "Scheduled";
        let hour = usize::try_from(now.since(begin).0 / Span::hours(1).0).unwrap().min(11);
        hours[hour] += usize::from(bound && text(&event.object, "metadata.namespace") == "online-boutique");
    });
    assert!(hours.iter().all(|placed| *placed >= 30), "at every hour pods are placed: {hours:?}");
    assert_eq!(checker.broken(), []);
}

#[test]
fn what_a_script_does_it_does_again() {
    let mut scene = Scene::new(1, Settings::default());
    let spec = NodeSpec::new("spot", "eu-west-1a", "m6i.large", 4, 16);
    let script = vec![
        (Span::minutes(5), Deed::Reclaim("spot".to_owned(), Span::minutes(2))),
        (Span::minutes(10), Deed::AddNode(spec.clone())),
    ];
    let again = Some(Span::minutes(20));
    let scenario = Scenario { nodes: vec![spec], script, again, ..Scenario::default() };
    scene.act(|world, cluster| world.follow(scenario, cluster)).unwrap();
    let (mut lost, end) = (0, scene.now + Span::minutes(55));
    drive::play(&mut scene.world, &mut scene.api, scene.now, end, |event, _| {
        lost += usize::from(event.resource == NODES && event.deleted);
    });
    assert_eq!((lost, scene.list(NODES).len()), (3, 1));
}

#[test]
fn the_machines_that_go_on_one_evening_come_on_the_next() {
    let script = Scenario::evening(4, "a", "b").unwrap().script;
    let (mut gone, mut came) = (Vec::new(), Vec::new());
    for (after, deed) in &script {
        match deed {
            Deed::Reclaim(name, _) => gone.push((after.0 / Span::hours(24).0, name.clone())),
            Deed::AddNode(spec) => came.push((1 - after.0 / Span::hours(24).0, spec.name.clone())),
            _ => {}
        }
    }
    gone.sort();
    came.sort();
    assert_eq!((gone.len(), &gone), (6, &came));
}

#[test]
fn jobs_on_spot_machines_wait_for_one_another() {
    let mut scene = evening(4);
    play(&mut scene, Span::minutes(22), &mut Invariants::new());
    let tasks: Vec<_> = scene.list(PODS).into_iter().filter(|pod| name(pod).starts_with("images-")).collect();
    let waiting = tasks.iter().filter(|pod| text(pod, "spec.nodeName").is_empty()).count();
    assert_eq!((tasks.len(), waiting), (8, 2));
    play(&mut scene, Span::minutes(7), &mut Invariants::new());
    let left = scene
        .list(PODS)
        .iter()
        .filter(|pod| name(pod).starts_with("images-") && text(pod, "status.phase") != "Succeeded")
        .count();
    assert_eq!(left, 0, "all ran");
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
fn a_morning_of_wear_breaks_nothing() {
    let mut scene = Scene::new(5, Settings { events: false, ..Settings::default() });
    let scenario = Scenario::churn(5, 50, 500, "default-scheduler");
    scene.act(|world, cluster| world.follow(scenario, cluster)).unwrap();
    let mut checker = Invariants::new();
    let events = play(&mut scene, Span::hours(4), &mut checker);
    assert_eq!(checker.broken(), []);
    for invariant in Invariant::ALL {
        assert!(checker.at_stake().contains_key(&invariant), "{invariant:?} was never at stake");
    }
    assert!(events > 2_000, "{events} events");
}

/// Everything that is asked for comes about, and nothing outlives its owner, whatever the order of wishes.
#[test]
fn wishes_come_true_and_nothing_is_left_behind() {
    for seed in 0..3 {
        let chance = super::chance::Chance::new(seed);
        let mut scene = Scene::new(seed, Settings { events: false, ..Settings::default() }).nodes(6, 8, 32);
        let names = ["a", "b", "c"];
        for name in names {
            scene.create(DEPLOYMENTS, deployment(name, 3, "200m"));
        }
        for step in 0..12 {
            let key = step.to_string();
            let name = names[usize::try_from(chance.below("name", &key, 3)).unwrap()];
            let patch = match chance.below("what", &key, 2) {
                0 => json!({"spec": {"replicas": chance.below("replicas", &key, 15)}}),
                _ => json!({"spec": {"template": {"metadata": {"annotations": {"v": key}}}}}),
            };
            scene.merge(DEPLOYMENTS, name, patch);
            scene.rest(chance.span("pause", &key, Span::ZERO, Span::seconds(30)));
        }
        scene.rest(Span::minutes(10));
        let mut wanted = 0;
        for name in names {
            let asked = scene.get(DEPLOYMENTS, name);
            let replicas = int(&asked, "spec.replicas").unwrap();
            wanted += usize::try_from(replicas).unwrap();
            let has = |field: &str| int(&asked, field).unwrap_or(0);
            assert_eq!(has("status.availableReplicas"), replicas, "seed {seed}: {asked:#}");
            assert_eq!(has("status.updatedReplicas"), replicas, "seed {seed}: {asked:#}");
        }
        assert_eq!(scene.list(PODS).len(), wanted, "seed {seed}");
        names.iter().for_each(|name| scene.delete(DEPLOYMENTS, name));
        scene.rest(Span::minutes(2));
        assert!(scene.list(PODS).is_empty() && scene.list(REPLICA_SETS).is_empty(), "seed {seed}");
    }
}

#[test]
fn an_evening_repeats_itself_to_the_byte() {
    let trace = |seed| {
        let mut scene = evening(seed);
        scene.rest(Span::minutes(8));
        let mut hasher = Sha256::new();
        scene.log.iter().for_each(|event| hasher.update(event.object.to_string()));
        (scene.log.len(), hasher.finalize())
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}
