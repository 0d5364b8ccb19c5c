//! cgroups for a node's pods, in whichever hierarchies this machine has mounted.
//!
//! A kubelet looks for its root group in every hierarchy before it makes groups of its own, so the group must exist in
//! each, with processors and memory nodes filled in where version 1 leaves them empty and with the controllers handed
//! down where version 2 does not by itself. [`crate::run`] removes them.
//!
//! Promises: writes nowhere but below the new group, except to hand controllers down on version 2.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Mount points of this machine's cgroup hierarchies, versions 1 and 2.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn hierarchies() -> Result<Vec<PathBuf>> {
    Ok(mounted()?.into_keys().collect())
}

/// Mount points with their types, `cgroup` or `cgroup2`.
fn mounted() -> Result<BTreeMap<PathBuf, String>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mut found = BTreeMap::new();
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        if let (Some(point), Some(kind @ ("cgroup" | "cgroup2"))) = (fields.next(), fields.next()) {
            found.insert(PathBuf::from(point), kind.to_owned());
        }
    }
    Ok(found)
}

/// Makes the group `outer/inner` in every hierarchy.
///
/// # Errors
/// When a group cannot be made.
pub fn make(outer: &str, inner: &str) -> Result<()> {
    let mounted = mounted()?;
    // Beside version 1, version 2 serves processes and has nothing to hand down.
    let pure = mounted.values().all(|kind| kind == "cgroup2");
    for root in mounted.into_keys() {
        let mut parent = root;
        for part in [outer, inner] {
            if pure {
                hand_down(&parent);
            }
            let group = parent.join(part);
            fs::create_dir_all(&group).with_context(|| format!("{}: must be writable", group.display()))?;
            for file in ["cpuset.cpus", "cpuset.mems"] {
                fill(&parent.join(file), &group.join(file))?;
            }
            parent = group;
        }
        if pure {
            hand_down(&parent);
        }
    }
    Ok(())
}

/// Version 1 starts a group with no processors and no memory nodes: it gets those of its parent.
fn fill(from: &Path, to: &Path) -> Result<()> {
    let empty = fs::read_to_string(to).is_ok_and(|value| value.trim().is_empty());
    let given = fs::read_to_string(from).unwrap_or_default();
    if empty && !given.trim().is_empty() {
        fs::write(to, given.trim()).with_context(|| to.display().to_string())?;
    }
    Ok(())
}

/// Version 2: children get only the controllers their parent hands down. What cannot be handed down, the kubelet names.
fn hand_down(parent: &Path) {
    let available = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
    for controller in available.split_whitespace() {
        let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}
