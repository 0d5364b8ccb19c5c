//! Keelson's main job on this machine: sets up what is missing, builds, and runs `keelson up`.
//!
//! With `--real` it runs on a real cluster made for it: two real nodes and fifty pretended ones, RBAC on, and Keelson with
//! only the rights it declares. Ctrl-C ends everything.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::run::{Outcome, program, read, root, show};
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
    setup::setup()?;
    web::build()?;
    let keelson = program("keelson", "dev")?;
    let rest: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--real").collect();
    if rest.len() == args.len() {
        return show(&keelson, &[&["up"], &rest[..]].concat());
    }
    let cluster = Cluster::start()?;
    let kubeconfig = cluster.install(&keelson)?;
    cluster.kubectl(&["taint", "nodes", "--selector=type=kwok", "pretended=true:NoSchedule"])?;
    cluster.apply(BATCH)?;
    cluster.apply(
        &fs::read_to_string(root().join(APP))
            .map_err(|e| format!("{APP}: {e}"))?
            .replace("\n    spec:\n", "\n    spec:\n      schedulerName: keelson\n"),
    )?;
    show(&keelson, &[&["up", "--kubeconfig", &kubeconfig], &rest[..]].concat())
}

/// A real cluster; ended when dropped.
struct Cluster {
    child: Child,
    kubeconfig: String,
    kubectl: String,
}

impl Cluster {
    fn start() -> Result<Self, String> {
        eprintln!("up: starting a real cluster (the first time its programs are built, about ten minutes)");
        let flags = ["--real", "2", "--kwok", "50", "--dns", "--stand-in", APP];
        let mut child = Command::new(program("keelson-cluster", "dev")?)
            .args(flags)
            .current_dir(root())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("keelson-cluster could not be started: {error}"))?;
        let mut said = BTreeMap::new();
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        for line in lines.into_iter().flatten().map_while(Result::ok) {
            if let Some((word, path)) = line.split_once(' ') {
                said.insert(word.to_owned(), path.to_owned());
            }
            if said.len() == 3 {
                break;
            }
        }
        let (Some(kubeconfig), Some(kubectl), Some(logs)) =
            (said.remove("kubeconfig"), said.remove("kubectl"), said.remove("logs"))
        else {
            let _ = child.wait();
            return Err("the cluster did not start; the lines above say why".to_owned());
        };
        eprintln!("up: the cluster's logs are in {logs}");
        Ok(Self { child, kubeconfig, kubectl })
    }

    /// Installs Keelson and returns a kubeconfig with its rights.
    fn install(&self, keelson: &str) -> Result<String, String> {
        self.apply(&read(keelson, &["crds"])?)?;
        self.kubectl(&["wait", "--for=condition=Established", "crd/platforms.keelson.dev", "--timeout=30s"])?;
        self.apply(&read(keelson, &["generate", "rbac"])?)?;
        self.apply(INSTALL)?;
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
        let mut child = Command::new(Path::new(&self.kubectl))
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

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
