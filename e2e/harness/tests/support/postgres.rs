//! A PostgreSQL server that pods reach by a service name; gone when dropped.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::ensure;
use keelson_harness::cluster::GATEWAY;
use keelson_harness::{Cluster, tools, wait};
use serde_json::json;
use tempfile::TempDir;

const BIN: &str = "/usr/lib/postgresql/15/bin";
const PASSWORD: &str = "only-in-this-cluster";

/// A server beside the control plane.
pub struct Postgres {
    server: Child,
    _folder: TempDir,
}

/// PostgreSQL refuses to run as root: root becomes the user postgres.
fn as_postgres(mut command: Command, args: &[&str]) -> Command {
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).args(args).current_dir("/");
    command
}

impl Postgres {
    /// Starts a server on the bridge, the Service `postgres` in front of it, and its URL in the Secret `database`.
    pub fn start(cluster: &Cluster, namespace: &str) -> Self {
        assert!(Path::new(BIN).exists(), "{BIN} is missing; run: apt-get install -y postgresql-15");
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        let mut own = Command::new("chown");
        own.args(["-R", "postgres:postgres"]).arg(folder.path());
        tools::run(own).unwrap();
        let data = folder.path().join("data").display().to_string();
        let (init, serve) = (format!("{BIN}/initdb"), format!("{BIN}/postgres"));
        let pwfile = format!("--pwfile={}", password.display());
        let args = [&*init, "-D", &data, "-U", "keelson", "-A", "scram-sha-256", &pwfile, "-E", "UTF8", "-N"];
        tools::run(as_postgres(Command::new("setpriv"), &args)).unwrap();
        let hba = format!("{data}/pg_hba.conf");
        fs::write(&hba, fs::read_to_string(&hba).unwrap() + "host all all 10.0.0.0/8 scram-sha-256\n").unwrap();
        let (listen, socket) = (format!("listen_addresses={GATEWAY}"), folder.path().display().to_string());
        let args = [&*serve, "-D", &data, "-c", &listen, "-c", "fsync=off", "-k", &socket];
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let server = as_postgres(cluster.command("setpriv"), &args)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("setpriv starts: install util-linux");
        let started = Self { server, _folder: folder };
        wait::until("PostgreSQL", Duration::from_secs(30), || {
            let ready = cluster.command(format!("{BIN}/pg_isready")).args(["-h", GATEWAY]).output()?;
            ensure!(ready.status.success(), "{}", String::from_utf8_lossy(&ready.stdout));
            Ok(())
        })
        .unwrap();
        let url = format!("postgres://keelson:{PASSWORD}@postgres.{namespace}.svc.cluster.local/postgres");
        let port = json!([{"name": "postgres", "port": 5432, "protocol": "TCP"}]);
        let metadata = |name: &str| json!({"name": name, "namespace": namespace});
        let mut slice = metadata("postgres-bridge");
        slice["labels"] = json!({"kubernetes.io/service-name": "postgres"});
        cluster
            .apply(
                &json!({"apiVersion": "v1", "kind": "List", "items": [
                    {"apiVersion": "v1", "kind": "Secret", "metadata": metadata("database"), "stringData": {"url": url}},
                    {"apiVersion": "v1", "kind": "Service", "metadata": metadata("postgres"),
                        "spec": {"clusterIP": "None", "ports": port}},
                    {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": slice,
                        "endpoints": [{"addresses": [GATEWAY], "conditions": {"ready": true}}], "ports": port},
                ]})
                .to_string(),
            )
            .unwrap();
        started
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
