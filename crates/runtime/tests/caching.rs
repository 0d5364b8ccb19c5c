//! What a cache shows when objects are broken, watches end, and APIs come and go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use k8s_openapi::api::core::v1::ConfigMap;
use keelson_runtime::{Cache, Cached, Delta, Extract, Listing, Subscription};
use kube::{CustomResource, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::{Fault, Process, World, seconds};

/// Its definition allows more than this type can read.
#[derive(CustomResource, Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[kube(group = "test.keelson.dev", version = "v1", kind = "Widget", namespaced)]
struct WidgetSpec {
    size: u8,
}

fn definition() -> Value {
    json!({
        "metadata": {"name": "widgets.test.keelson.dev"},
        "spec": {
            "group": "test.keelson.dev",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}

async fn define(world: &World) {
    world.create("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, definition()).await;
}

async fn widget(world: &World, name: &str, size: Value) {
    let object = json!({"metadata": {"name": name}, "spec": {"size": size}});
    world.create("test.keelson.dev/v1", "Widget", Some("shop"), object).await;
}

async fn resize(world: &World, name: &str, size: Value) {
    world.merge("test.keelson.dev/v1", "Widget", Some("shop"), name, json!({"spec": {"size": size}})).await;
}

fn sizes(cache: &Cache<Widget>) -> Vec<(String, u8)> {
    cache.list().map(|widget| (widget.name_any(), widget.spec.size)).collect()
}

fn health(process: &Process, kind: &str) -> keelson_runtime::cache::CacheHealth {
    process.runtime.health().caches.into_iter().find(|cache| cache.kind == kind).unwrap()
}

/// Everything that is waiting, as words.
fn drain<K: Cached>(subscription: &mut Subscription<K>) -> Vec<String> {
    let word = |delta: Delta<K>| match delta {
        Delta::Restarted(all) => format!("all {}", all.map(|it| it.name_any()).collect::<Vec<_>>().join(" ")),
        Delta::Applied(it) => format!("+{}", it.name_any()),
        Delta::Deleted(it) => format!("-{}", it.name_any()),
    };
    std::iter::from_fn(|| subscription.try_next()).map(word).collect()
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_is_skipped_counted_and_named() {
    let world = World::prepared(1, json!({})).await;
    define(&world).await;
    widget(&world, "a", json!(1)).await;
    widget(&world, "b", json!("large")).await;
    let process = world.process("a", |_| {});
    let cache = process.runtime.cache::<Widget>();
    cache.synced().await;
    assert_eq!(sizes(&cache), [("a".to_owned(), 1)]);
    widget(&world, "c", json!(300)).await;
    widget(&world, "d", json!(4)).await;
    seconds(1).await;
    assert_eq!(sizes(&cache), [("a".to_owned(), 1), ("d".to_owned(), 4)], "the watch goes on");
    let said = health(&process, "Widget.test.keelson.dev");
    assert_eq!((said.objects, said.undecodable), (2, 2));
    assert!(said.broken[0].starts_with("shop/b: invalid type: string \"large\""), "{:?}", said.broken);
    resize(&world, "b", json!(2)).await;
    seconds(1).await;
    assert_eq!(health(&process, "Widget.test.keelson.dev").undecodable, 1, "a repaired object is read");
}

#[tokio::test(start_paused = true)]
async fn an_extract_is_as_current_as_the_cache() {
    let world = World::prepared(1, json!({})).await;
    define(&world).await;
    widget(&world, "a", json!(1)).await;
    let process = world.process("a", |_| {});
    let cache = process.runtime.cache::<Widget>();
    let early = cache.extract(|widget: &Widget| widget.spec.size);
    cache.synced().await;
    let late = cache.extract(|widget: &Widget| widget.spec.size);
    let told = || {
        let sizes = |extract: &Extract<u8>| extract.rows().values().copied().collect::<Vec<_>>();
        assert_eq!(sizes(&early), sizes(&late));
        sizes(&early)
    };
    assert_eq!(told(), [1]);
    widget(&world, "b", json!(2)).await;
    resize(&world, "a", json!(3)).await;
    seconds(1).await;
    assert_eq!(told(), [3, 2]);
    let widgets = world.api("test.keelson.dev/v1", "Widget", Some("shop"));
    widgets.delete("a", &kube::api::DeleteParams::default()).await.unwrap();
    resize(&world, "b", json!("broken")).await;
    seconds(1).await;
    assert_eq!(told(), [2], "what cannot be read stays as it was last read");
    assert_eq!(cache.keys(), [("shop".to_owned(), "b".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_breaks_stays_as_it_was_last_read() {
    let world = World::prepared(2, json!({})).await;
    define(&world).await;
    widget(&world, "a", json!(1)).await;
    let process = world.process("a", |_| {});
    let cache = process.runtime.cache::<Widget>();
    cache.synced().await;
    resize(&world, "a", json!("broken")).await;
    seconds(1).await;
    assert_eq!(sizes(&cache), [("a".to_owned(), 1)]);
    assert!(cache.broken("shop", "a").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_relist_reaches_followers_as_the_difference_it_makes() {
    let world = World::prepared(3, json!({})).await;
    let map = |name: &str| json!({"metadata": {"name": name}, "data": {"x": "1"}});
    for name in ["a", "b"] {
        world.create("v1", "ConfigMap", Some("shop"), map(name)).await;
    }
    let process = world.process("a", |_| {});
    let cache = process.runtime.cache::<ConfigMap>();
    let mut follower = cache.subscribe();
    assert!(drain(&mut follower).is_empty(), "nothing is said before the content was read");
    cache.synced().await;
    assert_eq!(drain(&mut follower), ["all a b"]);
    // The watch breaks and its past is forgotten: only a new list can tell what happened.
    process.net.rule(|_, path| path.contains("configmaps").then_some(Fault::Down));
    seconds(400).await;
    world.api("v1", "ConfigMap", Some("shop")).delete("a", &kube::api::DeleteParams::default()).await.unwrap();
    world.create("v1", "ConfigMap", Some("shop"), map("c")).await;
    world.shared.with(|api, _| api.compact());
    let tried = process.net.log().iter().filter(|line| line.contains("configmaps?&limit")).count();
    assert!((14..=40).contains(&tried), "from 0.8 s up to 30 s between two tries: {tried}");
    let behind = cache.age();
    assert!(behind > keelson_core::Span::seconds(100) && health(&process, "ConfigMap").error.is_some(), "{behind}");
    seconds(10).await;
    assert_eq!(cache.age().0 - behind.0, 10_000_000, "it has been behind since then");
    process.net.heal();
    seconds(60).await;
    assert_eq!(drain(&mut follower), ["-a", "+c"], "b did not change");
    assert_eq!(cache.age(), keelson_core::Span::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_does_not_blind_a_cache() {
    let world = World::prepared(7, json!({})).await;
    let process = world.process("a", |_| {});
    for part in ["configmaps?&limit", "configmaps?&watch"] {
        let mut first = true;
        process.net.rule(move |_, path| (path.contains(part) && std::mem::take(&mut first)).then_some(Fault::Hang));
    }
    let cache = process.runtime.cache::<ConfigMap>();
    seconds(90).await;
    world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "a"}})).await;
    seconds(1).await;
    assert!(cache.get("shop", "a").is_some(), "{:#?}", process.net.log());
    assert_eq!(
        process.net.log().iter().filter(|line| line.contains("configmaps?&")).count(),
        4,
        "each was asked twice"
    );
}

#[tokio::test(start_paused = true)]
async fn an_optional_api_may_be_absent_appear_and_disappear() {
    let world = World::prepared(4, json!({})).await;
    let process = world.process("a", |_| {});
    let cache = process.runtime.optional_cache::<Widget>();
    cache.synced().await;
    assert!(!cache.is_available());
    process.leads().await;
    seconds(15).await;
    let platform = world.get("keelson.dev/v1alpha1", "Platform", None, "default").await.unwrap();
    let said = platform["status"]["conditions"].as_array().unwrap().iter().find(|it| it["type"] == "InputUnavailable");
    assert!(said.unwrap()["message"].as_str().unwrap().contains("Widget.test.keelson.dev"));
    let mut follower = cache.subscribe();
    assert_eq!(drain(&mut follower), ["all "]);
    define(&world).await;
    widget(&world, "a", json!(1)).await;
    seconds(61).await;
    assert!(cache.is_available());
    assert_eq!(drain(&mut follower), ["+a"]);
    world
        .api("apiextensions.k8s.io/v1", "CustomResourceDefinition", None)
        .delete("widgets.test.keelson.dev", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    seconds(600).await;
    assert!(!cache.is_available());
    assert_eq!(drain(&mut follower), ["-a"]);
    assert!(process.runtime.health().ready, "an absent input does not make a process unready");
}

#[tokio::test(start_paused = true)]
async fn a_list_tells_who_is_absent_from_who_refuses_and_a_broken_object_hides_no_other() {
    let world = World::prepared(8, json!({})).await;
    let process = world.process("a", |_| {});
    let list = async || process.runtime.list::<Widget>().await;
    assert!(matches!(list().await, Listing::Absent));
    define(&world).await;
    widget(&world, "a", json!(1)).await;
    widget(&world, "b", json!("large")).await;
    widget(&world, "c", json!(3)).await;
    let Listing::Read(read) = list().await else { panic!("it is served") };
    assert_eq!(read.iter().map(|widget| widget.name_any()).collect::<Vec<_>>(), ["a", "c"]);
    process.net.rule(|_, path| path.contains("widgets").then_some(Fault::Refuse(403, None)));
    assert!(matches!(list().await, Listing::Forbidden(why) if why == "refused by the test"));
    process.net.heal();
    process.net.down();
    assert!(matches!(list().await, Listing::Failed(why) if why.contains("connection refused")));
}

#[tokio::test(start_paused = true)]
async fn a_follower_of_nothing_is_told_that_there_is_nothing() {
    let world = World::prepared(9, json!({})).await;
    let process = world.process("a", |_| {});
    let mut follower = process.runtime.cache::<ConfigMap>().subscribe();
    let first = tokio::time::timeout(std::time::Duration::from_secs(5), follower.next()).await;
    assert!(matches!(first, Ok(Delta::Restarted(all)) if all.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_kind_is_watched_once_however_many_ask() {
    let world = World::prepared(5, json!({})).await;
    let process = world.process("a", |_| {});
    let caches: Vec<_> = (0..10).map(|_| process.runtime.cache::<ConfigMap>()).collect();
    for cache in &caches {
        cache.synced().await;
    }
    let lists = process.net.log().iter().filter(|line| line.contains("configmaps?&limit")).count();
    assert_eq!(lists, 1, "{:#?}", process.net.log());
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_falls_far_behind_starts_again_from_the_whole() {
    let world = World::prepared(6, json!({})).await;
    world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "a"}})).await;
    let process = world.process("a", |_| {});
    let cache = process.runtime.cache::<ConfigMap>();
    cache.synced().await;
    let (mut slow, mut quick) = (cache.subscribe(), cache.subscribe());
    drain(&mut slow);
    for n in 0..17_000 {
        let patch = keelson_sim::objects::Write::Merge {
            resource: keelson_sim::objects::Resource { group: "", plural: "configmaps" },
            namespace: "shop".into(),
            name: "a".into(),
            subresource: "",
            patch: json!({"data": {"x": n.to_string()}}),
        };
        world.shared.with(|api, now| keelson_sim::objects::Cluster::write(&mut api.cluster(now), patch).unwrap());
        if n % 100 == 0 {
            support::millis(10).await;
            drain(&mut quick);
        }
    }
    seconds(5).await;
    let seen = drain(&mut slow);
    assert_eq!(seen.first().map(String::as_str), Some("all a"), "{} deltas", seen.len());
    assert!(seen.len() < 17_000 - 16_384 + 10, "{} deltas", seen.len());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_went_back_in_time_is_listed_again_and_followed_from_there() {
    let world = World::prepared(17, json!({})).await;
    let map = |name: &str, x: &str| json!({"metadata": {"name": name}, "data": {"x": x}});
    for name in ["a", "b"] {
        world.create("v1", "ConfigMap", Some("shop"), map(name, "1")).await;
    }
    // A page of its own: no Lease tells it.
    let process = world.process("a", |config| config.election = keelson_runtime::config::Election::Never);
    let cache = process.runtime.cache::<ConfigMap>();
    cache.synced().await;
    let backup = world.shared.with(|api, _| api.backup());
    for number in 0..50 {
        world.merge("v1", "ConfigMap", Some("shop"), "a", json!({"data": {"x": number.to_string()}})).await;
    }
    world.api("v1", "ConfigMap", Some("shop")).delete("b", &kube::api::DeleteParams::default()).await.unwrap();
    seconds(1).await;
    assert_eq!(cache.list().len(), 1);
    world.shared.with(|api, _| api.restore(&backup));
    // The watch ends with the API server that is started again; what it would be told now has lower numbers.
    world.create("v1", "ConfigMap", Some("shop"), map("c", "1")).await;
    seconds(5).await;
    let x = |name: &str| cache.get("shop", name).map(|map| map.data.clone().unwrap_or_default()["x"].clone());
    assert_eq!(["a", "b", "c"].map(x), ["1", "1", "1"].map(|x| Some(x.to_owned())));
    world.create("v1", "ConfigMap", Some("shop"), map("d", "1")).await;
    seconds(1).await;
    assert!(cache.get("shop", "d").is_some(), "and the watch goes on");
}
