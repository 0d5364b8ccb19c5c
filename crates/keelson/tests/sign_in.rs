//! Signing in to a running controller, the cluster being asked: who somebody is, by TokenReview, and what they may see, by
//! SubjectAccessReview. Whatever does not count as that is tried and refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, RoleBinding};
use keelson::simulated::Simulated;
use kube::api::{Api, DeleteParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[path = "support/controller.rs"]
mod controller;

use controller::{Controller, until};

const SHOP: &str = "online-boutique";

/// A cluster in its evening, and a controller that people sign in to.
struct House {
    cluster: Simulated,
    client: kube::Client,
    page: Controller,
    _folder: tempfile::TempDir,
}

impl House {
    async fn open(speed: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cluster = Simulated::start(listener, 7, speed).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("keelson.db");
        let page = Controller::start(
            &cluster.kubeconfig(),
            database.to_str().unwrap(),
            folder.path(),
            &["--sign-in", "token", "--platform", written(folder.path()).to_str().unwrap()],
        );
        let house = Self { client: cluster.client(), cluster, page, _folder: folder };
        house
            .make::<ClusterRole>(json!({"metadata": {"name": "door"}, "rules": [
            {"apiGroups": ["keelson.dev"], "resources": ["platforms"], "verbs": ["get"]}]}))
            .await;
        house
            .make::<ClusterRole>(json!({"metadata": {"name": "see"}, "rules": [
            {"apiGroups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["get", "list"]}]}))
            .await;
        house
            .make::<ClusterRole>(json!({"metadata": {"name": "all"}, "rules": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]}]}))
            .await;
        for (user, roles) in [("ada", vec!["all"]), ("eve", vec!["door"]), ("bob", vec![])] {
            Api::<ServiceAccount>::namespaced(house.client.clone(), "default")
                .create(&PostParams::default(), &read(json!({"metadata": {"name": user}})))
                .await
                .unwrap();
            for role in roles {
                let name = format!("{user}-{role}");
                let binding = json!({"metadata": {"name": name}, "subjects": subjects(user),
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}});
                house.make::<ClusterRoleBinding>(binding).await;
            }
        }
        let binding = json!({"metadata": {"name": "eve"}, "subjects": subjects("eve"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "see"}});
        Api::<RoleBinding>::namespaced(house.client.clone(), SHOP)
            .create(&PostParams::default(), &read(binding))
            .await
            .unwrap();
        until("the page answers", async || reqwest::get(format!("{}/livez", house.page.page)).await.ok()).await;
        house
    }

    async fn make<T>(&self, object: Value)
    where
        T: kube::Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + DeserializeOwned,
    {
        Api::<T>::all(self.client.clone()).create(&PostParams::default(), &read(object)).await.unwrap();
    }

    /// A token of somebody for these audiences; none for the API server's own.
    async fn token(&self, user: &str, audiences: &[&str]) -> String {
        let mut spec = json!({"expirationSeconds": 600});
        if !audiences.is_empty() {
            spec["audiences"] = json!(audiences);
        }
        let path = format!("/api/v1/namespaces/default/serviceaccounts/{user}/token");
        let request = http::Request::post(path).header("content-type", "application/json");
        let request = request.body(serde_json::to_vec(&json!({ "spec": spec })).unwrap()).unwrap();
        let issued: Value = self.client.request(request).await.unwrap();
        issued["status"]["token"].as_str().unwrap().to_owned()
    }

    async fn get(&self, token: &str, path: &str) -> (u16, String) {
        let request = reqwest::Client::new().get(format!("{}{path}", self.page.page));
        let answer = request.header("authorization", format!("Bearer {token}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> (u16, String) {
        let request = reqwest::Client::new().post(format!("{}{path}", self.page.page));
        let request = request.header("authorization", format!("Bearer {token}"));
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn close(self) {
        drop(self.page);
        self.cluster.stop().await;
    }
}

/// The switches in a file, so that no test waits for a leader.
fn written(folder: &std::path::Path) -> std::path::PathBuf {
    let file = folder.join("platform.yaml");
    let platform = "apiVersion: keelson.dev/v1alpha1\nkind: Platform\nmetadata: {name: default}\n";
    std::fs::write(&file, format!("{platform}spec: {{features: {{scheduling: {{mode: Enforce}}}}}}\n")).unwrap();
    file
}

fn read<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

fn subjects(user: &str) -> Value {
    json!([{"kind": "ServiceAccount", "namespace": "default", "name": user}])
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Pods that name Keelson, in a namespace that only ada may see.
async fn hide_some(client: &kube::Client) {
    let namespace = json!({"metadata": {"name": "vault"}});
    Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &read(namespace)).await.unwrap();
    let container = json!({"name": "main", "image": "vault:1", "resources": {"requests": {"cpu": "10m"}}});
    let deployment = json!({"metadata": {"name": "jewels"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "jewels"}}, "template": {
            "metadata": {"labels": {"app": "jewels"}},
            "spec": {"schedulerName": "keelson", "containers": [container]}}}});
    Api::<Deployment>::namespaced(client.clone(), "vault")
        .create(&PostParams::default(), &read(deployment))
        .await
        .unwrap();
}

/// The names of everything in other namespaces that decisions are about: what eve must never hear.
fn secrets(decisions: &Value) -> BTreeSet<String> {
    let subjects = decisions["decisions"].as_array().unwrap().iter().map(|decision| &decision["subject"]);
    let hidden = subjects.filter(|subject| subject["namespace"].as_str().is_some_and(|name| name != SHOP));
    hidden
        .flat_map(|subject| [&subject["namespace"], &subject["name"]])
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_one_namespace_hears_of_no_other_by_any_way() {
    let house = House::open(60).await;
    let (ada, eve) = (house.token("ada", &["keelson"]).await, house.token("eve", &["keelson"]).await);
    hide_some(&house.client).await;
    let all = until("decisions about pods in both namespaces", async || {
        let (status, text) = house.get(&ada, "/api/v1/decisions?limit=500").await;
        assert_eq!(status, 200, "{text}");
        let all = json(&text);
        let own = all["decisions"].as_array()?.iter().any(|decision| decision["subject"]["namespace"] == SHOP);
        (own && secrets(&all).len() > 2).then_some(all)
    })
    .await;
    let secrets = secrets(&all);
    let rows = all["decisions"].as_array().unwrap();
    let hidden =
        rows.iter().find(|row| row["subject"]["namespace"] != SHOP && row["subject"]["kind"] == "Pod").unwrap();
    let (other, pod) = (hidden["subject"]["namespace"].as_str().unwrap(), hidden["subject"]["name"].as_str().unwrap());
    let (id, node) = (hidden["id"].as_str().unwrap(), hidden["chosen"].as_str().unwrap_or("node-1"));

    // Answered, and without a word of another namespace.
    for path in [
        "overview".to_owned(),
        "decisions?limit=500".to_owned(),
        format!("decisions?namespace={other}"),
        format!("decisions?about=Pod/{other}/{pod}"),
        format!("decisions?about=Node/-/{node}"),
        format!("decisions?q={pod}"),
        "decisions/export".to_owned(),
        "features/scheduling/preview?mode=Off".to_owned(),
    ] {
        let (status, text) = house.get(&eve, &format!("/api/v1/{path}")).await;
        assert_eq!(status, 200, "{path}: {text}");
        let told: Vec<_> = secrets.iter().filter(|name| text.contains(name.as_str())).collect();
        assert!(told.is_empty(), "{path} tells {told:?}");
    }
    let (_, own) = house.get(&eve, "/api/v1/decisions").await;
    let own = json(&own)["decisions"].as_array().unwrap().clone();
    let others: Vec<_> = own.iter().filter(|row| row["subject"]["namespace"] != SHOP).collect();
    assert!(!own.is_empty() && others.is_empty(), "her own she sees, and not {others:#?}");
    let (status, detail) = house.get(&eve, &format!("/api/v1/decisions/{}", own[0]["id"].as_str().unwrap())).await;
    assert!(status == 200 && secrets.iter().all(|name| !detail.contains(name)), "{detail}");
    let counts = async |token: &str| {
        let (_, text) = house.get(token, "/api/v1/overview").await;
        let counts = &json(&text)["features"][0]["counts"];
        counts["placed"].as_u64().unwrap() + counts["would"].as_u64().unwrap()
    };
    let (hers, everybodys) = (counts(&eve).await, counts(&ada).await);
    assert!(hers < everybodys, "{hers} of {everybodys}");

    // Refused.
    for (path, status) in [
        ("nodes".to_owned(), 403),
        (format!("decisions/{id}"), 404),
        (format!("subjects/Pod/{other}/{pod}"), 403),
        (format!("why/Pod/{other}/{pod}"), 403),
        (format!("subjects/Node/-/{node}"), 403),
        (format!("subjects/Node/{SHOP}/{node}"), 403),
        (format!("subjects/Deployment.apps/{other}/x"), 403),
    ] {
        let (found, text) = house.get(&eve, &format!("/api/v1/{path}")).await;
        assert_eq!(found, status, "{path}: {text}");
    }
    for (question, body, status) in [
        ("why", json!({"namespace": other, "name": pod}), 403),
        ("replay", json!({ "id": id }), 404),
        ("nodes", json!({}), 403),
        ("queue", json!({}), 403),
        ("groups", json!({}), 403),
        ("pending", json!({}), 403),
        ("pending", json!({"namespace": other}), 403),
        ("pending", json!({"namespace": SHOP}), 200),
        ("pod", json!({"namespace": other, "name": pod}), 403),
        ("what-if", json!({"pod": {}}), 403),
        ("fields", json!({}), 200),
        ("nothing", json!({}), 404),
    ] {
        let (found, text) = house.post(&eve, &format!("/api/v1/features/scheduling/ask/{question}"), body).await;
        assert_eq!(found, status, "{question}: {text}");
    }

    // The stream: what comes in two seconds of a busy evening.
    let request = reqwest::Client::new().get(format!("{}/api/v1/stream", house.page.page));
    let mut stream = request.header("authorization", format!("Bearer {eve}")).send().await.unwrap();
    let mut heard = String::new();
    let listening = async {
        while let Ok(Some(part)) = stream.chunk().await {
            heard.push_str(&String::from_utf8_lossy(&part));
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), listening).await;
    assert!(heard.contains("event: overview"), "{heard}");
    let told: Vec<_> = secrets.iter().filter(|name| heard.contains(name.as_str())).collect();
    assert!(told.is_empty(), "the stream tells {told:?}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_token_for_this_page_that_is_still_good_signs_anybody_in() {
    let house = House::open(600).await;
    let good = house.token("ada", &["keelson"]).await;
    assert_eq!(house.get(&good, "/api/v1/overview").await.0, 200);
    for (what, token) in [
        ("for the API server", house.token("ada", &[]).await),
        ("for another", house.token("ada", &["grafana"]).await),
        ("changed", good.replace("ey", "ez")),
        ("cut", good[..good.len() / 2].to_owned()),
        ("the administrator's own", "nonsense".to_owned()),
    ] {
        let (status, text) = house.get(&token, "/api/v1/overview").await;
        assert_eq!(status, 401, "{what}: {text}");
        assert_eq!(house.post(&token, "/api/v1/features/scheduling/pause", json!({"paused": true})).await.0, 401);
    }
    // Known, and not let in.
    let bob = house.token("bob", &["keelson"]).await;
    let (status, text) = house.get(&bob, "/api/v1/overview").await;
    assert!(
        status == 403 && text.contains("system:serviceaccount:default:bob may not get platforms.keelson.dev"),
        "{text}"
    );
    for path in ["metrics", "statusz"] {
        assert_eq!(house.get(&bob, &format!("/{path}")).await.0, 403, "{path}");
        assert_eq!(reqwest::get(format!("{}/{path}", house.page.page)).await.unwrap().status(), 401, "{path}");
        assert_eq!(house.get(&good, &format!("/{path}")).await.0, 200, "{path}");
    }
    assert_eq!(reqwest::get(format!("{}/readyz", house.page.page)).await.unwrap().status(), 200);

    // Ten simulated minutes, the shortest that a token lives, are a second here.
    let expired = house.token("eve", &["keelson"]).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(house.get(&expired, "/api/v1/overview").await.0, 401, "expired");
    let revoked = house.token("eve", &["keelson"]).await;
    let accounts = Api::<ServiceAccount>::namespaced(house.client.clone(), "default");
    accounts.delete("eve", &DeleteParams::default()).await.unwrap();
    assert_eq!(house.get(&revoked, "/api/v1/overview").await.0, 401, "its account is gone");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asked_for_a_switch_is_listed_with_what_became_of_it() {
    let house = House::open(1).await;
    let (ada, eve) = (house.token("ada", &["keelson"]).await, house.token("eve", &["keelson"]).await);
    let pause = "/api/v1/features/scheduling/pause";
    let (status, text) = house.post(&eve, pause, json!({"paused": true})).await;
    assert!(status == 403 && text.contains("may not patch platforms.keelson.dev"), "{text}");
    // The switches of this controller are in a file: even who may turn them, cannot here.
    assert_eq!(house.post(&ada, pause, json!({"paused": true})).await.0, 409);
    let decisions = |token: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_keelson"));
        let output = program.args(["decisions", "--server", &house.page.page]).env("KEELSON_TOKEN", token).output();
        let output = output.unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(decisions(&eve).0, "the command line shows its token");
    let (done, said) = decisions("");
    assert!(!done && said.contains("KEELSON_TOKEN"), "{said}");
    let listed = until("both are listed", async || {
        let (_, text) = house.get(&ada, "/api/v1/decisions?kind=Platform&verb=Refuse").await;
        let rows = json(&text)["decisions"].as_array()?.clone();
        (rows.len() == 2).then_some(rows)
    })
    .await;
    let said: Vec<_> = listed.iter().map(|row| row["sentence"].as_str().unwrap()).collect();
    let who = |name: &str| format!("system:serviceaccount:default:{name} asked to pause scheduling. It was not done: ");
    assert!(said[0].starts_with(&who("ada")) && said[1].starts_with(&who("eve")), "{said:?}");
    assert_eq!((&listed[0]["trigger"], &listed[0]["controller"]), (&json!("Request"), &json!("page")));
    house.close().await;
}
