//! What ten thousand pods weigh in a cache: whole pods as an API server sends them, pruned by the runtime.
//!
//! The API server here is a function that makes pages of pods as they are asked for, so that all that stays in memory is the
//! cache's. Measured is what the process has resident after the list, less what it had before it.

use std::convert::Infallible;
use std::process::Command;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, Volume};
use keelson_runtime::{Calls, Runtime};
use kube::client::{Body, ClientBuilder};
use serde_json::{Value, json};
use tower::service_fn;

use crate::clock::{median, resident};
use crate::reconcile::framework;
use crate::{Better, Row, Setting, Size};

/// Megabytes of ten thousand pods.
const GOAL: f64 = 25.0;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;
/// Makes the object of a number.
type Made = fn(usize, Stock) -> Value;

/// What there is in a cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stock {
    pub(crate) pods: usize,
    pub(crate) workloads: usize,
    pub(crate) nodes: usize,
}

impl Stock {
    /// The framework on an API server that has this, and nothing else.
    pub(crate) fn framework(self) -> Result<Runtime> {
        let service = service_fn(move |request: Request<Body>| async move { answer(&request, self) });
        let calls = Calls::default();
        framework(ClientBuilder::new(service, "default").with_layer(&calls.to("api:6443")).build(), calls)
    }
}

/// Answers lists of pods and nodes in pages, never says anything on a watch, and has nothing else.
fn answer(request: &Request<Body>, stock: Stock) -> Result<Answer, http::Error> {
    let query = request.uri().query().unwrap_or_default();
    let number = |name: &str| {
        let value = query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse::<usize>().ok())
    };
    if query.contains("watch=") {
        let silence = StreamBody::new(futures::stream::pending());
        return Response::builder().header("content-type", "application/json").body(silence.boxed_unsync());
    }
    let listed: Option<(&str, usize, Made)> = match request.uri().path() {
        "/api/v1/pods" => Some(("PodList", stock.pods, pod)),
        "/api/v1/nodes" => Some(("NodeList", stock.nodes, |n, _| node(n))),
        _ => None,
    };
    let (status, body) = if let Some((kind, count, item)) = listed {
        let first = number("continue").unwrap_or(0);
        let last = count.min(first + number("limit").unwrap_or(count));
        let next = if last < count { last.to_string() } else { String::new() };
        let metadata = json!({"resourceVersion": "1000", "continue": next});
        // One tree at a time: a page of them would weigh more than the cache.
        let items: Vec<String> = (first..last).map(|n| item(n, stock).to_string()).collect();
        let items = items.join(",");
        (200, format!(r#"{{"kind":"{kind}","apiVersion":"v1","metadata":{metadata},"items":[{items}]}}"#))
    } else {
        let status =
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404});
        (404, status.to_string())
    };
    let body = Full::new(Bytes::from(body)).boxed_unsync();
    Response::builder().status(status).header("content-type", "application/json").body(body)
}

fn node_name(n: usize) -> String {
    format!("ip-10-{}-{}.internal", n / 250, n % 250)
}

/// A node as a cloud leaves it: labels, conditions, and some of the images that it has.
fn node(n: usize) -> Value {
    let (name, zone) = (node_name(n), format!("eu-west-1{}", ["a", "b", "c"].get(n % 3).copied().unwrap_or_default()));
    let resources = json!({"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "100Gi"});
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "Kubelet", "message": "as the kubelet says",
        "lastHeartbeatTime": "2026-05-20T17:00:00Z", "lastTransitionTime": "2026-05-20T17:00:00Z"})
    };
    let images: Vec<Value> = (0..20)
        .map(|k| json!({"names": [format!("registry.example/shop/main:1.{}.0", (n + k) % 400)], "sizeBytes": 80_000_000 + k}))
        .collect();
    json!({
        "metadata": {
            "name": name, "uid": format!("00000000-0000-4000-a000-{n:012x}"), "resourceVersion": n.to_string(),
            "creationTimestamp": "2026-05-20T17:00:00Z",
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/region": "eu-west-1", "topology.kubernetes.io/zone": zone,
                "node.kubernetes.io/instance-type": "m6i.4xlarge"},
        },
        "spec": {"providerID": format!("aws:///{zone}/i-{n:017x}"), "podCIDR": format!("10.{}.{}.0/24", n / 250, n % 250)},
        "status": {
            "capacity": resources, "allocatable": resources, "images": images,
            "addresses": [{"type": "InternalIP", "address": format!("10.{}.{}.1", n / 250, n % 250)}],
            "conditions": [condition("Ready", "True"), condition("MemoryPressure", "False"), condition("DiskPressure", "False"),
                condition("PIDPressure", "False")],
            "nodeInfo": {"architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.36.3", "bootID": "", "machineID": "",
                "systemUUID": "", "kernelVersion": "6.12", "osImage": "Debian", "containerRuntimeVersion": "containerd://2.1",
                "kubeProxyVersion": ""},
        },
    })
}

