//! What a program does with kube-rs: calls, a watcher that lists and one that is sent its list, a reflector.

use std::fmt::Write;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use kube::api::{DeleteParams, EvictParams, ListParams, Patch, PatchParams, PostParams, Preconditions, WatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::watcher::{self, Config, Event};
use kube::runtime::{reflector, watcher as watch};
use kube::{Api, Client, Error, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const SPACE: &str = "by-kube-rs";
/// Longest wait for one event.
const PATIENCE: Duration = Duration::from_secs(20);

fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn map(name: &str, app: &str, value: &str) -> ConfigMap {
    object(json!({"metadata": {"name": name, "labels": {"app": app}}, "data": {"key": value}}))
}

fn data(map: &ConfigMap) -> String {
    format!("{} {:?}", map.name_any(), map.data.clone().unwrap_or_default())
}

fn names(list: &kube::core::ObjectList<ConfigMap>) -> String {
    format!("{:?}", list.iter().map(ResourceExt::name_any).collect::<Vec<_>>())
}

fn done<T>(_: &T) -> String {
    "done".to_owned()
}

fn why(error: &Error) -> String {
    match error {
        Error::Api(status) => format!("{} {}: {}", status.code, status.reason, status.message),
        other => format!("{other:?}"),
    }
}

/// The outcomes, one a line.
struct Told(String);

impl Told {
    fn show<T>(&mut self, what: &str, answer: Result<T, Error>, pick: impl FnOnce(&T) -> String) -> Option<T> {
        let said = answer.as_ref().map_or_else(why, pick);
        writeln!(self.0, "{what}: {said}").unwrap();
        answer.ok()
    }

    /// The next events of a watcher.
    async fn events<S>(&mut self, what: &str, stream: &mut S, count: usize)
    where
        S: Stream<Item = Result<Event<ConfigMap>, watcher::Error>> + Unpin,
    {
        for _ in 0..count {
            let event = tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event in time");
            let said = match event.expect("a watcher never ends") {
                Ok(Event::Init) => "init".to_owned(),
                Ok(Event::InitApply(map)) => format!("listed {}", data(&map)),
                Ok(Event::InitDone) => "listed all".to_owned(),
                Ok(Event::Apply(map)) => format!("applied {}", data(&map)),
                Ok(Event::Delete(map)) => format!("deleted {}", data(&map)),
                Err(watcher::Error::InitialListFailed(error)) => format!("no list: {}", why(&error)),
                Err(watcher::Error::WatchStartFailed(error)) => format!("no watch: {}", why(&error)),
                Err(other) => format!("{other:?}"),
            };
            writeln!(self.0, "{what}: {said}").unwrap();
        }
    }
}

/// Does it all, and returns the outcomes.
pub async fn run(client: Client) -> String {
    let mut told = Told(String::new());
    let spaces: Api<Namespace> = Api::all(client.clone());
    let made = spaces.create(&PostParams::default(), &object(json!({"metadata": {"name": SPACE}}))).await;
    told.show("namespace", made, done);
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), SPACE);
    let there = await_condition(accounts, "default", conditions::is_created());
    tokio::time::timeout(PATIENCE, there).await.expect("in time").expect("a service account");
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), SPACE);
    calls(&mut told, &maps).await;
    patches(&mut told, &maps).await;
    watchers(&mut told, &maps).await;
    reflected(&mut told, &maps).await;
    parts(&mut told, &client).await;
    deletions(&mut told, &maps).await;
    told.0
}

