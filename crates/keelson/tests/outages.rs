//! `keelson controller` while the API server is away for a minute, the database for a minute, the collector for good:
//! the page says so, nothing is lost or repeated, everything recovers by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use keelson::simulated::Simulated;
use keelson_sim::face::http;
use kube::api::{Api, ListParams, PostParams};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, sleep_until};

#[path = "../../store/tests/support/postgres.rs"]
mod postgres;
#[path = "support/relay.rs"]
mod relay;

use relay::Relay;

const MINUTE: Duration = Duration::from_secs(60);

/// A controller process and its page.
struct Controller {
    child: Child,
    page: String,
}

impl Controller {
    fn start(api: SocketAddr, collector: SocketAddr, database: &str, folder: &Path) -> Self {
        let kubeconfig = folder.join("kubeconfig");
        std::fs::write(&kubeconfig, http::kubeconfig(api, "")).unwrap();
        let free = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_keelson"))
            .args(["controller", "--identity", "one", "--ceiling", "scheduling=Enforce", "--database", database])
            .args(["--listen", &free.to_string(), "--otlp", &format!("http://{collector}")])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--journal")
            .arg(folder.join("journal"))
            .stderr(Stdio::null())
            .spawn()
            .expect("keelson starts");
        Self { child, page: format!("http://{free}") }
    }

    /// A page of its own beside the controller, on the same database.
    fn dashboard(api: SocketAddr, database: &str, folder: &Path) -> Self {
        let kubeconfig = folder.join("kubeconfig-of-the-page");
        std::fs::write(&kubeconfig, http::kubeconfig(api, "")).unwrap();
        let free = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_keelson"))
            .args(["dashboard", "--database", database, "--listen", &free.to_string(), "--kubeconfig"])
            .arg(kubeconfig)
            .stderr(Stdio::null())
            .spawn()
            .expect("keelson starts");
        Self { child, page: format!("http://{free}") }
    }

    async fn ask(&self, path: &str) -> Option<Value> {
        let answer = reqwest::get(format!("{}{path}", self.page)).await.ok()?;
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }

    /// Whether a connection works, and what the page says of it.
    async fn connection(&self, name: &str) -> Option<(bool, String)> {
        let overview = self.ask("/api/v1/overview").await?;
        let found = overview["connections"].as_array()?.iter().find(|connection| connection["name"] == name)?.clone();
        Some((found["ok"].as_bool()?, found["detail"].as_str()?.to_owned()))
    }

    /// Waits until the page says that a connection works, or that it does not.
    async fn says(&self, name: &str, ok: bool) -> String {
        let what = format!("the page says that {name} is {}", if ok { "there" } else { "away" });
        until(&what, async || self.connection(name).await.filter(|(is, _)| *is == ok)).await.1
    }

    async fn placements(&self) -> Vec<Value> {
        let answer = self.ask("/api/v1/decisions?namespace=default&verb=Place&limit=200").await;
        answer.and_then(|answer| answer["decisions"].as_array().cloned()).unwrap_or_default()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(45);
    while Instant::now() < end {
        if let Some(found) = check().await {
            return found;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("not within 45 s: {what}");
}

/// Something that takes whatever a collector is sent.
async fn collector() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(|| async { "" });
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn deploy(client: &kube::Client, name: &str) {
    let container = json!({"name": "main", "image": "shop:1", "resources": {"requests": {"cpu": "10m"}}});
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"replicas": 6, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"schedulerName": "keelson", "containers": [container]}}},
    }))
    .unwrap();
    Api::default_namespaced(client.clone()).create(&PostParams::default(), &deployment).await.unwrap();
}

/// The pods of a Deployment and their nodes, once all six have one.
async fn placed(client: &kube::Client, name: &str) -> BTreeMap<String, String> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let wanted = ListParams::default().labels(&format!("app={name}"));
    until(&format!("every pod of {name} has a node"), async || {
        let node = |pod: Pod| Some((pod.metadata.uid?, pod.spec?.node_name?));
        let found: BTreeMap<_, _> = pods.list(&wanted).await.ok()?.into_iter().filter_map(node).collect();
        (found.len() == 6).then_some(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_without_api_server_one_without_database_and_no_collector() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Relay::to(listener.local_addr().unwrap()).await;
    let cluster = Simulated::start(listener, 11, 1).await.unwrap();
    let client = cluster.client();
    let collector = Relay::to(collector().await).await;
    let server = postgres::Server::start();
    drop(server.store("keelson").await);
    let database = format!("postgres://postgres@localhost/keelson?host={}", server.socket().display());
    let folder = tempfile::tempdir().unwrap();
    let mut controller = Controller::start(api.address, collector.address, &database, folder.path());

    for name in ["api", "store"] {
        controller.says(name, true).await;
    }
    deploy(&client, "before").await;
    let mut nodes = placed(&client, "before").await;
    let standby = Controller::dashboard(api.address, &database, folder.path());
    until("a page of its own tells what the controller decided", async || {
        standby.placements().await.iter().any(|decision| decision["outcome"] == "Done").then_some(())
    })
    .await;

    collector.set_open(false);
    api.set_open(false);
    let start = Instant::now();
    deploy(&client, "during").await;
    let said = controller.says("api", false).await;
    assert!(!said.is_empty());
    sleep_until(start + MINUTE / 2).await;
    server.crash();
    sleep_until(start + MINUTE).await;
    api.set_open(true);
    controller.says("api", true).await;
    nodes.extend(placed(&client, "during").await);
    let said = controller.says("store", false).await;
    assert!(said.contains("nothing is lost"), "{said}");

    sleep_until(start + MINUTE / 2 + MINUTE).await;
    server.go_on();
    controller.says("store", true).await;
    deploy(&client, "after").await;
    nodes.extend(placed(&client, "after").await);
    let said = controller.says("telemetry", false).await;
    assert!(said.contains("nothing waits for it"), "{said}");

    let told = until("every placement is told once", async || {
        let told = controller.placements().await;
        let done = told.iter().filter(|decision| decision["outcome"] == "Done").count();
        (done >= nodes.len()).then_some(told)
    })
    .await;
    for (pod, node) in &nodes {
        let mine: Vec<_> = told.iter().filter(|d| d["subject"]["uid"] == **pod && d["outcome"] == "Done").collect();
        assert_eq!(mine.len(), 1, "{pod}: {mine:#?}");
        assert_eq!(mine[0]["chosen"], **node);
    }
    until("the other page heard of them, too", async || {
        (standby.placements().await.len() >= nodes.len()).then_some(())
    })
    .await;
    for app in ["before", "during", "after"] {
        let now = placed(&client, app).await;
        assert!(now.iter().all(|(pod, node)| nodes.get(pod) == Some(node)), "{app} was touched again");
    }

    let id = nix::unistd::Pid::from_raw(i32::try_from(controller.child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    let ended = until("it stops when it is told to", async || controller.child.try_wait().unwrap()).await;
    assert!(ended.success(), "{ended}");
    cluster.stop().await;
}
