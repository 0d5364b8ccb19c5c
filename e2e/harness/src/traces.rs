//! What a cluster that has ended may have left on this machine, and where to look for it.
//!
//! Promises: looks at processes, namespaces, mounts, cgroups, interfaces and files; an empty list means that none of them
//! has anything of the cluster. Other clusters may come and go meanwhile.

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
    /// When the namespaces were noted, in ticks since boot.
    noted: u64,
}

impl Traces {
    /// What to look for after the end of the cluster that runs in `folder`, whichever process owns it.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn of(folder: &Path) -> Result<Self> {
        let (folder, group) = (folder.to_path_buf(), run::group(folder));
        let noted = numbered()?.iter().filter_map(|process| began(process)).max().unwrap_or_default();
        let mut traces = Self { folder, group, namespaces: BTreeSet::new(), noted };
        for (process, _) in traces.processes()? {
            traces.namespaces.extend(namespaces(&process));
        }
        for shared in namespaces(Path::new("/proc/thread-self")) {
            traces.namespaces.remove(&shared);
        }
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

    /// Processes that name the folder, are in the cgroups or are in the namespaces; with their commands.
    fn processes(&self) -> Result<Vec<(PathBuf, String)>> {
        let (folder, group) = (self.folder.display().to_string(), format!("/{}/", self.group));
        let mut found = Vec::new();
        for path in numbered()? {
            // A process that is gone or dead, though its parent has not asked yet, holds nothing but its number.
            let Some(began) = began(&path) else { continue };
            let command = fs::read(path.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let grouped = fs::read_to_string(path.join("cgroup")).is_ok_and(|groups| groups.contains(&group));
            // The kernel gives a dead namespace's number to the next one: only older processes are meant.
            let inside = began <= self.noted && !self.namespaces.is_disjoint(&namespaces(&path));
            if command.contains(&folder) || grouped || inside {
                found.push((path, command));
            }
        }
        Ok(found)
    }
}

/// Every process, as its folder in `/proc`.
fn numbered() -> Result<Vec<PathBuf>> {
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let entries = fs::read_dir("/proc")?.flatten();
    Ok(entries.filter(|entry| is_number(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect())
}

/// When a living process began, in ticks since boot.
fn began(process: &Path) -> Option<u64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The name, second field, is in brackets and may hold anything; the state comes next.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) { None } else { fields.get(19)?.parse().ok() }
}

/// The namespaces a process is in.
fn namespaces(process: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(process.join("ns")).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}
