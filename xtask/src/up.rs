//! Keelson's main job on this machine: sets up what is missing, builds, and becomes `keelson up`.
//!
//! With `--real` it runs on a real cluster made for it: two real nodes and fifty pretended ones, RBAC on, and Keelson with
//! only the rights it declares. This process becomes the owner of the cluster, which starts it again as
//! `on-cluster` beside it; that one installs Keelson and becomes `keelson up`. So every signal reaches who must act on
//! it, and Ctrl-C ends everything.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::layers::{CLUSTER, PAGE};
use crate::run::{Outcome, become_program, command, program, read, root};
use crate::{setup, web};

/// The application that is placed.
const APP: &str = "e2e/apps/online-boutique/app.yaml";
/// What is installed beside the definitions and the rights.
const INSTALL: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: keelson-system}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: keelson, namespace: keelson-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: keelson}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: keelson-controller-enforce}
subjects: [{kind: ServiceAccount, name: keelson, namespace: keelson-system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: keelson, namespace: keelson-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: keelson-controller-enforce}
subjects: [{kind: ServiceAccount, name: keelson, namespace: keelson-system}]
---
apiVersion: keelson.dev/v1alpha1
kind: Platform
metadata: {name: default}
spec: {features: {scheduling: {mode: Enforce}}}
";

/// What runs on the pretended nodes; everything else goes to real kubelets.
const BATCH: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: batch, namespace: default}
spec:
  replicas: 60
  selector: {matchLabels: {app: batch}}
  template:
    metadata: {labels: {app: batch}}
    spec:
      schedulerName: keelson
      nodeSelector: {type: kwok}
      tolerations: [{key: pretended, operator: Exists}]
      containers: [{name: batch, image: \"pretended/batch:1\", resources: {requests: {cpu: 500m, memory: 1Gi}}}]
";

/// Runs `keelson up` with `args`; with `--real` on a real cluster made for it.
pub fn up(args: &[&str]) -> Outcome {
    let rest: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--real").collect();
    let real = rest.len() < args.len();
    let (needs, ours) = if real { (CLUSTER, "up --real") } else { (PAGE, "up") };
    setup::require(needs, ours)?;
    web::build()?;
    let keelson = program("keelson", "dev")?;
    if !real {
        return become_program(&keelson, &[&["up"], &rest[..]].concat());
    }
    let cluster = program("keelson-cluster", "dev")?;
    let us = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    eprintln!("up: starting a real cluster (the first time its programs are built, about ten minutes)");
    let made = ["--real", "2", "--kwok", "50", "--dns", "--stand-in", APP, "--"];
    become_program(&cluster, &[&made, &[&*us.to_string_lossy(), "on-cluster", &keelson][..], &rest].concat())
}

/// Installs Keelson and what it places on the cluster that `KUBECONFIG` names, and runs it there with its own rights.
pub fn on_cluster(keelson: &str, rest: &[&str]) -> Outcome {
    let named = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set: run `cargo xtask up --real`"));
    let cluster = Cluster { kubeconfig: named("KUBECONFIG")?, kubectl: named("KUBECTL")? };
    let own = cluster.install(keelson)?;
    cluster.kubectl(&["taint", "nodes", "--selector=type=kwok", "pretended=true:NoSchedule"])?;
    cluster.apply(BATCH)?;
    let app = fs::read_to_string(root().join(APP)).map_err(|error| format!("{APP}: {error}"))?;
    cluster.apply(&app.replace("\n    spec:\n", "\n    spec:\n      schedulerName: keelson\n"))?;
    become_program(keelson, &[&["up", "--kubeconfig", &own], rest].concat())
}

/// A cluster, as its administrator.
struct Cluster {
    kubeconfig: String,
    kubectl: String,
}

impl Cluster {
    /// Installs Keelson and returns a kubeconfig with its rights.
    fn install(&self, keelson: &str) -> Result<String, String> {
        self.apply(&read(keelson, &["crds"])?)?;
        self.kubectl(&["wait", "--for=condition=Established", "crd/platforms.keelson.dev", "--timeout=30s"])?;
        // The namespace comes first: a Role is in it.
        self.apply(INSTALL)?;
        self.apply(&read(keelson, &["generate", "rbac"])?)?;
        let token = self.kubectl(&["create", "token", "keelson", "-n", "keelson-system", "--duration=24h"])?;
        let own = format!("{}.keelson", self.kubeconfig);
        fs::copy(&self.kubeconfig, &own).map_err(|error| format!("{own}: {error}"))?;
        let token = format!("--token={}", token.trim());
        for change in [&["set-credentials", "keelson", &token][..], &["set-context", "--current", "--user=keelson"]] {
            read(&self.kubectl, &[&["--kubeconfig", &own, "config"], change].concat())?;
        }
        Ok(own)
    }

    fn kubectl(&self, args: &[&str]) -> Result<String, String> {
        read(&self.kubectl, &[&["--kubeconfig", &self.kubeconfig], args].concat())
    }

    fn apply(&self, manifest: &str) -> Outcome {
        let mut child = command(&self.kubectl)
            .args(["--kubeconfig", &self.kubeconfig, "apply", "--server-side", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("kubectl could not be started: {error}"))?;
        let given = child.stdin.take().map(|mut stdin| stdin.write_all(manifest.as_bytes()));
        let status = child.wait().map_err(|error| error.to_string())?;
        match given {
            Some(Ok(())) if status.success() => Ok(()),
            _ => Err("kubectl apply failed; the lines above say why".to_owned()),
        }
    }
}
