//! Who may talk to the API server: tokens, the keys behind ServiceAccounts, and kubeconfig files.
//!
//! The API server listens on the same port inside the cluster as the door to it does on this machine's loopback, so one
//! kubeconfig serves programs on both sides. Its certificate is checked by the name every cluster's API server has; it and
//! those of clients are signed by the cluster's authority (see [`crate::certificates`]).
//!
//! Promises: tokens are random, for the door is open to every local process; each file is readable by its owner alone.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::certificates::{self, AUTHORITY};
use crate::cluster::Cluster;
use crate::tools;

/// A name in the API server's certificate, whatever address it was reached by.
pub const SERVER_NAME: &str = "kubernetes.default.svc";

/// File of the certificate by which kubelets know the API server.
pub const KUBELET_CLIENT: &str = "kubelet-client.crt";

/// Writes the key of ServiceAccount tokens, the authority and the certificates that the API server shows, and the token
/// file; returns the administrator's token.
///
/// Tokens are for the administrator, for kube-proxy and for the kubelets of `nodes`, whose kubeconfig files are written
/// to `kube-proxy.kubeconfig` and `NODE.kubeconfig`; they and the administrator's `kubeconfig` name `servers`.
///
/// # Errors
/// When openssl is missing or the folder cannot be written.
pub fn write(folder: &Path, port: u16, gateway: &str, nodes: &[String]) -> Result<String> {
    let mut openssl = Command::new("openssl");
    openssl.args(["genrsa", "-out"]).arg(folder.join("sa.key")).arg("2048");
    tools::run(openssl)?;
    // Signed by itself: kubelets trust this one certificate and no authority.
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7"]);
    openssl.args(["-subj", "/O=system:masters/CN=kube-apiserver", "-addext", "extendedKeyUsage=clientAuth"]);
    openssl.arg("-keyout").arg(folder.join("kubelet-client.key")).arg("-out").arg(folder.join(KUBELET_CLIENT));
    tools::run(openssl)?;
    certificates::authority(folder)?;
    certificates::serving(folder, gateway)?;
    let (outside, inside) = (format!("https://127.0.0.1:{port}"), format!("https://{gateway}:{port}"));
    let admin = token()?;
    let mut tokens = format!("{admin},admin,admin,\"system:masters\"\n");
    fs::write(folder.join("kubeconfig"), kubeconfig(folder, &outside, &json!({"token": admin})))?;
    let proxy = token()?;
    tokens += &format!("{proxy},system:kube-proxy,kube-proxy\n");
    fs::write(folder.join("kube-proxy.kubeconfig"), kubeconfig(folder, &inside, &json!({"token": proxy})))?;
    for node in nodes {
        let own = token()?;
        tokens += &format!("{own},system:node:{node},{node},\"system:nodes\"\n");
        fs::write(folder.join(format!("{node}.kubeconfig")), kubeconfig(folder, &inside, &json!({"token": own})))?;
    }
    fs::write(folder.join("tokens.csv"), tokens)?;
    Ok(admin)
}

impl Cluster {
    /// Makes the ServiceAccount `name` in the namespace `default` with a ClusterRole of exactly these rules, and returns
    /// a kubeconfig for it, good for a day on this machine and in the cluster's network.
    ///
    /// # Errors
    /// When the API server refuses a rule; the text is the refusal.
    pub fn user(&self, name: &str, rules: &[Value]) -> Result<PathBuf> {
        self.account(name)?;
        self.grant(name, rules, &json!({"kind": "ServiceAccount", "name": name, "namespace": "default"}))?;
        self.kubeconfig_of(name, &json!({"token": self.account_token(name)?}))
    }

    /// The same with its token in a file of its own, `NAME.token` beside the kubeconfig, that can be written anew.
    ///
    /// # Errors
    /// As [`Cluster::user`].
    pub fn user_with_token_file(&self, name: &str, rules: &[Value]) -> Result<PathBuf> {
        self.account(name)?;
        self.grant(name, rules, &json!({"kind": "ServiceAccount", "name": name, "namespace": "default"}))?;
        let file = self.token_file(name);
        fs::write(&file, self.account_token(name)?)?;
        self.kubeconfig_of(name, &json!({"tokenFile": file}))
    }

    /// Where the token of such a user is.
    #[must_use]
    pub fn token_file(&self, name: &str) -> PathBuf {
        self.folder().join(format!("user-{name}.token"))
    }

    /// Makes every token of a ServiceAccount worthless, and returns one that is good: the account is deleted and made
    /// again, as one that has run out is refused and its successor taken.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub fn revoke_tokens(&self, name: &str) -> Result<String> {
        self.kubectl(&["delete", "serviceaccount", name, "--namespace=default"])?;
        self.account(name)?;
        self.account_token(name)
    }

    /// A kubeconfig for a person of this name and these rights, known by a certificate in a file that lasts so long; see
    /// [`Cluster::certify`] for the next.
    ///
    /// # Errors
    /// As [`Cluster::user`], and when openssl or faketime is missing.
    pub fn certified_user(&self, name: &str, rules: &[Value], lasts: Duration) -> Result<PathBuf> {
        self.grant(name, rules, &json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}))?;
        let (certificate, key) = self.certify(name, lasts)?;
        self.kubeconfig_of(name, &json!({"client-certificate": certificate, "client-key": key}))
    }

    fn account(&self, name: &str) -> Result<()> {
        let metadata = json!({"name": name, "namespace": "default"});
        self.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}).to_string())
    }

    fn account_token(&self, name: &str) -> Result<String> {
        let token = self.kubectl(&["create", "token", name, "--namespace=default", "--duration=24h"])?;
        Ok(token.trim().to_owned())
    }

    fn grant(&self, name: &str, rules: &[Value], subject: &Value) -> Result<()> {
        let role = format!("keelson-test-{name}");
        let metadata = json!({"name": role});
        self.apply(
            &json!({"apiVersion": "v1", "kind": "List", "items": [
                {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules},
                {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata,
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                    "subjects": [subject]},
            ]})
            .to_string(),
        )
    }

    fn kubeconfig_of(&self, name: &str, user: &Value) -> Result<PathBuf> {
        let path = self.folder().join(format!("user-{name}.kubeconfig"));
        fs::write(&path, kubeconfig(self.folder(), &format!("https://127.0.0.1:{}", self.port()), user))?;
        Ok(path)
    }
}

/// A kubeconfig; kubectl and the components read JSON as YAML.
fn kubeconfig(folder: &Path, server: &str, user: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "keelson",
        "clusters": [{"name": "keelson", "cluster": {
            "server": server,
            "certificate-authority": folder.join(AUTHORITY),
            "tls-server-name": SERVER_NAME,
        }}],
        "users": [{"name": "keelson", "user": user}],
        "contexts": [{"name": "keelson", "context": {"cluster": "keelson", "user": "keelson"}}],
    })
    .to_string()
}

fn token() -> Result<String> {
    let mut bytes = [0u8; 16];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).context("/dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
