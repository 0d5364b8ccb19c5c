//! What a cluster that has ended may have left on this machine, and where to look for it.
//!
//! Promises: looks at processes, threads, namespaces, mounts, cgroups, interfaces and files; an empty list means that
//! none of them has anything of the cluster.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cgroup;

/// Every interface a cluster makes begins so, and none of them is ever in this machine's own network.
pub const INTERFACES: &str = "keelson";

/// Where a cluster would show if something of it had stayed behind.
#[derive(Debug, Clone)]
pub struct Traces {
    pub(crate) folder: PathBuf,
    pub(crate) group: String,
    pub(crate) namespaces: Vec<PathBuf>,
}

impl Traces {
    /// Folder of the run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is still there, one line each. Empty is clean.
    ///
    /// # Errors
    /// When `/proc` or `/sys` cannot be read.
    pub fn leftovers(&self) -> Result<Vec<String>> {
        let folder = self.folder.display().to_string();
        let mut found = Vec::new();
        for process in fs::read_dir("/proc")?.flatten() {
            let name = process.file_name().to_string_lossy().into_owned();
            if !name.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            if command.contains(&folder) || self.holds(&process.path()) {
                found.push(format!("process {name}: {command}"));
            }
        }
        for mount in fs::read_to_string("/proc/self/mountinfo")?.lines() {
            let held = self.namespaces.iter().any(|name| mount.contains(&*name.to_string_lossy()));
            if held || mount.contains(&folder) {
                found.push(format!("mount {mount}"));
            }
        }
        for group in cgroup::hierarchies()?.iter().map(|root| root.join(&self.group)).filter(|group| group.exists()) {
            found.push(format!("cgroup {}", group.display()));
        }
        for interface in fs::read_dir("/sys/class/net")?.flatten() {
            let name = interface.file_name().to_string_lossy().into_owned();
            if name.starts_with(INTERFACES) {
                found.push(format!("interface {name}"));
            }
        }
        if self.folder.exists() {
            found.push(format!("files in {folder}"));
        }
        Ok(found)
    }

    /// Whether a thread of the process is in a namespace of the cluster, or the process holds one open.
    fn holds(&self, process: &Path) -> bool {
        let entries = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
        let threads = entries(process.join("task")).flat_map(|thread| entries(thread.path().join("ns")));
        let mut links = threads.chain(entries(process.join("fd"))).filter_map(|link| fs::read_link(link.path()).ok());
        links.any(|name| self.namespaces.contains(&name))
    }
}