async fn calls(told: &mut Told, maps: &Api<ConfigMap>) {
    let post = PostParams::default();
    told.show("create", maps.create(&post, &map("one", "a", "value")).await, data);
    told.show("again", maps.create(&post, &map("one", "a", "value")).await, data);
    told.show("second", maps.create(&post, &map("two", "b", "other")).await, data);
    let trial = PostParams { dry_run: true, ..PostParams::default() };
    told.show("a trial", maps.create(&trial, &map("trial", "a", "x")).await, data);
    told.show("get", maps.get("one").await, data);
    told.show("get none", maps.get("trial").await, data);
    told.show("perhaps", maps.get_opt("trial").await, |found| format!("{}", found.is_some()));
    told.show("metadata", maps.get_metadata("one").await, |meta| format!("{:?}", meta.metadata.labels));
    let list = ListParams::default();
    told.show("by label", maps.list(&list.clone().labels("app in (a,c)")).await, names);
    told.show("by a bad label", maps.list(&list.clone().labels("app in (")).await, names);
    told.show("by field", maps.list(&list.clone().fields("metadata.name!=one,metadata.name=two")).await, names);
    told.show("by no field", maps.list(&list.clone().fields("data.key=x")).await, names);
    let page = told.show("a page", maps.list(&list.clone().labels("app").limit(1)).await, names).unwrap();
    let token = page.metadata.continue_.unwrap();
    told.show("the next", maps.list(&list.clone().labels("app").limit(1).continue_token(&token)).await, names);
    told.show("from the cache", maps.list(&list.labels("app").match_any()).await, names);
    let mut read = maps.get("one").await.unwrap();
    read.data = object(json!({"key": "replaced"}));
    told.show("replace", maps.replace("one", &post, &read).await, data);
    told.show("replace a stale one", maps.replace("one", &post, &read).await, data);
    told.show("replace none", maps.replace("none", &post, &map("none", "a", "x")).await, data);
}

async fn patches(told: &mut Told, maps: &Api<ConfigMap>) {
    let plain = PatchParams::default();
    let merge = |value: Value| Patch::Merge(value);
    told.show("merge", maps.patch("one", &plain, &merge(json!({"data": {"key": "merged"}}))).await, data);
    let stale = json!({"metadata": {"resourceVersion": "1"}, "data": {"key": "x"}});
    told.show("merge a stale one", maps.patch("one", &plain, &merge(stale)).await, data);
    told.show("merge none", maps.patch("none", &plain, &merge(json!({}))).await, data);
    let strategic = Patch::Strategic(json!({"data": {"more": "x", "key": null}}));
    told.show("strategic", maps.patch("one", &plain, &strategic).await, data);
    let operations = |value: &str| -> Patch<()> {
        Patch::Json(object(json!([{"op": "test", "path": "/data/more", "value": value},
            {"op": "add", "path": "/data/key", "value": "json"}])))
    };
    told.show("json", maps.patch("one", &plain, &operations("x")).await, data);
    told.show("json, a test", maps.patch("one", &plain, &operations("y")).await, data);
    let intent = |value: &str| Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": value}}));
    let by = PatchParams::apply;
    told.show("apply", maps.patch("one", &by("first").force(), &intent("applied")).await, data);
    told.show("apply against another", maps.patch("one", &by("second"), &intent("mine")).await, data);
    told.show("apply with force", maps.patch("one", &by("second").force(), &intent("mine")).await, data);
    told.show("apply nameless", maps.patch("one", &plain, &intent("x")).await, data);
    told.show("apply what is not there", maps.patch("new", &by("first"), &intent("new")).await, data);
}

async fn watchers(told: &mut Told, maps: &Api<ConfigMap>) {
    for (what, config) in [("watcher", Config::default()), ("streamed", Config::default().streaming_lists())] {
        let mut stream = watch(maps.clone(), config.labels("app")).boxed();
        told.events(what, &mut stream, 4).await;
        maps.create(&PostParams::default(), &map("three", "c", "x")).await.unwrap();
        maps.patch("three", &PatchParams::default(), &Patch::Merge(json!({"data": {"key": "y"}}))).await.unwrap();
        // It leaves what is watched, and comes back.
        for app in [Value::Null, json!("c")] {
            let labels = json!({"metadata": {"labels": {"app": app}}});
            maps.patch("three", &PatchParams::default(), &Patch::Merge(labels)).await.unwrap();
        }
        maps.delete("three", &DeleteParams::default()).await.unwrap();
        told.events(what, &mut stream, 5).await;
    }
    let mut nothing = watch(maps.clone(), Config::default().fields("data.key=x")).boxed();
    told.events("by no field", &mut nothing, 1).await;
    let paged = Config::default().labels("app").page_size(1);
    told.events("in pages", &mut watch(maps.clone(), paged).boxed(), 4).await;
    let bare = maps.watch(&WatchParams::default().timeout(1), "x").await;
    told.show("from nonsense", bare.map(drop), done);
    let current = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let quiet = maps.watch(&WatchParams::default().timeout(1), &current).await.unwrap();
    let seen = quiet.try_collect::<Vec<_>>().await.map(|events| events.len());
    told.show("nothing happens", seen, |count| (*count == 0).to_string());
}

