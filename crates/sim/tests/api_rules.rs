//! Rules of the API that a single exchange with a real one cannot show: garbage, namespaces, quotas, budgets, history.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod asking;

use asking::{Asking, pod};
use keelson_core::Span;
use keelson_sim::{
    api::{Api, Config, Token},
    objects::{Cluster, Resource, Write},
};
use serde_json::{Value, json};

const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";

fn replica_set(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}})
}

fn owned_map(name: &str, owner: &Value, block: bool) -> Value {
    json!({"metadata": {"name": name, "ownerReferences": [{
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": block,
    }]}})
}

#[test]
fn dependents_go_with_their_owner() {
    let mut api = Asking::new();
    let owner = api.ok("POST", SETS, &replica_set("rs"));
    api.ok("POST", MAPS, &owned_map("child", &owner, false));
    api.ok("DELETE", &format!("{SETS}/rs"), &Value::Null);
    api.fails(404, "GET", &format!("{MAPS}/child"), &Value::Null);
}

#[test]
fn orphans_stay_without_their_owner() {
    let mut api = Asking::new();
    let owner = api.ok("POST", SETS, &replica_set("rs"));
    api.ok("POST", MAPS, &owned_map("child", &owner, false));
    api.ok("DELETE", &format!("{SETS}/rs"), &json!({"propagationPolicy": "Orphan"}));
    api.fails(404, "GET", &format!("{SETS}/rs"), &Value::Null);
    let child = api.ok("GET", &format!("{MAPS}/child"), &Value::Null);
    assert!(child["metadata"]["ownerReferences"].is_null());
}

