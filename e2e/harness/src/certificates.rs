//! The cluster's own authority, and the certificates that it signs.
//!
//! Certificates are rotated in production, so they are here: the API server shows one that the authority signed, and so may
//! clients, each in files that can be replaced while everything runs.
//!
//! Promises: a file is replaced in one step; keys are of the quick kind, for each start of a cluster waits for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cluster::{Cluster, GATEWAY};
use crate::{access, tools, wait};

/// The authority's certificate, in the cluster's folder.
pub const AUTHORITY: &str = "certs/ca.crt";
/// The API server's certificate and key, without their endings.
pub const SERVING: &str = "certs/apiserver";
/// How long anything but a client's certificate is good.
const DAYS: &str = "7";
/// The API server reads its files again when they change, or within a minute.
const PATIENCE: Duration = Duration::from_secs(70);

/// Makes the authority.
///
/// # Errors
/// When openssl is missing or the folder cannot be written.
pub fn authority(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("certs"))?;
    let mut openssl = request(folder, "certs/ca", "/CN=keelson-test");
    openssl.args(["-x509", "-days", DAYS, "-addext", "keyUsage=critical,keyCertSign"]);
    openssl.arg("-out").arg(folder.join(AUTHORITY));
    tools::run(openssl).map(drop)
}

/// Signs a certificate for the API server, by the names and addresses at which it is asked.
///
/// # Errors
/// As [`authority`].
pub fn serving(folder: &Path, gateway: &str) -> Result<()> {
    let names = format!(
        "subjectAltName=DNS:{},DNS:kubernetes.default,DNS:kubernetes,DNS:localhost,IP:127.0.0.1,IP:{gateway},IP:{}",
        access::SERVER_NAME,
        crate::node::API_SERVICE
    );
    let extensions = format!("{names}\nextendedKeyUsage=serverAuth\n");
    sign(folder, SERVING, "/CN=kube-apiserver", &extensions, Command::new("openssl"), DAYS)
}

impl Cluster {
    /// Signs the certificate of a person, in place of the one there was: good from now on for `lasts`, below a day.
    /// Returns where it and its key are.
    ///
    /// # Errors
    /// When openssl or faketime is missing.
    pub fn certify(&self, name: &str, lasts: Duration) -> Result<(PathBuf, PathBuf)> {
        const DAY: u64 = 86_400;
        tools::programs(&["faketime"], "apt-get install faketime")?;
        // openssl counts in days: the clock by which it signs is behind by what the certificate shall not last.
        let behind = DAY.saturating_sub(lasts.as_secs());
        let mut openssl = Command::new("faketime");
        openssl.args(["-f", &format!("-{behind}s"), "openssl"]);
        let (file, subject) = (format!("certs/user-{name}"), format!("/CN={name}"));
        sign(self.folder(), &file, &subject, "extendedKeyUsage=clientAuth\n", openssl, "1")?;
        Ok((self.folder().join(format!("{file}.crt")), self.folder().join(format!("{file}.key"))))
    }

    /// Gives the API server another certificate and key; returns when it shows them.
    ///
    /// # Errors
    /// When it goes on to show the old one.
    pub fn rotate_serving_certificate(&self) -> Result<()> {
        serving(self.folder(), GATEWAY)?;
        let new = fs::read_to_string(self.folder().join(format!("{SERVING}.crt")))?;
        wait::until("the API server to show its new certificate", PATIENCE, || {
            let mut openssl = Command::new("openssl");
            openssl.args(["s_client", "-connect", &format!("127.0.0.1:{}", self.port())]).stdin(Stdio::null());
            ensure!(tools::run(openssl)?.contains(new.trim()), "it shows another one");
            Ok(())
        })
    }
}

/// `openssl req` with a fresh key.
fn request(folder: &Path, file: &str, subject: &str) -> Command {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject]);
    openssl.arg("-keyout").arg(folder.join(format!("{file}.key")));
    openssl
}

/// Makes a key, has the authority sign it by `openssl`'s clock, and puts both in place.
fn sign(folder: &Path, file: &str, subject: &str, extensions: &str, mut openssl: Command, days: &str) -> Result<()> {
    let fresh = format!("{file}.new");
    let path = |name: &str, ending: &str| folder.join(format!("{name}.{ending}"));
    let mut asked = request(folder, &fresh, subject);
    asked.arg("-out").arg(path(&fresh, "csr"));
    tools::run(asked)?;
    fs::write(path(&fresh, "ext"), extensions)?;
    openssl.args(["x509", "-req", "-CAcreateserial", "-days", days]);
    openssl.arg("-CA").arg(folder.join(AUTHORITY)).arg("-CAkey").arg(folder.join("certs/ca.key"));
    openssl.arg("-in").arg(path(&fresh, "csr")).arg("-extfile").arg(path(&fresh, "ext"));
    openssl.arg("-out").arg(path(&fresh, "crt"));
    tools::run(openssl)?;
    for ending in ["key", "crt"] {
        fs::rename(path(&fresh, ending), path(file, ending)).with_context(|| format!("{file}.{ending}"))?;
    }
    Ok(())
}
