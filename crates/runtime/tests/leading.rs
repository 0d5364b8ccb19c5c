//! One leader, warm standbys, and what a net that fails does to them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use http::Method;
use k8s_openapi::api::core::v1::Pod;
use keelson_core::{Feature, Outcome, Span};
use keelson_runtime::{Cache, History};
use serde_json::json;
use support::{Fault, Process, World, millis, seconds};

#[tokio::test(start_paused = true)]
async fn one_leads_and_the_other_stays_warm_and_takes_over_at_once_when_the_lease_is_given_back() {
    let world = World::prepared(1, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    let b = world.process("b", |config| config.seed = 2);
    let pods = b.runtime.cache::<Pod>();
    seconds(60).await;
    assert!(a.switch().leading && !b.switch().leading);
    assert!(pods.is_synced(), "a standby reads");
    assert_eq!(b.runtime.health().leases[&Feature::Scheduling].holder, "a");
    let fence = a.switch().fence;
    a.runtime.shutdown().await;
    assert!(!a.switch().leading);
    let lease = world.get("coordination.k8s.io/v1", "Lease", Some("keelson"), "keelson-scheduling").await.unwrap();
    assert_eq!(lease["spec"]["holderIdentity"], "");
    seconds(3).await;
    assert!(b.switch().leading, "no need to wait for it to expire");
    assert!(b.switch().fence > fence, "{} after {fence}", b.switch().fence);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_before_another_starts() {
    for (seed, fault) in [(1, Fault::Down), (2, Fault::Hang), (3, Fault::Refuse(503, None)), (4, Fault::Lose)] {
        let world = World::prepared(seed, json!({})).await;
        let a = world.process("a", |config| config.seed = seed);
        a.leads().await;
        let b = world.process("b", |config| config.seed = seed + 100);
        seconds(30).await;
        let given = fault.clone();
        // Of reads and writes alike; of writes alone when answers are lost: they renew, and nobody knows.
        let writes_only = matches!(fault, Fault::Lose);
        a.lease_net.rule(move |method, _| (!writes_only || method != Method::GET).then(|| given.clone()));
        let mut changed_hands = false;
        for _ in 0..600 {
            millis(100).await;
            let (of_a, of_b) = (a.switch(), b.switch());
            assert!(!(of_a.leading && of_b.leading), "two lead under {fault:?}");
            changed_hands |= of_b.leading;
        }
        assert!(changed_hands, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_is_one_call_and_a_lease_that_was_taken_is_noticed_by_it() {
    let world = World::prepared(8, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    let before = a.lease_net.log().len();
    seconds(60).await;
    let calls = a.lease_net.log().split_off(before);
    assert!((30..=60).contains(&calls.len()) && calls.iter().all(|call| call.contains(" PATCH ")), "{calls:?}");
    let stolen = json!({"spec": {"holderIdentity": "somebody"}});
    world.merge("coordination.k8s.io/v1", "Lease", Some("keelson"), "keelson-scheduling", stolen).await;
    seconds(3).await;
    assert!(!a.switch().leading, "the next renewal meets another version, reads it, and stops");
}

#[tokio::test(start_paused = true)]
async fn a_lease_deleted_under_its_leader_makes_no_second_one() {
    let world = World::prepared(9, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    let b = world.process("b", |config| config.seed = 2);
    for _ in 0..20 {
        seconds(20).await;
        let lease = world.api("coordination.k8s.io/v1", "Lease", Some("keelson"));
        lease.delete("keelson-scheduling", &Default::default()).await.unwrap();
        for _ in 0..100 {
            millis(50).await;
            assert!(!(a.switch().leading && b.switch().leading), "two lead");
            assert!(a.runtime.health().api.unwrap().ok, "that it is gone is an answer");
        }
    }
    assert!(a.switch().leading && a.switch().fence > 20, "whoever led knows first, and leads on under a higher number");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_missing_is_said_and_leads_nobody() {
    let world = World::prepared(10, json!({})).await;
    let a = world.process("a", |config| "nowhere".clone_into(&mut config.namespace));
    seconds(30).await;
    assert!(!a.switch().leading);
    let said = a.runtime.health().api.unwrap().detail;
    assert!(said.contains("namespaces \"nowhere\" not found"), "{said:?}");
}

/// A leader `a`, and a standby that has read the pods there were and gets no further word of them.
async fn a_leader_and_a_deaf_standby(seed: u64) -> (World, Process, Process, Cache<Pod>) {
    let world = World::prepared(seed, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    let b = world.process("b", |config| config.seed = 2);
    b.net.rule(|_, path| (path.contains("/pods") && path.contains("watch=true")).then_some(Fault::Hang));
    let pods = b.runtime.cache::<Pod>();
    pods.synced().await;
    world.pod("late").await;
    seconds(10).await;
    assert!(pods.get("shop", "late").is_none());
    (world, a, b, pods)
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_knows_what_happened_before_it_led() {
    let (_world, a, b, pods) = a_leader_and_a_deaf_standby(11).await;
    a.runtime.shutdown().await;
    b.leads().await;
    assert!(pods.get("shop", "late").is_some(), "it read again first");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_again_holds_a_new_leader_up_for_a_minute_and_not_longer() {
    let (_world, a, b, pods) = a_leader_and_a_deaf_standby(12).await;
    b.net.rule(|_, path| path.contains("/pods").then_some(Fault::Refuse(500, None)));
    a.runtime.shutdown().await;
    seconds(50).await;
    assert_eq!((b.switch().leading, b.runtime.health().leases[&Feature::Scheduling].holder.as_str()), (false, "b"));
    seconds(15).await;
    assert!(b.switch().leading && pods.get("shop", "late").is_none());
    let caches = b.runtime.health().caches;
    assert!(caches.iter().any(|cache| cache.kind == "Pod" && cache.error.is_some()), "and says what it lacks");
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_says_how_what_its_predecessor_left_open_went() {
    let world = World::prepared(13, json!({})).await;
    let before = world.process("a", |_| {});
    let open = |subject| keelson_core::Decision { outcome: Outcome::Pending, ..before.decision(subject) };
    world.node("n1").await;
    let pods = [world.pod("bound").await, world.pod("unbound").await, world.pod("gone").await];
    let decisions = pods.each_ref().map(open);
    let annotations = json!({"keelson.dev/decision": decisions[0].id});
    world.merge("v1", "Pod", Some("shop"), "bound", json!({"metadata": {"annotations": annotations}})).await;
    world.api("v1", "Pod", Some("shop")).delete("gone", &Default::default()).await.unwrap();
    for decision in &decisions {
        before.history.begin(decision, None).await.unwrap();
    }
    // It is killed, and another goes on with what it wrote.
    before.lease_net.down();
    let after = world.process("b", |config| config.history = before.history.clone());
    after.leads().await;
    // Twice: a request of the dead may yet be on its way.
    seconds(15).await;
    let how = |id| before.history.decisions().into_iter().find(|kept| kept.id == id).map(|kept| kept.outcome);
    let ends = decisions.map(|decision| how(decision.id).unwrap());
    assert_eq!(ends, [Outcome::Done, Outcome::Failed, Outcome::Failed]);
}

#[tokio::test(start_paused = true)]
async fn clocks_an_hour_apart_do_not_matter() {
    for offset in [Span::hours(-1), Span::hours(1)] {
        let world = World::prepared(5, json!({})).await;
        let a = world.process("a", |config| config.clock = config.clock.with_offset(offset));
        a.leads().await;
        let b = world.process("b", |config| config.seed = 2);
        for _ in 0..600 {
            seconds(1).await;
            assert!(a.switch().leading && !b.switch().leading);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_call_that_hangs_does_not_delay_the_end_of_a_leadership() {
    let world = World::prepared(6, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    seconds(20).await;
    a.lease_net.rule(|_, _| Some(Fault::Hang));
    seconds(10).await;
    assert!(!a.switch().leading, "the renew deadline is 10 s");
    a.lease_net.heal();
    seconds(30).await;
    assert!(a.switch().leading, "and it may stand again");
}

#[tokio::test(start_paused = true)]
async fn nobody_leads_before_the_platform_was_read() {
    let world = World::prepared(7, json!({})).await;
    let a = world.process("a", |_| {});
    a.net.rule(|_, path| path.contains("platforms").then_some(Fault::Refuse(500, None)));
    seconds(60).await;
    assert!(!a.switch().leading);
    a.net.heal();
    a.leads().await;
}

#[tokio::test(start_paused = true)]
async fn alone_it_leads_without_a_lease() {
    let world = World::prepared(8, json!({})).await;
    let a = world.process("a", |config| config.election = keelson_runtime::config::Election::Alone);
    a.leads().await;
    assert_eq!((a.switch().fence, a.lease_net.log().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn who_led_when_the_cluster_was_restored_leads_again_under_a_higher_number() {
    let world = World::prepared(14, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    seconds(10).await;
    let backup = world.shared.with(|api, _| api.backup());
    seconds(60).await;
    assert_eq!(a.switch().fence, 1);
    world.shared.with(|api, _| api.restore(&backup));
    seconds(5).await;
    assert!(!a.switch().leading, "what it knows is of another past, though the Lease says that it leads");
    seconds(20).await;
    assert_eq!((a.switch().leading, a.switch().fence), (true, 2));
}

#[tokio::test(start_paused = true)]
async fn a_number_is_not_used_twice_though_the_lease_is_gone_with_whoever_knew_it() {
    let world = World::prepared(15, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    a.runtime.shutdown().await;
    let lease = world.api("coordination.k8s.io/v1", "Lease", Some("keelson"));
    lease.delete("keelson-scheduling", &Default::default()).await.unwrap();
    let b = world.process("b", |config| config.history = a.history.clone());
    b.leads().await;
    assert_eq!((a.history.highest_fence(Feature::Scheduling).await, b.switch().fence), (Some(2), 2));
}

#[tokio::test(start_paused = true)]
async fn a_number_that_was_had_while_a_standby_was_stopped_and_that_a_backup_has_undone_is_not_used_twice() {
    let world = World::prepared(16, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    let standby = world.process("b", |config| config.history = a.history.clone());
    seconds(30).await;
    // Meanwhile others led; the Lease that the standby finds knows nothing of them.
    assert!(a.history.led(Feature::Scheduling, 7).await);
    a.runtime.shutdown().await;
    standby.leads().await;
    assert_eq!(standby.switch().fence, 8);
}