#[test]
fn in_the_foreground_the_owner_waits_for_what_blocks_it() {
    let mut api = Asking::new();
    let owner = api.ok("POST", SETS, &replica_set("rs"));
    let mut child = owned_map("child", &owner, true);
    child["metadata"]["finalizers"] = json!(["example.dev/hold"]);
    api.ok("POST", MAPS, &child);
    let waiting = api.ok("DELETE", &format!("{SETS}/rs"), &json!({"propagationPolicy": "Foreground"}));
    assert_eq!(waiting["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    assert!(!api.ok("GET", &format!("{MAPS}/child"), &Value::Null)["metadata"]["deletionTimestamp"].is_null());
    api.ok("GET", &format!("{SETS}/rs"), &Value::Null);
    api.merge(&format!("{MAPS}/child"), &json!({"metadata": {"finalizers": null}}));
    api.fails(404, "GET", &format!("{SETS}/rs"), &Value::Null);
}

#[test]
fn an_object_born_after_its_owner_died_goes_too() {
    let mut api = Asking::new();
    let owner = api.ok("POST", SETS, &replica_set("rs"));
    api.ok("DELETE", &format!("{SETS}/rs"), &Value::Null);
    api.ok("POST", MAPS, &owned_map("late", &owner, false));
    api.fails(404, "GET", &format!("{MAPS}/late"), &Value::Null);
}

#[test]
fn a_namespace_goes_when_the_last_pod_has_gone() {
    let mut api = Asking::new();
    api.ok("POST", "/api/v1/namespaces", &json!({"metadata": {"name": "team"}}));
    api.ok("POST", "/api/v1/namespaces/team/pods", &pod("p"));
    let binding = json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}});
    api.ok("POST", "/api/v1/namespaces/team/pods/p/binding", &binding);
    api.ok("DELETE", "/api/v1/namespaces/team", &Value::Null);
    assert_eq!(api.ok("GET", "/api/v1/namespaces/team", &Value::Null)["status"]["phase"], "Terminating");
    let refused = api.fails(403, "POST", "/api/v1/namespaces/team/pods", &pod("q"));
    assert_eq!(refused["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let left = api.ok("GET", "/api/v1/namespaces/team/pods/p", &Value::Null);
    assert_eq!(left["metadata"]["deletionGracePeriodSeconds"], 30);
    api.ok("DELETE", "/api/v1/namespaces/team/pods/p?gracePeriodSeconds=0", &Value::Null);
    api.fails(404, "GET", "/api/v1/namespaces/team", &Value::Null);
}

#[test]
fn a_pod_is_bound_once() {
    let mut api = Asking::new();
    let made = api.ok("POST", PODS, &pod("p"));
    let bind = |node: &str, uid: &Value| json!({"metadata": {"name": "p", "uid": uid}, "target": {"kind": "Node", "name": node}});
    api.fails(409, "POST", &format!("{PODS}/p/binding"), &bind("n", &json!("other")));
    api.ok("POST", &format!("{PODS}/p/binding"), &bind("n", &made["metadata"]["uid"]));
    let again = api.fails(409, "POST", &format!("{PODS}/p/binding"), &bind("m", &made["metadata"]["uid"]));
    assert!(again["message"].as_str().unwrap().contains("already assigned to node \"n\""), "{again}");
    let bound = api.ok("GET", &format!("{PODS}/p"), &Value::Null);
    assert_eq!(bound["spec"]["nodeName"], "n");
    assert_eq!(bound["status"]["conditions"][0]["type"], "PodScheduled");
}

#[test]
fn a_budget_allows_as_many_evictions_as_it_says() {
    let mut api = Asking::new();
    let budget =
        json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}});
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    api.ok("POST", budgets, &budget);
    for name in ["p", "q"] {
        let mut one = pod(name);
        one["metadata"]["labels"] = json!({"app": "x"});
        api.ok("POST", PODS, &one);
        let running = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        api.merge(&format!("{PODS}/{name}/status"), &running);
    }
    let early = api.fails(429, "POST", &format!("{PODS}/p/eviction"), &json!({"metadata": {"name": "p"}}));
    assert_eq!(early["details"]["causes"][0]["reason"], "DisruptionBudget");
    let status = json!({"disruptionsAllowed": 1, "observedGeneration": 1, "currentHealthy": 2, "desiredHealthy": 1});
    api.merge(&format!("{budgets}/b/status"), &json!({"status": status}));
    api.ok("POST", &format!("{PODS}/p/eviction"), &json!({"metadata": {"name": "p"}}));
    api.fails(404, "GET", &format!("{PODS}/p"), &Value::Null);
    let second = api.fails(429, "POST", &format!("{PODS}/q/eviction"), &json!({"metadata": {"name": "q"}}));
    assert_eq!(second["message"], "Cannot evict pod as it would violate the pod's disruption budget.");
    assert_eq!(api.ok("GET", &format!("{budgets}/b"), &Value::Null)["status"]["disruptionsAllowed"], 0);
}

#[test]
fn a_quota_counts_what_is_there() {
    let mut api = Asking::new();
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "2", "requests.cpu": "1"}}});
    api.ok("POST", "/api/v1/namespaces/default/resourcequotas", &quota);
    let sized = |name: &str, cpu: &str| {
        let mut one = pod(name);
        one["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": cpu}});
        one
    };
    let lacking = api.fails(403, "POST", PODS, &pod("bare"));
    assert!(
        lacking["message"].as_str().unwrap().contains("failed quota: q: must specify requests.cpu for: c"),
        "{lacking}"
    );
    api.ok("POST", PODS, &sized("a", "600m"));
    let over = api.fails(403, "POST", PODS, &sized("b", "500m"));
    assert_eq!(
        over["message"],
        "pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1"
    );
    api.ok("POST", PODS, &sized("c", "400m"));
    let full = api.ok("GET", "/api/v1/namespaces/default/resourcequotas/q", &Value::Null);
    assert_eq!(full["status"]["used"], json!({"pods": "2", "requests.cpu": "1"}));
    api.ok("DELETE", &format!("{PODS}/a"), &Value::Null);
    let freed = api.ok("GET", "/api/v1/namespaces/default/resourcequotas/q", &Value::Null);
    assert_eq!(freed["status"]["used"], json!({"pods": "1", "requests.cpu": "400m"}));
}

