//! What a cluster that has ended may have left on this machine, and where to look for it.
//!
//! Promises: looks at processes, threads, namespaces, mounts, cgroups, interfaces and files; an empty list means that
//! none of them has anything of the cluster.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{cgroup, run};

/// Every interface a cluster makes begins so, and none of them is ever in this machine's own network.
pub const INTERFACES: &str = "keelson";

/// Where a cluster would show if something of it had stayed behind.
#[derive(Debug, Clone)]
pub struct Traces {
    folder: PathBuf,
    group: String,
    namespaces: BTreeSet<PathBuf>,
}

impl Traces {
    /// What to look for after the end of the cluster that runs in `folder`, whichever process owns it.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn of(folder: &Path) -> Result<Self> {
        let own = namespaces(Path::new("/proc/self"));
        let mut traces = Self { folder: folder.to_path_buf(), group: run::group(folder), namespaces: BTreeSet::new() };
        for (process, _) in traces.processes()? {
            traces.namespaces.extend(namespaces(&process));
        }
        traces.namespaces.retain(|name| !own.contains(name));
        Ok(traces)
    }

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
        for (process, command) in self.processes()? {
            found.push(format!("process {}: {command}", process.display()));
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

    /// Processes that name the folder, are in the cgroups, or are in the namespaces or hold one open; with their commands.
    fn processes(&self) -> Result<Vec<(PathBuf, String)>> {
        let (folder, group) = (self.folder.display().to_string(), format!("/{}/", self.group));
        let mut found = Vec::new();
        for process in fs::read_dir("/proc")?.flatten() {
            if !process.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            let path = process.path();
            // A dead process whose parent has not asked yet holds nothing but its number.
            if fs::read_to_string(path.join("status")).is_ok_and(|status| status.contains("\nState:\tZ")) {
                continue;
            }
            let command = fs::read(path.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let grouped = fs::read_to_string(path.join("cgroup")).is_ok_and(|groups| groups.contains(&group));
            if command.contains(&folder) || grouped || !self.namespaces.is_disjoint(&namespaces(&path)) {
                found.push((path, command));
            }
        }
        Ok(found)
    }
}

/// Every namespace that a thread of the process is in or that the process holds open.
fn namespaces(process: &Path) -> BTreeSet<PathBuf> {
    let entries = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
    let threads = entries(process.join("task")).flat_map(|thread| entries(thread.path().join("ns")));
    let links = threads.chain(entries(process.join("fd"))).filter_map(|link| fs::read_link(link.path()).ok());
    links.filter(|name| name.to_string_lossy().ends_with(']') && !is_stream(name)).collect()
}

/// Open pipes and sockets have names of the same form.
fn is_stream(name: &Path) -> bool {
    ["pipe:", "socket:", "anon_inode:"].iter().any(|kind| name.to_string_lossy().starts_with(kind))
}
