//! The HTTPS face under the real kubectl.
//!
//! `KUBECTL` names the program; otherwise it is looked for in `PATH`. Without one these tests fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::{io::Write, path::PathBuf, process::Stdio};

use keelson_core::Timestamp;
use keelson_sim::{
    api::{Api, Config, Token},
    clock::Clock,
    face::{
        Shared,
        http::{kubeconfig_tls, serve_tls},
        tls::Tls,
        tower::Face,
    },
};
use tokio::{net::TcpListener, process::Command, sync::oneshot};

struct Cluster {
    dir: tempfile::TempDir,
    shared: Shared,
    stop: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<()>,
}

impl Cluster {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::start(Timestamp::parse("2026-01-01T00:00:00Z").unwrap(), 1);
        let token = Tls::token().unwrap();
        let admin = Token { token: token.clone(), user: "admin".into(), groups: vec!["system:masters".into()] };
        let api = Api::new(Config { tokens: vec![admin], anonymous_admin: false, ..Config::default() });
        let shared = Shared::new(api, clock);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = Tls::for_loopback().unwrap();
        std::fs::write(dir.path().join("admin"), kubeconfig_tls(address, &tls, &token)).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let face = Face::new(shared.clone());
        let server = tokio::spawn(async move { serve_tls(listener, &tls, face, async { drop(stopped.await) }).await });
        Self { dir, shared, stop: Some(stop), server }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = std::env::var_os("KUBECTL").map_or_else(|| PathBuf::from("kubectl"), PathBuf::from);
        let mut command = Command::new(program);
        command.env("KUBECONFIG", self.dir.path().join("admin")).env("HOME", self.dir.path()).args(arguments);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command(arguments).output().await.expect("kubectl runs (set KUBECTL or put it in PATH)");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }

    async fn ok(&self, arguments: &[&str]) -> String {
        let (fine, text) = self.run(arguments).await;
        assert!(fine, "kubectl {arguments:?}: {text}");
        text
    }

    async fn fails(&self, arguments: &[&str]) -> String {
        let (fine, text) = self.run(arguments).await;
        assert!(!fine, "kubectl {arguments:?} should fail: {text}");
        text
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn stop(mut self) {
        drop(self.stop.take());
        self.server.await.unwrap();
        assert_eq!(self.shared.with(|api, _| api.open_watches()), 0, "every watch is closed");
    }
}

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'nginx:1'}]}
";

