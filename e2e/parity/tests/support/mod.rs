//! A case on a real control plane: stored, read back, and taken away again.

use std::collections::BTreeMap;
use std::path::Path;

use futures::future::join_all;
use keelson_parity::request::Request;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

const NAMESPACES: [&str; 3] = ["shop", "pay", "lab"];
/// Kinds without namespaces, in the path below which they are, and those within one.
const KINDS: [&str; 6] = [
    "/api/v1/nodes",
    "/api/v1/persistentvolumes",
    "/apis/storage.k8s.io/v1/storageclasses",
    "/apis/storage.k8s.io/v1/csinodes",
    "/apis/storage.k8s.io/v1/csidrivers",
    "/apis/storage.k8s.io/v1/volumeattachments",
];
const WITHIN: [(&str, &str); 7] = [
    ("/api/v1", "pods"),
    ("/api/v1", "persistentvolumeclaims"),
    ("/api/v1", "services"),
    ("/api/v1", "replicationcontrollers"),
    ("/apis/apps/v1", "replicasets"),
    ("/apis/apps/v1", "statefulsets"),
    ("/apis/policy/v1", "poddisruptionbudgets"),
];
const CAPACITIES: &str = "/apis/storage.k8s.io/v1/namespaces/kube-system/csistoragecapacities";

/// An API server, in plain JSON.
pub struct Api(Client);

impl Api {
    pub async fn at(kubeconfig: &Path) -> Self {
        let read = Kubeconfig::read_from(kubeconfig).unwrap();
        let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap();
        Self(Client::try_from(config).unwrap())
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = http::Request::builder().method(method).uri(path).header("content-type", kind);
        let request = request.body(serde_json::to_vec(body).unwrap()).unwrap();
        self.0.request::<Value>(request).await.map_err(|error| format!("{method} {path}: {error}"))
    }