#[test]
fn pages_show_one_moment() {
    let mut api = Asking::new();
    for index in 0..5 {
        api.ok("POST", MAPS, &json!({"metadata": {"name": format!("m{index}")}}));
    }
    let first = api.ok("GET", &format!("{MAPS}?limit=2"), &Value::Null);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    api.ok("DELETE", &format!("{MAPS}/m3"), &Value::Null);
    api.ok("POST", MAPS, &json!({"metadata": {"name": "m9"}}));
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = api.ok("GET", &format!("{MAPS}?limit=9&continue={token}"), &Value::Null);
    let names: Vec<&Value> = rest["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(names, ["m2", "m3", "m4"]);
    api.api.compact();
    let expired = api.fails(410, "GET", &format!("{MAPS}?limit=9&continue={token}"), &Value::Null);
    assert_eq!(expired["reason"], "Expired");
}

#[test]
fn a_watch_from_a_forgotten_past_is_told_so() {
    let mut api = Asking { api: Api::new(Config { history: 3, ..Config::default() }), ..Asking::new() };
    let first = api.ok("POST", MAPS, &json!({"metadata": {"name": "a"}}));
    for index in 0..6 {
        api.merge(&format!("{MAPS}/a"), &json!({"data": {"n": index.to_string()}}));
    }
    let from = first["metadata"]["resourceVersion"].as_str().unwrap();
    let frames = api.watch(&format!("{MAPS}?watch=true&timeoutSeconds=1&resourceVersion={from}"));
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0]["type"], "ERROR");
    assert_eq!(frames[0]["object"]["code"], 410);
    assert!(frames[0]["object"]["message"].as_str().unwrap().starts_with("too old resource version: "));
}

#[test]
fn leaving_a_selection_looks_like_a_deletion() {
    let mut api = Asking::new();
    let start = api.ok("POST", MAPS, &json!({"metadata": {"name": "a", "labels": {"x": "1"}}}));
    api.merge(&format!("{MAPS}/a"), &json!({"metadata": {"labels": {"x": "2"}}}));
    api.merge(&format!("{MAPS}/a"), &json!({"metadata": {"labels": {"x": "1"}}}));
    api.ok("DELETE", &format!("{MAPS}/a"), &Value::Null);
    let from = start["metadata"]["resourceVersion"].as_str().unwrap();
    let frames = api.watch(&format!("{MAPS}?watch=true&timeoutSeconds=1&labelSelector=x%3D1&resourceVersion={from}"));
    let kinds: Vec<&Value> = frames.iter().map(|frame| &frame["type"]).collect();
    assert_eq!(kinds, ["DELETED", "ADDED", "DELETED"]);
    assert_eq!(frames[0]["object"]["metadata"]["labels"]["x"], "1", "the client gets what it last saw");
}

#[test]
fn bookmarks_come_each_minute() {
    let mut api = Asking::new();
    let frames = api.watch(&format!("{MAPS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=150&resourceVersion=1"));
    let bookmarks = frames.iter().filter(|frame| frame["type"] == "BOOKMARK").count();
    assert_eq!(bookmarks, 2, "{frames:?}");
}

#[test]
fn what_changes_nothing_has_no_number() {
    let mut api = Asking::new();
    let made = api.ok("POST", MAPS, &json!({"metadata": {"name": "a"}, "data": {"x": "1"}}));
    let before = api.api.resource_version();
    api.now = api.now + Span::minutes(1);
    api.ok("PUT", &format!("{MAPS}/a"), &made);
    api.merge(&format!("{MAPS}/a"), &json!({"data": {"x": "1"}}));
    assert_eq!(api.api.resource_version(), before);
    api.merge(&format!("{MAPS}/a?dryRun=All"), &json!({"data": {"x": "2"}}));
    assert_eq!(api.api.resource_version(), before, "a dry run is forgotten");
    api.merge(&format!("{MAPS}/a"), &json!({"data": {"x": "2"}}));
    assert_eq!(api.api.resource_version(), before + 1);
}