/// A pod as a mesh and a Deployment leave it: two containers, probes, environment, volumes, and who wrote which field.
pub(crate) fn pod(n: usize, stock: Stock) -> Value {
    let (workload, node) = (n % stock.workloads, n % stock.nodes);
    let labels = json!({
        "app.kubernetes.io/name": format!("workload-{workload}"), "app.kubernetes.io/part-of": "shop",
        "pod-template-hash": format!("{:x}", workload * 7_919), "topology.kubernetes.io/zone": "eu-west-1a",
    });
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1,
        "successThreshold": 1, "failureThreshold": 3});
    let env: Vec<Value> =
        (0..12).map(|k| json!({"name": format!("SETTING_{k}"), "value": format!("value of setting {k}")})).collect();
    let mounts = json!([
        {"name": "config", "mountPath": "/etc/config", "readOnly": true},
        {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true},
    ]);
    let container = |name: &str| {
        json!({
            "name": name, "image": format!("registry.example/shop/{name}:1.{workload}.0"), "imagePullPolicy": "IfNotPresent",
            "env": env, "args": ["--listen", ":8080", "--log", "info"], "volumeMounts": mounts,
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
            "livenessProbe": probe, "readinessProbe": probe, "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File", "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
        })
    };
    let status = |name: &str| {
        json!({
            "name": name, "ready": true, "restartCount": 0, "started": true, "image": format!("registry.example/shop/{name}:1.{workload}.0"),
            "imageID": format!("registry.example/shop/{name}@sha256:{:064x}", workload), "containerID": format!("containerd://{n:064x}"),
            "state": {"running": {"startedAt": "2026-05-20T17:00:03Z"}}, "lastState": {},
            "volumeMounts": mounts,
        })
    };
    let fields: Value = (0..40).map(|k| (format!("f:field-{k}"), json!({}))).collect::<serde_json::Map<_, _>>().into();
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-05-20T17:00:00Z"});
    let conditions =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
    let projected = json!({"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}], "defaultMode": 420});
    let toleration =
        |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    json!({
        "metadata": {
            "name": format!("workload-{workload}-{:x}-{n:05x}", workload * 7_919), "namespace": format!("team-{}", workload % 40),
            "uid": format!("00000000-0000-4000-8000-{n:012x}"), "resourceVersion": n.to_string(), "labels": labels,
            "generateName": format!("workload-{workload}-{:x}-", workload * 7_919), "creationTimestamp": "2026-05-20T17:00:00Z",
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("workload-{workload}-{:x}", workload * 7_919),
                "uid": format!("00000000-0000-4000-9000-{workload:012x}"), "controller": true, "blockOwnerDeletion": true}],
            "managedFields": [
                {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields},
                {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "subresource": "status", "fieldsType": "FieldsV1", "fieldsV1": fields},
            ],
        },
        "spec": {
            "nodeName": node_name(node), "containers": [container("main"), container("sidecar")],
            "serviceAccountName": "default", "serviceAccount": "default", "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30, "enableServiceLinks": true, "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority", "securityContext": {"runAsNonRoot": true},
            "volumes": [{"name": "config", "configMap": {"name": format!("workload-{workload}"), "defaultMode": 420}},
                {"name": "kube-api-access", "projected": projected}],
            "tolerations": [toleration("node.kubernetes.io/not-ready"), toleration("node.kubernetes.io/unreachable")],
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": format!("workload-{workload}")}}}],
        },
        "status": {
            "phase": "Running", "conditions": conditions, "containerStatuses": [status("main"), status("sidecar")], "qosClass": "Burstable",
            "hostIP": "10.0.0.7", "podIP": format!("10.{}.{}.{}", n / 65_536, n / 256 % 256, n % 256), "startTime": "2026-05-20T17:00:00Z",
            "podIPs": [{"ip": format!("10.{}.{}.{}", n / 65_536, n / 256 % 256, n % 256)}], "hostIPs": [{"ip": "10.0.0.7"}],
        },
    })
}

/// Weighs it five times, each in a process of its own: what the allocator keeps depends on which threads met.
///
/// # Errors
/// When one of them fails.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut rows = once(setting)?;
    let Some(first) = rows.first_mut().filter(|_| setting.size == Size::Full) else { return Ok(rows) };
    let mut weights = vec![first.value];
    for _ in 0..4 {
        let said = Command::new(std::env::current_exe()?).arg("cache-once").output()?;
        anyhow::ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let said = String::from_utf8(said.stdout)?;
        let value =
            said.lines().next().and_then(|line| line.split(" MB").next()?.split_whitespace().last()?.parse().ok());
        weights.push(value.context("the process did not say what the cache weighs")?);
    }
    first.value = median(&mut weights);
    first.how += &format!("; the middle of {weights:.1?}");
    *first = first.clone().goal(GOAL);
    Ok(rows)
}

/// Weighs it in this process.
///
/// # Errors
/// When the framework does not start.
pub fn once(setting: &Setting) -> Result<Vec<Row>> {
    let pods = setting.of(10_000, 100);
    let stock = Stock { pods, workloads: 400, nodes: 1_000 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (grown, held) = runtime.block_on(async {
        let platform = stock.framework()?;
        platform.platform().synced().await;
        let before = resident("self");
        let cache = platform.cache::<Pod>();
        cache.synced().await;
        // Less than nothing where a bench before it in this process left much that is given back meanwhile.
        let grown = (resident("self") - before).max(0.0);
        let held = cache.list().len();
        platform.shutdown().await;
        anyhow::Ok((grown, held))
    })?;
    anyhow::ensure!(held == pods, "{held} of {pods} pods are in the cache");
    let sent = pod(1, stock).to_string().len();
    let how = format!(
        "{pods} pods of two containers, {sent} bytes each as sent, in pages of 500; resident memory after less before"
    );
    let weight = grown * 10_000.0 / pods as f64;
    let each = size_of::<Pod>() + 2 * (size_of::<Container>() + size_of::<ContainerStatus>() + size_of::<Volume>());
    let bare = format!(
        "size_of Pod {}, two each of Container {}, ContainerStatus {}, Volume {}: k8s-openapi has every optional field in place",
        size_of::<Pod>(),
        size_of::<Container>(),
        size_of::<ContainerStatus>(),
        size_of::<Volume>()
    );
    Ok(vec![
        Row::new("cache: 10,000 pods, pruned", weight, "MB", Better::Lower, &how).goal(GOAL),
        Row::new("of that the bare structs", each as f64 / 100.0, "MB", Better::Lower, &bare),
    ])
}