    pub async fn get(&self, path: &str) -> Value {
        self.send("GET", path, &Value::Null).await.unwrap()
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        self.get(path).await["items"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Makes an object, then gives it its status, which is not taken at its making.
    async fn make(&self, path: &str, object: &Value) -> Value {
        let made = self.send("POST", path, object).await.unwrap_or_else(|error| panic!("{error}: {object}"));
        if path.ends_with("nodes") || object["status"].is_null() {
            return made;
        }
        let mut next = made.clone();
        next["status"] = object["status"].clone();
        let name = made["metadata"]["name"].as_str().unwrap();
        self.send("PUT", &format!("{path}/{name}/status"), &next)
            .await
            .unwrap_or_else(|error| panic!("{error}: {object}"))
    }

    /// What all cases need.
    pub async fn prepare(&self) {
        for name in NAMESPACES {
            self.make("/api/v1/namespaces", &json!({"metadata": {"name": name}})).await;
            let account = json!({"metadata": {"name": "default"}});
            self.make(&format!("/api/v1/namespaces/{name}/serviceaccounts"), &account).await;
        }
        for (policy, start) in [("PreemptLowerPriority", "p"), ("Never", "n")] {
            for value in [-10, 5, 10, 50, 100, 1_000, 2_000] {
                let class = json!({
                    "metadata": {"name": class(start, value)}, "value": value, "preemptionPolicy": policy,
                });
                self.make("/apis/scheduling.k8s.io/v1/priorityclasses", &class).await;
            }
        }
    }

    /// Stores the objects of a case; the pod to judge is held by a gate. Returns its path.
    pub async fn store(&self, asked: &Request) -> String {
        for namespace in &asked.namespaces {
            let name = namespace["metadata"]["name"].as_str().unwrap();
            let mut known = self.get(&format!("/api/v1/namespaces/{name}")).await;
            known["metadata"]["labels"] = namespace["metadata"]["labels"].clone();
            self.send("PUT", &format!("/api/v1/namespaces/{name}"), &known).await.unwrap();
        }
        join_all(asked.nodes.iter().map(|node| async move {
            let mut made = self.make("/api/v1/nodes", node).await;
            // A new node has a taint until it is ready, and nobody who takes it away.
            made["spec"]["taints"] = node["spec"]["taints"].clone();
            let name = made["metadata"]["name"].as_str().unwrap();
            self.send("PUT", &format!("/api/v1/nodes/{name}"), &made).await.unwrap();
        }))
        .await;
        let mut judged = asked.pod.clone();
        judged["spec"]["schedulingGates"] = json!([{"name": "keelson.dev/not-yet"}]);
        judged["status"] = Value::Null;
        let pods: Vec<Value> = asked.pods.iter().chain([&judged]).map(as_asked).collect();
        let made = join_all(pods.iter().map(|pod| self.make_deleted(within("/api/v1", "pods", pod), pod))).await;
        let path = within("/api/v1", "pods", &judged) + "/" + judged["metadata"]["name"].as_str().unwrap();
        // Owners and claims are known by the uids that the server gave.
        let mut uids = uids(&made);
        let claims: Vec<Value> = asked.persistent_volume_claims.iter().map(|claim| renamed(claim, &uids)).collect();
        let path_of = |claim: &Value| within("/api/v1", "persistentvolumeclaims", claim);
        let made = join_all(claims.iter().map(|claim| self.make_deleted(path_of(claim), claim))).await;
        uids.extend(self::uids(&made));
        let disks: Vec<Value> = asked.persistent_volumes.iter().map(|disk| renamed(disk, &uids)).collect();
        join_all(disks.iter().map(|disk| self.make_deleted("/api/v1/persistentvolumes".to_owned(), disk))).await;
        let mut rest: Vec<(String, Value)> = Vec::new();
        let of = |list: &[Value], path: &str| list.iter().map(|one| (path.to_owned(), one.clone())).collect::<Vec<_>>();
        rest.extend(of(&asked.storage_classes, KINDS[2]));
        rest.extend(of(&asked.csi_nodes, KINDS[3]));
        rest.extend(of(&asked.csi_drivers, KINDS[4]));
        rest.extend(of(&asked.volume_attachments, KINDS[5]));
        rest.extend(of(&asked.csi_storage_capacities, CAPACITIES));
        for service in &asked.services {
            let mut service = service.clone();
            service["spec"]["ports"] = json!([{"port": 80}]);
            rest.push((within("/api/v1", "services", &service), service));
        }
        for (list, group, kind) in [
            (&asked.replication_controllers, "/api/v1", "replicationcontrollers"),
            (&asked.replica_sets, "/apis/apps/v1", "replicasets"),
            (&asked.stateful_sets, "/apis/apps/v1", "statefulsets"),
        ] {
            for owner in list {
                let mut owner = owner.clone();
                let labels = owner["metadata"]["name"].clone();
                owner["spec"]["template"] = json!({
                    "metadata": {"labels": {"app": labels}},
                    "spec": {"containers": [{"name": "c", "image": "registry.example/app:1"}]},
                });
                owner["spec"]["replicas"] = json!(0);
                rest.push((within(group, kind, &owner), owner));
            }
        }
        for budget in &asked.pod_disruption_budgets {
            rest.push((within("/apis/policy/v1", "poddisruptionbudgets", budget), budget.clone()));
        }
        join_all(rest.iter().map(|(path, object)| self.make(path, object))).await;
        path
    }

    /// As [`Self::make`]; one that is being deleted is deleted.
    async fn make_deleted(&self, path: String, object: &Value) -> Value {
        let mut living = object.clone();
        let metadata = living["metadata"].as_object_mut().unwrap();
        let doomed = metadata.remove("deletionTimestamp").is_some();
        metadata.remove("deletionGracePeriodSeconds");
        let made = self.make(&path, &living).await;
        if doomed {
            let name = made["metadata"]["name"].as_str().unwrap();
            self.send("DELETE", &format!("{path}/{name}"), &json!({"gracePeriodSeconds": 600})).await.unwrap();
        }
        made
    }

    /// The cluster as it is stored, and the pod at `path` without its gate.
    pub async fn read(&self, path: &str) -> Request {
        let mut asked = Request {
            nodes: self.list(KINDS[0]).await,
            pods: self.list("/api/v1/pods").await,
            namespaces: self.list("/api/v1/namespaces").await,
            services: self.list("/api/v1/services").await,
            replication_controllers: self.list("/api/v1/replicationcontrollers").await,
            stateful_sets: self.list("/apis/apps/v1/statefulsets").await,
            replica_sets: self.list("/apis/apps/v1/replicasets").await,
            persistent_volumes: self.list(KINDS[1]).await,
            persistent_volume_claims: self.list("/api/v1/persistentvolumeclaims").await,
            storage_classes: self.list(KINDS[2]).await,
            csi_nodes: self.list(KINDS[3]).await,
            csi_drivers: self.list(KINDS[4]).await,
            csi_storage_capacities: self.list(CAPACITIES).await,
            volume_attachments: self.list(KINDS[5]).await,
            pod_disruption_budgets: self.list("/apis/policy/v1/poddisruptionbudgets").await,
            preempt: true,
            ..Request::default()
        };
        asked.pod = self.get(path).await;
        asked.pods.retain(|pod| pod["metadata"]["uid"] != asked.pod["metadata"]["uid"]);
        asked.pod["spec"]["schedulingGates"] = Value::Null;
        asked
    }

    /// Returns when the scheduler has heard of everything: a pod that was made last, and that fits nowhere, has been told so.
    pub async fn heard(&self, number: u64) {
        let pods = "/api/v1/namespaces/lab/pods";
        let name = format!("probe-{number}");
        let probe = json!({"metadata": {"name": name}, "spec": {
            "nodeSelector": {"there": "is-none"}, "containers": [{"name": "c", "image": "registry.example/app:1"}],
        }});
        self.make(pods, &probe).await;
        let path = format!("{pods}/{name}");
        until(&path, async || self.get(&path).await["status"]["conditions"][0]["status"].as_str().map(drop)).await;
        self.send("DELETE", &path, &json!({"gracePeriodSeconds": 0})).await.unwrap();
    }

    pub async fn release(&self, path: &str) {
        self.send("PATCH", path, &json!({"spec": {"schedulingGates": null}})).await.unwrap();
    }

    /// Takes everything away.
    pub async fn clear(&self) {
        let now = json!({"gracePeriodSeconds": 0});
        let mut paths: Vec<String> = KINDS.iter().map(|kind| (*kind).to_owned()).collect();
        paths.push(CAPACITIES.to_owned());
        for name in NAMESPACES {
            paths.extend(WITHIN.iter().map(|(group, kind)| format!("{group}/namespaces/{name}/{kind}")));
        }
        join_all(paths.iter().map(|path| self.send("DELETE", path, &now))).await.into_iter().for_each(|ended| {
            ended.unwrap();
        });
        join_all(paths.iter().map(async |path| {
            for left in self.list(path).await {
                let one = format!("{path}/{}", left["metadata"]["name"].as_str().unwrap());
                // Who would take the finaliser away does not run here; it may be gone meanwhile.
                let _ = self.send("PATCH", &one, &json!({"metadata": {"finalizers": null}})).await;
            }
            until(path, async || self.list(path).await.is_empty().then_some(())).await;
        }))
        .await;
    }
}

/// Waits for something, at most half a minute.
pub async fn until<T>(what: &str, seen: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..1_500 {
        if let Some(value) = seen().await {
            return value;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("waited in vain for {what}");
}

fn class(start: &str, value: i64) -> String {
    format!("{start}{value}").replace('-', "m")
}

fn within(group: &str, kind: &str, object: &Value) -> String {
    format!("{group}/namespaces/{}/{kind}", object["metadata"]["namespace"].as_str().unwrap())
}

/// A pod as it is asked for: its priority by the class, its overhead by none, its label keys not merged yet.
fn as_asked(pod: &Value) -> Value {
    let mut asked = pod.clone();
    unmerge(&mut asked);
    let spec = asked["spec"].as_object_mut().unwrap();
    spec.remove("overhead");
    let never = spec.remove("preemptionPolicy").is_some();
    let priority = spec.remove("priority").and_then(|value| value.as_i64()).unwrap_or_default();
    if priority != 0 {
        spec.insert("priorityClassName".to_owned(), json!(class(if never { "n" } else { "p" }, priority)));
    }
    asked
}

/// Takes back what the API server makes of `matchLabelKeys`.
fn unmerge(value: &mut Value) {
    let keys = ["matchLabelKeys", "mismatchLabelKeys"];
    if keys.iter().any(|keys| value.get(*keys).is_some_and(Value::is_array))
        && let Some(conditions) = value.pointer_mut("/labelSelector/matchExpressions").and_then(Value::as_array_mut)
    {
        conditions.retain(|condition| condition["key"] != "version");
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(unmerge),
        Value::Array(items) => items.iter_mut().for_each(unmerge),
        _ => {}
    }
}

/// The uids that the server gave, by those of the case, which are the names.
fn uids(made: &[Value]) -> BTreeMap<String, Value> {
    let pair = |one: &Value| (one["metadata"]["name"].as_str().unwrap().to_owned(), one["metadata"]["uid"].clone());
    made.iter().map(pair).collect()
}

fn renamed(object: &Value, uids: &BTreeMap<String, Value>) -> Value {
    match object {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, field)| {
                    let uid = uids.get(field.as_str().unwrap_or_default()).filter(|_| key == "uid");
                    (key.clone(), uid.cloned().unwrap_or_else(|| renamed(field, uids)))
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(|item| renamed(item, uids)).collect()),
        other => other.clone(),
    }
}