const GADGET: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.dev}
spec:
  group: example.dev
  scope: Namespaced
  names: {plural: gadgets, kind: Gadget, shortNames: [gg]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What is wanted of a gadget.
            properties:
              size: {type: integer, maximum: 9, description: How big it is.}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workloads_day() {
    let cluster = Cluster::start().await;
    let web = cluster.file("web.yaml", WEB);
    assert!(cluster.ok(&["get", "namespaces"]).await.contains("kube-system"));
    assert!(cluster.ok(&["apply", "-f", &web]).await.contains("created"));
    assert!(cluster.ok(&["apply", "-f", &web]).await.contains("unchanged"));
    assert!(cluster.ok(&["diff", "-f", &web]).await.is_empty());
    assert!(cluster.ok(&["scale", "deploy/web", "--replicas=5"]).await.contains("scaled"));
    let table = cluster.ok(&["get", "deploy"]).await;
    assert!(table.contains("UP-TO-DATE") && table.contains("0/5"), "{table}");
    let refused = cluster.fails(&["apply", "--server-side", "--field-manager=other", "-f", &web]).await;
    assert!(refused.contains("conflict") && refused.contains(".spec.replicas"), "{refused}");
    let forced = ["apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", &web];
    assert!(cluster.ok(&forced).await.contains("serverside-applied"));
    assert_eq!(cluster.ok(&["get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"]).await, "2");
    cluster.ok(&["set", "image", "deploy/web", "c=nginx:2"]).await;
    cluster.ok(&["label", "deploy/web", "tier=front"]).await;
    cluster.ok(&["annotate", "deploy/web", "note=x"]).await;
    let told = cluster.ok(&["describe", "deploy", "web"]).await;
    assert!(told.contains("nginx:2") && told.contains("25% max unavailable"), "{told}");
    cluster.ok(&["get", "all", "-A", "-o", "wide"]).await;
    cluster.ok(&["wait", "--for=jsonpath={.spec.replicas}=2", "deploy/web", "--timeout=10s"]).await;
    cluster.ok(&["delete", "deploy", "web"]).await;
    assert!(cluster.fails(&["get", "deploy", "web"]).await.contains("NotFound"));
    let typo = cluster.file("typo.yaml", &WEB.replace("replicas: 2", "replica: 2"));
    assert!(cluster.fails(&["apply", "-f", &typo]).await.contains("unknown field \"spec.replica\""));
    // These are written in protobuf.
    cluster.ok(&["create", "deployment", "d", "--image=a:1", "--replicas=3", "--port=80"]).await;
    assert_eq!(cluster.ok(&["get", "deploy", "d", "-o", "jsonpath={.spec.replicas}"]).await, "3");
    cluster.ok(&["create", "quota", "q", "--hard=pods=3,cpu=1"]).await;
    cluster.ok(&["create", "pdb", "b", "--selector=app=d", "--min-available=50%"]).await;
    assert_eq!(cluster.ok(&["get", "pdb", "b", "-o", "jsonpath={.spec.minAvailable}"]).await, "50%");
    cluster.ok(&["rollout", "restart", "deploy/d"]).await;
    cluster.ok(&["create", "ns", "gone"]).await;
    cluster.ok(&["-n", "gone", "create", "configmap", "c", "--from-literal=a=b"]).await;
    cluster.ok(&["delete", "ns", "gone", "--timeout=20s"]).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_nodes_and_their_words() {
    let cluster = Cluster::start().await;
    cluster.ok(&["run", "p", "--image=busybox:1", "--restart=Never"]).await;
    let table = cluster.ok(&["get", "po", "-o", "wide"]).await;
    assert!(table.contains("Pending") && table.contains("0/1") && table.contains("NOMINATED NODE"), "{table}");
    assert!(cluster.ok(&["describe", "pod", "p"]).await.contains("QoS Class:"));
    let node = cluster.file("node.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n");
    cluster.ok(&["create", "-f", &node]).await;
    cluster.ok(&["cordon", "n1"]).await;
    assert!(cluster.ok(&["get", "nodes"]).await.contains("SchedulingDisabled"));
    cluster.ok(&["taint", "nodes", "n1", "a=b:NoSchedule"]).await;
    assert!(cluster.ok(&["describe", "node", "n1"]).await.contains("a=b:NoSchedule"));
    cluster.ok(&["delete", "pod", "p"]).await;
    cluster.ok(&["create", "secret", "generic", "s", "--from-literal=k=v"]).await;
    assert_eq!(cluster.ok(&["get", "secret", "s", "-o", "jsonpath={.data.k}"]).await, "dg==");
    let token = cluster.ok(&["create", "token", "default"]).await;
    assert!(token.split('.').count() == 3, "{token}");
    let who = cluster.ok(&["--token", token.trim(), "auth", "whoami"]).await;
    assert!(who.contains("system:serviceaccount:default:default"), "over TLS a token is sent: {who}");
    let resources = cluster.ok(&["api-resources"]).await;
    assert!(resources.contains("poddisruptionbudgets") && resources.contains("hpa"), "{resources}");
    cluster.ok(&["api-versions"]).await;
    assert!(cluster.ok(&["version"]).await.contains("v1.36"));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_resources_are_explained_and_checked() {
    let cluster = Cluster::start().await;
    let definition = cluster.file("crd.yaml", GADGET);
    cluster.ok(&["apply", "-f", &definition]).await;
    cluster.ok(&["wait", "--for=condition=Established", "crd/gadgets.example.dev", "--timeout=10s"]).await;
    let explained = cluster.ok(&["explain", "gadget.spec"]).await;
    assert!(explained.contains("What is wanted of a gadget.") && explained.contains("How big it is."), "{explained}");
    let object = |size: &str, more: &str| {
        format!("apiVersion: example.dev/v1\nkind: Gadget\nmetadata: {{name: g}}\nspec: {{size: {size}{more}}}\n")
    };
    let good = cluster.file("good.yaml", &object("3", ""));
    assert!(cluster.ok(&["apply", "-f", &good]).await.contains("gadget.example.dev/g created"));
    let table = cluster.ok(&["get", "gg"]).await;
    assert!(table.contains("SIZE") && table.contains('3'), "{table}");
    let big = cluster.file("big.yaml", &object("12", ""));
    assert!(cluster.fails(&["apply", "-f", &big]).await.contains("should be less than or equal to 9"));
    let odd = cluster.file("odd.yaml", &object("3", ", colour: red"));
    assert!(cluster.fails(&["apply", "-f", &odd]).await.contains("unknown field"));
    cluster.ok(&["patch", "gg", "g", "--type=merge", "-p", r#"{"spec":{"size":4}}"#]).await;
    cluster.ok(&["delete", "gg", "g"]).await;
    cluster.ok(&["delete", "crd", "gadgets.example.dev"]).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn built_in_kinds_are_explained() {
    let cluster = Cluster::start().await;
    let pod = cluster.ok(&["explain", "pod.spec"]).await;
    assert!(pod.contains("containers\t<[]Container> -required-"), "{pod}");
    assert!(pod.contains("schedulerName\t<string>"), "{pod}");
    let metadata = cluster.ok(&["explain", "deployment.metadata"]).await;
    assert!(metadata.contains("ownerReferences"), "{metadata}");
    let requests = cluster.ok(&["explain", "deployment.spec.template.spec.containers.resources.requests"]).await;
    assert!(requests.contains("FIELD: requests"), "{requests}");
    assert!(cluster.fails(&["explain", "pod.spec.speed"]).await.contains("does not exist"));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_do_what() {
    let cluster = Cluster::start().await;
    assert!(cluster.ok(&["auth", "can-i", "delete", "pods"]).await.starts_with("yes"));
    let (allowed, _) = cluster.run(&["--as=alice", "auth", "can-i", "list", "pods"]).await;
    assert!(!allowed);
    let (_, refused) = cluster.run(&["--as=alice", "get", "pods"]).await;
    assert!(
        refused.contains(r#"pods is forbidden: User "alice" cannot list resource "pods" in API group """#),
        "{refused}"
    );
    cluster.ok(&["create", "role", "reader", "--verb=get,list", "--resource=pods"]).await;
    cluster.ok(&["create", "rolebinding", "reader", "--role=reader", "--user=alice"]).await;
    let (allowed, text) = cluster.run(&["--as=alice", "get", "pods"]).await;
    assert!(allowed, "{text}");
    let (_, list) = cluster.run(&["--as=alice", "auth", "can-i", "--list"]).await;
    assert!(list.contains("pods"), "{list}");
    let (_, me) = cluster.run(&["--as=alice", "auth", "whoami"]).await;
    assert!(me.contains("alice"), "{me}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_shows_what_happens() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let cluster = Cluster::start().await;
    let mut watching = cluster.command(&["get", "cm", "-w", "-o", "name"]);
    let mut child = watching.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    cluster.ok(&["create", "configmap", "first", "--from-literal=a=b"]).await;
    let seen = tokio::time::timeout(std::time::Duration::from_secs(20), lines.next_line()).await.unwrap().unwrap();
    assert_eq!(seen.as_deref(), Some("configmap/first"));
    child.kill().await.unwrap();
    cluster.stop().await;
}
