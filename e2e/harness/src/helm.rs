//! The real helm on a cluster, as people install charts.
//!
//! Promises: helm finds no plugin, repository or cache of this machine's user: all of it lies in the cluster's folder.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cluster::Cluster;
use crate::tools::Toolset;

impl Cluster {
    /// A helm command as administrator, run where the API server is.
    ///
    /// # Errors
    /// When helm cannot be built.
    pub fn helm_command(&self, args: &[&str]) -> Result<Command> {
        let program = Toolset::Helm.ready()?.join("helm");
        let home = self.folder().join("state/helm");
        let mut helm = self.command(program);
        helm.args(args);
        for (name, folder) in [
            ("HELM_CACHE_HOME", "cache"),
            ("HELM_CONFIG_HOME", "config"),
            ("HELM_DATA_HOME", "data"),
            ("HELM_PLUGINS", "plugins"),
        ] {
            helm.env(name, home.join(folder));
        }
        Ok(helm)
    }

    /// Runs helm and returns all that it said.
    ///
    /// # Errors
    /// When helm refuses or fails; the text is what it said.
    pub fn helm(&self, args: &[&str]) -> Result<String> {
        let output = self.helm_command(args)?.output().context("cannot run nsenter: install util-linux")?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        if output.status.success() { Ok(said) } else { bail!("helm {}: {}: {said}", args.join(" "), output.status) }
    }
}

/// Where a chart of this repository is.
#[must_use]
pub fn chart(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/helm").join(name)
}
