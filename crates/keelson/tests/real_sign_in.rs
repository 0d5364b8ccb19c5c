//! Signing in against a real kube-apiserver: its TokenReview and SubjectAccessReview decide, asked with exactly the rights that
//! the page declares.
//!
//! Needs root and Go, as every test of the real cluster does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::process::Command;

use keelson::permissions;
use keelson_core::Mode;
use keelson_harness::{Cluster, Config};
use keelson_runtime::Scope;
use serde_json::{Value, json};
use support::{KEELSON, Up, faketime, until};
use tempfile::NamedTempFile;

const ROLES: &str = include_str!("../../../docs/sign-in.md");

/// The example roles, as the documents have them.
fn roles() -> String {
    let (_, rest) = ROLES.split_once("```yaml\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

struct House {
    cluster: Cluster,
    up: Up,
    /// What is added to its clocks.
    ahead: NamedTempFile,
    runtime: tokio::runtime::Runtime,
}

impl House {
    fn open() -> Self {
        let cluster = Cluster::start(Config { default_scheduler: false, ..Config::default() }).unwrap();
        let crds = Command::new(KEELSON).arg("crds").output().unwrap();
        cluster.apply(&String::from_utf8(crds.stdout).unwrap()).unwrap();
        cluster
            .kubectl(&["wait", "--for=condition=Established", "crd/platforms.keelson.dev", "--timeout=20s"])
            .unwrap();
        let platform = "apiVersion: keelson.dev/v1alpha1\nkind: Platform\nmetadata: {name: default}\n\
             spec: {features: {scheduling: {mode: Enforce}}}\n";
        for namespace in ["keelson-system", "shop", "vault"] {
            cluster.kubectl(&["create", "namespace", namespace]).unwrap();
        }
        cluster.apply(&format!("{platform}---\n{}", roles())).unwrap();
        for (user, role) in [("ada", "keelson-operator"), ("eve", "keelson-viewer"), ("scraper", "keelson-metrics")] {
            cluster.kubectl(&["create", "serviceaccount", user]).unwrap();
            let (role, account) = (format!("--clusterrole={role}"), format!("--serviceaccount=default:{user}"));
            cluster.kubectl(&["create", "clusterrolebinding", user, &role, &account]).unwrap();
        }
        let view = ["create", "rolebinding", "eve", "-n", "shop", "--clusterrole=view", "--serviceaccount=default:eve"];
        cluster.kubectl(&view).unwrap();
        let pod = |namespace: &str, name: &str| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name},
                "spec": {"schedulerName": "keelson", "containers": [{"name": "c", "image": "a:1"}]}})
        };
        let pods = json!({"apiVersion": "v1", "kind": "List", "items": [pod("shop", "cart"), pod("vault", "jewels")]});
        until("the namespaces have their accounts", 30, || cluster.apply(&pods.to_string()).ok());
        let needed = permissions::controller(Mode::Enforce).merged(permissions::sign_in());
        let rules = [Scope::Cluster, Scope::Own].into_iter().flat_map(|scope| needed.clone().policy_rules(scope));
        let rules: Vec<Value> = rules.map(|rule| serde_json::to_value(rule).unwrap()).collect();
        let kubeconfig = cluster.user("keelson", &rules).unwrap();
        let ahead = NamedTempFile::new().unwrap();
        std::fs::write(ahead.path(), "+0").unwrap();
        let file = ahead.path().display().to_string();
        let clocks = [("LD_PRELOAD", &*faketime()), ("FAKETIME_TIMESTAMP_FILE", &file), ("FAKETIME_NO_CACHE", "1")];
        let up = Up::start_in(&clocks, &["--kubeconfig", kubeconfig.to_str().unwrap(), "--sign-in", "token"]);
        Self { cluster, up, ahead, runtime: tokio::runtime::Runtime::new().unwrap() }
    }

    fn token(&self, user: &str, audience: Option<&str>) -> String {
        let audience = audience.map(|audience| format!("--audience={audience}"));
        let mut args = vec!["create", "token", user];
        args.extend(audience.as_deref());
        self.cluster.kubectl(&args).unwrap().trim().to_owned()
    }

    /// Whether the API server itself takes a token for a good one.
    fn reviewed(&self, token: &str) -> bool {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": token, "audiences": ["keelson"]}});
        let (path, head) = ("/apis/authentication.k8s.io/v1/tokenreviews", [("Content-Type", "application/json")]);
        let answer = self.cluster.request("POST", path, &head, review.to_string().as_bytes()).unwrap();
        serde_json::from_slice::<Value>(&answer.body).unwrap()["status"]["authenticated"] == true
    }

    fn get(&self, token: &str, path: &str) -> (u16, String) {
        self.ask(token, reqwest::Client::new().get(format!("{}{path}", self.up.page)))
    }

    fn pause(&self, token: &str, paused: bool) -> (u16, String) {
        let request = reqwest::Client::new().post(format!("{}/api/v1/features/scheduling/pause", self.up.page));
        let request = request.header("content-type", "application/json");
        self.ask(token, request.body(json!({ "paused": paused }).to_string()))
    }

    fn ask(&self, token: &str, request: reqwest::RequestBuilder) -> (u16, String) {
        self.runtime.block_on(async {
            let answer = request.header("authorization", format!("Bearer {token}")).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }
}

#[test]
fn a_real_api_server_says_who_somebody_is_and_what_they_may_see() {
    let house = House::open();
    let (ada, eve) = (house.token("ada", Some("keelson")), house.token("eve", Some("keelson")));
    let overview = "/api/v1/overview";
    let listed = |token: &str| {
        let (status, text) = house.get(token, "/api/v1/decisions?kind=Pod");
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<Value>(&text).unwrap()["decisions"].as_array().unwrap().clone()
    };
    let names = |rows: &[Value]| rows.iter().map(|row| row["subject"]["name"].clone()).collect::<Vec<_>>();
    let all = until("both pods are decided about", 40, || Some(listed(&ada)).filter(|rows| rows.len() >= 2));
    assert_eq!(names(&listed(&eve)), ["cart"], "of {:?}", names(&all));

    for (what, token) in [
        ("for the API server", house.token("eve", None)),
        ("for another", house.token("eve", Some("grafana"))),
        ("cut", eve[..eve.len() - 8].to_owned()),
        ("no token", "guessed".to_owned()),
    ] {
        assert_eq!(house.get(&token, overview).0, 401, "{what}");
    }
    let hidden = all.iter().find(|row| row["subject"]["namespace"] == "vault").unwrap();
    for (path, status) in [
        (format!("/api/v1/decisions/{}", hidden["id"].as_str().unwrap()), 404),
        ("/api/v1/why/Pod/vault/jewels".to_owned(), 403),
        ("/api/v1/subjects/Pod/shop/cart".to_owned(), 200),
        ("/api/v1/nodes".to_owned(), 403),
        ("/api/v1/decisions/export".to_owned(), 200),
        ("/metrics".to_owned(), 403),
    ] {
        let (found, text) = house.get(&eve, &path);
        assert_eq!(found, status, "{path}: {text}");
        assert!(status != 200 || !text.contains("jewels"), "{path}: {text}");
    }
    let scraper = house.token("scraper", Some("keelson"));
    assert_eq!((house.get(&scraper, "/metrics").0, house.get(&scraper, overview).0), (200, 403));

    assert_eq!(house.pause(&eve, true).0, 403);
    let (status, text) = house.pause(&ada, true);
    assert_eq!(status, 200, "{text}");
    let managers =
        house.cluster.kubectl(&["get", "platform", "default", "-o", "yaml", "--show-managed-fields"]).unwrap();
    assert!(managers.contains("manager: keelson/system:serviceaccount:default:ada"), "{managers}");
    let told = until("both tries are listed", 20, || {
        let (_, text) = house.get(&ada, "/api/v1/decisions?kind=Platform&reason=Paused");
        let done = text.contains("default:ada asked to pause scheduling. It was done.");
        (done && text.contains("default:eve asked to pause scheduling. It was not done")).then_some(text)
    });
    assert!(told.contains("may not patch platforms.keelson.dev"), "{told}");

    // One whose account is gone is nobody, once the verdict of a minute ago has passed.
    let unseen = house.token("eve", Some("keelson"));
    house.cluster.kubectl(&["delete", "serviceaccount", "eve"]).unwrap();
    until("the account is gone everywhere", 20, || (house.get(&unseen, overview).0 == 401).then_some(()));
    assert_eq!(house.get(&eve, overview).0, 200, "the verdict is good for a minute");
    until("the API server's own verdict of before has passed", 30, || (!house.reviewed(&eve)).then_some(()));
    std::fs::write(house.ahead.path(), "+61s").unwrap();
    until("and so is who was let in", 10, || (house.get(&eve, overview).0 == 401).then_some(()));
    house.cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}