#[test]
fn a_token_speaks_for_its_service_account_until_it_expires() {
    let mut api = Asking { api: Api::new(Config { anonymous_admin: true, ..Config::default() }), ..Asking::new() };
    let request = json!({"spec": {"expirationSeconds": 600}});
    let issued = api.ok("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", &request);
    let token = issued["status"]["token"].as_str().unwrap().to_owned();
    let review = json!({"spec": {"token": token}});
    let asked = api.ok("POST", "/apis/authentication.k8s.io/v1/tokenreviews", &review);
    assert_eq!(asked["status"]["user"]["username"], "system:serviceaccount:default:default");
    api.token = Some(token);
    let refused = api.fails(403, "GET", PODS, &Value::Null);
    assert!(refused["message"].as_str().unwrap().contains("system:serviceaccount:default:default"));
    api.now = api.now + Span::seconds(601);
    api.fails(401, "GET", PODS, &Value::Null);
}

#[test]
fn components_inside_see_and_change_what_clients_do() {
    let mut api = Asking::new();
    let pods = Resource { group: "", plural: "pods" };
    assert!(!api.api.drain_events().is_empty(), "the first time: everything there is");
    api.ok("POST", PODS, &pod("p"));
    let now = api.now;
    let mut cluster = api.api.cluster(now);
    let uid = cluster.list(pods)[0]["metadata"]["uid"].as_str().unwrap().to_owned();
    let place =
        |node: &str| Write::Bind { namespace: "default".into(), name: "p".into(), uid: uid.clone(), node: node.into() };
    assert_eq!(cluster.write(place("n")).unwrap()["spec"]["nodeName"], "n");
    assert_eq!(cluster.write(place("m")).unwrap_err().code, 409);
    let mut running = (*cluster.get(pods, "default", "p").unwrap()).clone();
    running["status"]["phase"] = json!("Running");
    running["spec"]["nodeName"] = json!("ignored");
    let running = cluster.write(Write::ReplaceStatus(pods, running)).unwrap();
    assert_eq!((&running["status"]["phase"], &running["spec"]["nodeName"]), (&json!("Running"), &json!("n")));
    let gone = Write::Delete {
        resource: pods,
        namespace: "default".into(),
        name: "p".into(),
        uid: Some(uid),
        grace_seconds: None,
    };
    assert_eq!(cluster.write(gone).unwrap()["metadata"]["deletionGracePeriodSeconds"], 30);
    let events = api.api.drain_events();
    assert_eq!(events.iter().filter(|event| event.resource == pods).count(), 4);
    assert!(events.iter().all(|event| !event.deleted));
}

#[test]
fn usage_is_served_with_the_labels_of_its_pod() {
    let mut api = Asking::new();
    let mut one = pod("p");
    one["metadata"]["labels"] = json!({"app": "x"});
    api.ok("POST", PODS, &one);
    let usage = json!({"timestamp": "2026-01-01T00:00:00Z", "window": "15s", "containers": [{"name": "c", "usage": {"cpu": "5m", "memory": "1Mi"}}]});
    api.api.set_metrics("default", "p", usage);
    let list =
        api.ok("GET", "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods?labelSelector=app%3Dx", &Value::Null);
    assert_eq!(list["kind"], "PodMetricsList");
    assert_eq!(list["items"][0]["containers"][0]["usage"]["cpu"], "5m");
    api.fails(404, "GET", "/apis/metrics.k8s.io/v1beta1/nodes/none", &Value::Null);
}

#[test]
fn an_event_has_two_names() {
    let mut api = Asking::new();
    let event = json!({"metadata": {"name": "e"}, "regarding": {"kind": "Pod", "name": "p", "namespace": "default"}, "note": "hello",
        "reason": "Tested", "action": "Test", "type": "Normal", "reportingController": "t", "reportingInstance": "t-1", "eventTime": "2026-01-01T00:00:00.000000Z"});
    api.ok("POST", "/apis/events.k8s.io/v1/namespaces/default/events", &event);
    let core = api.ok("GET", "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp", &Value::Null);
    assert_eq!(core["items"][0]["message"], "hello");
    let new = api.ok("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e", &Value::Null);
    assert_eq!((&new["note"], &new["apiVersion"]), (&json!("hello"), &json!("events.k8s.io/v1")));
}

