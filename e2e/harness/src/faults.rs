//! What happens to control planes: components crash, stand still and come back, etcd forgets, and yesterday is restored.
//!
//! Promises: a component that was stopped is gone, with its port free; [`Cluster::start_again`] returns when it answers; a
//! backup is whole, for it is a copy of the data of an etcd that is stopped (`etcdctl snapshot` would do without a stop),
//! and is restored with its old revisions, as an unmindful administrator would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::{tools, wait};

/// Longest wait for a component.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where etcd answers, in the cluster's network.
const ETCD: &str = "http://127.0.0.1:2379";

/// A part of the control plane that can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// The store.
    Etcd,
    /// kube-apiserver.
    ApiServer,
    /// kube-scheduler.
    Scheduler,
}

impl Component {
    const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::Scheduler => "kube-scheduler",
        }
    }
}

/// A copy of etcd's data.
#[derive(Debug)]
pub struct Backup(PathBuf);

impl Cluster {
    /// Ends a component as a crash would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop(&mut self, component: Component) -> Result<()> {
        let log = self.log(component);
        self.space_mut().crash(&log)
    }

    /// Starts a component that was stopped; returns when it answers.
    ///
    /// # Errors
    /// When it runs, or does not answer.
    pub fn start_again(&mut self, component: Component) -> Result<()> {
        let log = self.log(component);
        self.space_mut().again(&log)?;
        wait::until(component.name(), PATIENCE, || match component {
            Component::Etcd => self.etcd("maintenance/status", &json!({})).map(drop),
            Component::ApiServer => self.kubectl(&["get", "--raw=/readyz"]).map(drop),
            // Nobody asks it anything.
            Component::Scheduler => Ok(()),
        })
    }

    /// Makes a component stand still: connections stay open, and nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self, component: Component) -> Result<()> {
        self.space().signal(&self.log(component), Signal::SIGSTOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// As [`Cluster::freeze`].
    pub fn thaw(&self, component: Component) -> Result<()> {
        self.space().signal(&self.log(component), Signal::SIGCONT)
    }

    /// The revision of etcd, which is the resourceVersion of what was written last.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub fn revision(&self) -> Result<u64> {
        let status = self.etcd("maintenance/status", &json!({}))?;
        let revision = status.pointer("/header/revision").and_then(Value::as_str);
        revision.and_then(|text| text.parse().ok()).context("etcd's revision")
    }

    /// Makes etcd forget every version but the current ones, and returns the revision since which it remembers.
    ///
    /// # Errors
    /// When etcd refuses.
    pub fn compact(&self) -> Result<u64> {
        let revision = self.revision()?;
        let asked = json!({"revision": revision.to_string(), "physical": true});
        self.etcd("kv/compaction", &asked)?;
        Ok(revision)
    }

    /// Copies etcd's data. The API server is stopped with etcd meanwhile.
    ///
    /// # Errors
    /// When a component cannot be stopped or started, or there is no room for the copy.
    pub fn back_up(&mut self) -> Result<Backup> {
        let backup = Backup(self.folder().join(format!("state/etcd-at-{}", self.revision()?)));
        self.stop(Component::ApiServer)?;
        self.stop(Component::Etcd)?;
        copy(&self.data(), &backup.0)?;
        self.start_again(Component::Etcd)?;
        self.start_again(Component::ApiServer)?;
        Ok(backup)
    }

    /// Puts the data of a backup in place of what there is. Revisions go on from the backup's, and Kubernetes' own
    /// controllers, which would not notice, are started again as its guide to disaster recovery has it.
    ///
    /// # Errors
    /// As [`Cluster::back_up`].
    pub fn restore(&mut self, backup: &Backup) -> Result<()> {
        self.stop(Component::ApiServer)?;
        self.stop(Component::Etcd)?;
        fs::remove_dir_all(self.data())?;
        copy(&backup.0, &self.data())?;
        self.start_again(Component::Etcd)?;
        self.start_again(Component::ApiServer)?;
        for reader in ["kube-controller-manager", "kube-scheduler", "kwok"] {
            let log = self.folder().join(format!("logs/{reader}.log"));
            if self.space().has(&log) {
                self.space_mut().crash(&log)?;
                self.space_mut().again(&log)?;
            }
        }
        Ok(())
    }

    fn log(&self, component: Component) -> PathBuf {
        self.folder().join(format!("logs/{}.log", component.name()))
    }

    fn data(&self) -> PathBuf {
        self.folder().join("state/etcd")
    }

    /// Asks etcd by its HTTP gateway.
    fn etcd(&self, what: &str, body: &Value) -> Result<Value> {
        let mut curl = self.command("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--max-time", "10", "--data", &body.to_string()]);
        curl.arg(format!("{ETCD}/v3/{what}"));
        let answer = tools::run(curl)?;
        serde_json::from_str(&answer).with_context(|| format!("etcd's answer about {what}: {answer}"))
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    ensure!(!to.exists(), "{} is there already", to.display());
    let mut cp = Command::new("cp");
    cp.arg("--recursive").arg(from).arg(to);
    tools::run(cp).map(drop)
}
