//! A controller or page in a process of its own, and pods for it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, PostParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// A controller process and its page.
pub struct Controller {
    /// The process.
    pub child: Child,
    /// Where its page is.
    pub page: String,
}

impl Controller {
    /// A controller that may enforce, for the cluster of a kubeconfig, with `args` on top.
    pub fn start(cluster: &str, database: &str, folder: &Path, args: &[&str]) -> Self {
        let kubeconfig = folder.join("kubeconfig");
        std::fs::write(&kubeconfig, cluster).unwrap();
        let free = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_keelson"))
            .args(["controller", "--identity", "one", "--ceiling", "scheduling=Enforce", "--database", database])
            .args(["--listen", &free.to_string()])
            .args(args)
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
    pub fn dashboard(cluster: &str, database: &str, folder: &Path) -> Self {
        let kubeconfig = folder.join("kubeconfig-of-the-page");
        std::fs::write(&kubeconfig, cluster).unwrap();
        let free = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_keelson"))
            .args(["dashboard", "--database", database, "--listen", &free.to_string(), "--kubeconfig"])
            .arg(kubeconfig)
            .stderr(Stdio::null())
            .spawn()
            .expect("keelson starts");
        Self { child, page: format!("http://{free}") }
    }

    /// The answer to a path, when it is JSON.
    pub async fn ask(&self, path: &str) -> Option<Value> {
        let answer = reqwest::get(format!("{}{path}", self.page)).await.ok()?;
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }

    /// Whether a connection works, and what the page says of it.
    pub async fn connection(&self, name: &str) -> Option<(bool, String)> {
        let overview = self.ask("/api/v1/overview").await?;
        let found = overview["connections"].as_array()?.iter().find(|connection| connection["name"] == name)?.clone();
        Some((found["ok"].as_bool()?, found["detail"].as_str()?.to_owned()))
    }

    /// Waits until the page says that a connection works, or that it does not.
    pub async fn says(&self, name: &str, ok: bool) -> String {
        let what = format!("the page says that {name} is {}", if ok { "there" } else { "away" });
        until(&what, async || self.connection(name).await.filter(|(is, _)| *is == ok)).await.1
    }

    /// The newest placements in the default namespace.
    pub async fn placements(&self) -> Vec<Value> {
        let answer = self.ask("/api/v1/decisions?namespace=default&verb=Place&limit=200").await;
        answer.and_then(|answer| answer["decisions"].as_array().cloned()).unwrap_or_default()
    }

    /// Waits until each of these pods (by uid) has a placement that was done, on its node and only once.
    pub async fn tells_each_once(&self, nodes: &BTreeMap<String, String>) {
        let told = until("every placement is told", async || {
            let told: Vec<_> = self.placements().await.into_iter().filter(|told| told["outcome"] == "Done").collect();
            (told.len() >= nodes.len()).then_some(told)
        })
        .await;
        for (pod, node) in nodes {
            let mine: Vec<_> = told.iter().filter(|told| told["subject"]["uid"] == **pod).collect();
            assert_eq!(mine.len(), 1, "{pod}: {mine:#?}");
            assert_eq!(mine[0]["chosen"], **node);
        }
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

/// Waits until `check` says something.
pub async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(45);
    while Instant::now() < end {
        if let Some(found) = check().await {
            return found;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("not within 45 s: {what}");
}

/// Six pods that name Keelson and ask for so much cpu each.
pub async fn deploy(client: &kube::Client, name: &str, cpu: &str) {
    let container = json!({"name": "main", "image": "shop:1", "resources": {"requests": {"cpu": cpu}}});
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
pub async fn placed(client: &kube::Client, name: &str) -> BTreeMap<String, String> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let wanted = ListParams::default().labels(&format!("app={name}"));
    until(&format!("every pod of {name} has a node"), async || {
        let node = |pod: Pod| Some((pod.metadata.uid?, pod.spec?.node_name?));
        let found: BTreeMap<_, _> = pods.list(&wanted).await.ok()?.into_iter().filter_map(node).collect();
        (found.len() == 6).then_some(found)
    })
    .await
}