#[test]
fn a_resize_changes_resources_only() {
    let mut api = Asking::new();
    api.ok("POST", PODS, &pod("p"));
    let wish =
        json!({"spec": {"containers": [{"name": "c", "image": "other:1", "resources": {"requests": {"cpu": "3"}}}]}});
    let resized = api.merge(&format!("{PODS}/p/resize"), &wish);
    assert_eq!(resized["spec"]["containers"][0]["resources"]["requests"]["cpu"], "3");
    assert_eq!(resized["spec"]["containers"][0]["image"], "i:1");
    assert_eq!(resized["metadata"]["generation"], 2);
}

#[test]
fn a_definition_must_name_itself_and_cannot_take_a_built_in_kind() {
    let mut api = Asking::new();
    let definition = |name: &str, group: &str, plural: &str| {
        json!({"metadata": {"name": name}, "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": plural, "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
    };
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let wrong = api.fails(422, "POST", path, &definition("other", "example.dev", "things"));
    assert_eq!(wrong["details"]["causes"][0]["field"], "metadata.name");
    api.fails(422, "POST", path, &definition("deployments.apps", "apps", "deployments"));
    api.ok("GET", "/apis/apps/v1/deployments", &Value::Null);
    api.ok("POST", path, &definition("things.example.dev", "example.dev", "things"));
    api.ok("POST", "/apis/example.dev/v1/namespaces/default/things", &json!({"metadata": {"name": "t"}}));
    api.ok("DELETE", &format!("{path}/things.example.dev"), &Value::Null);
    api.fails(404, "GET", "/apis/example.dev/v1/namespaces/default/things", &Value::Null);
}

#[test]
fn a_document_of_a_group_describes_its_kinds() {
    let mut api = Asking::new();
    let index = api.ok("GET", "/openapi/v3", &Value::Null);
    assert!(
        index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap().starts_with("/openapi/v3/apis/apps/v1")
    );
    let document = api.ok("GET", "/openapi/v3/apis/apps/v1", &Value::Null);
    assert!(!document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"].is_null());
    api.fails(404, "GET", "/openapi/v3/apis/none/v1", &Value::Null);
}

#[test]
fn a_trial_deletes_and_evicts_nothing() {
    let mut api = Asking::new();
    api.ok("POST", PODS, &pod("p"));
    let trial = json!({"dryRun": ["All"]});
    api.ok("DELETE", PODS, &trial);
    api.ok("DELETE", &format!("{PODS}?dryRun=All"), &Value::Null);
    api.ok("DELETE", &format!("{PODS}/p"), &trial);
    api.ok("POST", &format!("{PODS}/p/eviction"), &json!({"metadata": {"name": "p"}, "deleteOptions": trial}));
    api.ok("POST", &format!("{PODS}/p/eviction?dryRun=All"), &json!({"metadata": {"name": "p"}}));
    api.ok("GET", &format!("{PODS}/p"), &Value::Null);
}

#[test]
fn another_way_of_trying_is_refused() {
    let mut api = Asking::new();
    api.ok("POST", PODS, &pod("p"));
    let before = api.api.resource_version();
    for (method, path, body, kind) in [
        ("POST", format!("{MAPS}?dryRun=Some"), json!({"metadata": {"name": "a"}}), "CreateOptions"),
        ("DELETE", format!("{PODS}/p?dryRun=Some"), Value::Null, "DeleteOptions"),
        ("DELETE", PODS.to_owned(), json!({"dryRun": ["Some"]}), "DeleteOptions"),
        ("POST", format!("{PODS}/p/eviction"), json!({"deleteOptions": {"dryRun": ["Some"]}}), "DeleteOptions"),
    ] {
        let refused = api.fails(422, method, &path, &body);
        let message = format!(
            "{kind}.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"Some\"]: supported values: \"All\""
        );
        assert_eq!(refused["message"], message.as_str());
    }
    assert_eq!(api.api.resource_version(), before);
}

#[test]
fn a_trial_of_a_scale_shows_what_would_be() {
    let mut api = Asking::new();
    api.ok("POST", SETS, &replica_set("rs"));
    let scaled = api.merge(&format!("{SETS}/rs/scale?dryRun=All"), &json!({"spec": {"replicas": 7}}));
    assert_eq!(scaled["spec"]["replicas"], 7);
    assert_eq!(api.ok("GET", &format!("{SETS}/rs/scale"), &Value::Null)["spec"]["replicas"], 1);
}

#[test]
fn a_status_is_checked_like_the_rest() {
    let mut api = Asking::new();
    api.ok("POST", PODS, &pod("p"));
    let wrong = json!({"status": {"containerStatuses": "none"}});
    let path = format!("{PODS}/p/status");
    assert_eq!(api.ask("PATCH", &path, "application/merge-patch+json", &wrong).0, 422);
    let unknown = json!({"status": {"mood": "good"}});
    let strict = format!("{path}?fieldValidation=Strict");
    let (code, refused) = api.ask("PATCH", &strict, "application/merge-patch+json", &unknown);
    assert!(code == 422 && refused["message"].as_str().unwrap().contains("unknown field \"status.mood\""), "{refused}");

    let size = json!({"type": "integer", "default": 3, "maximum": 9});
    let schema = json!({"type": "object", "properties": {"status": {"type": "object", "properties": {"size": size}}}});
    let definition = json!({"metadata": {"name": "things.example.dev"}, "spec": {"group": "example.dev",
        "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"}, "versions": [{"name": "v1", "served": true,
        "storage": true, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": schema}}]}});
    api.ok("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition);
    let things = "/apis/example.dev/v1/namespaces/default/things";
    api.ok("POST", things, &json!({"apiVersion": "example.dev/v1", "kind": "Thing", "metadata": {"name": "t"}}));
    let path = format!("{things}/t/status");
    assert_eq!(
        api.merge(&path, &json!({"status": {"mood": "good"}}))["status"],
        json!({"size": 3}),
        "pruned, completed"
    );
    let big = json!({"status": {"size": 10}});
    assert_eq!(api.ask("PATCH", &path, "application/merge-patch+json", &big).0, 422);
}

#[test]
fn a_watch_that_begins_with_the_state_needs_no_past() {
    let mut api = Asking { api: Api::new(Config { history: 3, ..Config::default() }), ..Asking::new() };
    let first = api.ok("POST", MAPS, &json!({"metadata": {"name": "a"}}));
    for index in 0..6 {
        api.merge(&format!("{MAPS}/a"), &json!({"data": {"n": index.to_string()}}));
    }
    let from = first["metadata"]["resourceVersion"].as_str().unwrap();
    let options = "watch=true&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true";
    let frames = api.watch(&format!("{MAPS}?{options}&resourceVersionMatch=NotOlderThan&resourceVersion={from}"));
    let kinds: Vec<&Value> = frames.iter().map(|frame| &frame["type"]).collect();
    assert_eq!(kinds, ["ADDED", "BOOKMARK"]);
}

#[test]
fn a_token_for_another_audience_opens_nothing_here() {
    let mut api = Asking::new();
    let request = json!({"spec": {"audiences": ["vault"]}});
    let issued = api.ok("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", &request);
    let token = issued["status"]["token"].as_str().unwrap().to_owned();
    let mut review = |audiences: Value| {
        let review = json!({"spec": {"token": token, "audiences": audiences}});
        api.ok("POST", "/apis/authentication.k8s.io/v1/tokenreviews", &review)["status"].clone()
    };
    let known = review(json!(["other", "vault"]));
    assert_eq!((&known["authenticated"], &known["audiences"]), (&json!(true), &json!(["vault"])));
    assert!(review(json!([])).get("authenticated").is_none(), "it is not for the API server");
    assert!(review(json!(["other"])).get("authenticated").is_none());
    api.token = Some(token);
    api.fails(401, "GET", PODS, &Value::Null);
}

/// An API that knows alice, who may do what these rules say and nothing else.
fn with_alice(rules: &Value) -> Asking {
    let alice = Token { token: "alice".into(), user: "alice".into(), groups: Vec::new() };
    let mut api = Asking { api: Api::new(Config { tokens: vec![alice], ..Config::default() }), ..Asking::new() };
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    api.ok("POST", &format!("{rbac}/roles"), &json!({"metadata": {"name": "r"}, "rules": rules}));
    let subjects = json!([{"kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"}]);
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"});
    let binding = json!({"metadata": {"name": "r"}, "roleRef": role, "subjects": subjects});
    api.ok("POST", &format!("{rbac}/rolebindings"), &binding);
    api
}

#[test]
fn changing_what_is_not_there_takes_the_right_to_create_it() {
    let rules = json!([{"apiGroups": ["", "coordination.k8s.io"], "resources": ["configmaps", "leases"],
        "verbs": ["get", "update", "patch"]}]);
    let mut api = with_alice(&rules);
    api.ok("POST", MAPS, &json!({"metadata": {"name": "there"}}));
    api.token = Some("alice".into());
    let config =
        |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
    assert_eq!(api.apply(&format!("{MAPS}/there"), "alice", false, &config("there")).0, 200);
    let (code, refused) = api.apply(&format!("{MAPS}/new"), "alice", false, &config("new"));
    assert!(code == 403 && refused["message"].as_str().unwrap().contains("cannot create resource"), "{refused}");
    let lease = json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "alice"}});
    api.fails(403, "PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/l", &lease);
}

#[test]
fn the_right_to_one_name_lets_it_be_listed_and_watched() {
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"], "verbs": ["list", "watch"]}]);
    let mut api = with_alice(&rules);
    for name in ["mine", "other"] {
        api.ok("POST", MAPS, &json!({"metadata": {"name": name}}));
    }
    api.token = Some("alice".into());
    let mine = api.ok("GET", &format!("{MAPS}?fieldSelector=metadata.name%3Dmine"), &Value::Null);
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    let frames = api.watch(&format!("{MAPS}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dmine"));
    assert_eq!(frames.len(), 1);
    api.fails(403, "GET", MAPS, &Value::Null);
    api.fails(403, "GET", &format!("{MAPS}?fieldSelector=metadata.name%3Dother"), &Value::Null);
    api.fails(403, "GET", &format!("{MAPS}?fieldSelector=metadata.name%21%3Dmine"), &Value::Null);
}

#[test]
fn policies_are_asked_about_bindings_and_evictions() {
    let mut api = Asking::new();
    let group = "/apis/admissionregistration.k8s.io/v1";
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": ["pods/binding", "pods/eviction"]});
    let expression = "request.kind.kind == 'Binding' ? object.target.name != 'forbidden' : request.name != 'kept'";
    let policy = json!({"metadata": {"name": "p"}, "spec": {"matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": expression, "message": "no"}]}});
    api.ok("POST", &format!("{group}/validatingadmissionpolicies"), &policy);
    let binding = json!({"metadata": {"name": "p"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}});
    api.ok("POST", &format!("{group}/validatingadmissionpolicybindings"), &binding);
    for name in ["kept", "free"] {
        api.ok("POST", PODS, &pod(name));
    }
    let bind = |node: &str| json!({"metadata": {"name": "free"}, "target": {"kind": "Node", "name": node}});
    let refused = api.fails(422, "POST", &format!("{PODS}/free/binding"), &bind("forbidden"));
    assert!(refused["message"].as_str().unwrap().ends_with("denied request: no"), "{refused}");
    api.ok("POST", &format!("{PODS}/free/binding"), &bind("n"));
    api.fails(422, "POST", &format!("{PODS}/kept/eviction"), &json!({"metadata": {"name": "kept"}}));
    api.ok("POST", &format!("{PODS}/free/eviction"), &json!({"metadata": {"name": "free"}}));
}

#[test]
fn a_counter_tells_what_was_asked() {
    let mut api = Asking::new();
    api.ok("GET", PODS, &Value::Null);
    api.fails(404, "GET", &format!("{PODS}/none"), &Value::Null);
    assert_eq!(api.api.counters()[&("list".to_owned(), 200)], 1);
    assert_eq!(api.api.counters()[&("get".to_owned(), 404)], 1);
}