async fn reflected(told: &mut Told, maps: &Api<ConfigMap>) {
    let (store, writer) = reflector::store();
    let stream = reflector(writer, watch(maps.clone(), Config::default().labels("app")));
    let running = tokio::spawn(stream.for_each(|_| async {}));
    store.wait_until_ready().await.unwrap();
    let mut shows = |what: &str| {
        let mut names: Vec<String> = store.state().iter().map(|map| data(map)).collect();
        names.sort();
        writeln!(told.0, "reflector, {what}: {names:?}").unwrap();
    };
    shows("at first");
    maps.create(&PostParams::default(), &map("three", "c", "x")).await.unwrap();
    seen(|| store.len() == 3).await;
    shows("one more");
    maps.delete("three", &DeleteParams::default()).await.unwrap();
    seen(|| store.len() == 2).await;
    shows("one less");
    running.abort();
}

async fn seen(check: impl Fn() -> bool) {
    let all = async {
        while !check() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("the reflector follows");
}

async fn parts(told: &mut Told, client: &Client) {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), SPACE);
    let pod =
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}});
    let web = json!({"metadata": {"name": "web"}, "spec": {"replicas": 0, "paused": true,
        "selector": {"matchLabels": {"app": "web"}}, "template": pod}});
    let made = deployments.create(&PostParams::default(), &object(web)).await;
    told.show("deployment", made, done);
    let scale = |count: i32| Patch::Merge(json!({"spec": {"replicas": count}}));
    let scaled = deployments.patch_scale("web", &PatchParams::default(), &scale(0)).await;
    told.show("scale", scaled, |scale| format!("{:?}", scale.spec));
    told.show("scale below nothing", deployments.patch_scale("web", &PatchParams::default(), &scale(-1)).await, done);
    told.show("scale none", deployments.get_scale("none").await, done);
    let pods: Api<Pod> = Api::namespaced(client.clone(), SPACE);
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}});
    told.show("pod", pods.create(&PostParams::default(), &object(pod)).await, done);
    let status = |phase: &str| Patch::Merge(json!({"status": {"message": "hello", "phase": phase}}));
    let message = |pod: &Pod| format!("{:?}", pod.status.as_ref().and_then(|status| status.message.clone()));
    told.show("status", pods.patch_status("p", &PatchParams::default(), &status("Pending")).await, message);
    told.show("status of none", pods.patch_status("q", &PatchParams::default(), &status("Pending")).await, message);
    told.show("evict none", pods.evict("q", &EvictParams::default()).await, done);
    told.show("evict", pods.evict("p", &EvictParams::default()).await, done);
    told.show("gone", pods.get("p").await, done);
}

async fn deletions(told: &mut Told, maps: &Api<ConfigMap>) {
    for (way, how) in [
        ("foreground", DeleteParams::foreground()),
        ("background", DeleteParams::background()),
        ("orphan", DeleteParams::orphan()),
    ] {
        let owner = maps.create(&PostParams::default(), &map("owner", "o", way)).await.unwrap();
        let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid(),
            "blockOwnerDeletion": true});
        let child = json!({"metadata": {"name": "child", "ownerReferences": [reference]}});
        maps.create(&PostParams::default(), &object(child)).await.unwrap();
        told.show(way, maps.delete("owner", &how).await, done);
        let gone = |found: Option<&ConfigMap>| found.is_none();
        let freed = |found: Option<&ConfigMap>| found.is_some_and(|child| child.owner_references().is_empty());
        let left = async {
            await_condition(maps.clone(), "owner", gone).await.unwrap();
            if way == "orphan" {
                await_condition(maps.clone(), "child", freed).await.unwrap();
            } else {
                await_condition(maps.clone(), "child", gone).await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, left).await.expect("what is owned follows");
    }
    told.show("delete none", maps.delete("none", &DeleteParams::default()).await, done);
    let other = Preconditions { uid: Some("00000000-0000-0000-0000-000000000000".into()), resource_version: None };
    told.show("with another uid", maps.delete("one", &DeleteParams::default().preconditions(other)).await, done);
    let labelled = ListParams::default().labels("app=b");
    told.show("collection", maps.delete_collection(&DeleteParams::default(), &labelled).await, done);
    let left = maps.list(&ListParams::default().labels("app")).await;
    told.show("what is left", left, names);
}
