//! The folder and the cgroups of one cluster, and the small process that removes them whatever becomes of the owner.
//!
//! The kernel ends a killed owner's processes (see [`crate::space`]), but it removes neither files nor cgroups. So each
//! run has a watcher outside the cluster that waits on a pipe from its owner and cleans up when the pipe closes. Should
//! the watcher be killed as well, the folder's lock is free, and the next run removes what it finds unlocked.
//!
//! Promises: there is one way to clean up, taken after success, panic and `kill -9` alike; a folder in use is never
//! touched, for its lock is taken before it gets its final name.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};

/// How every run's folder begins.
const PREFIX: &str = "keelson-cluster-";

/// What stays of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// The folder `logs`: it explains a failure.
    Logs,
}

/// A folder in the temporary directory, and a name for cgroups.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    group: String,
    watcher: Child,
    pipe: Option<ChildStdin>,
    /// Held, not read: a free lock says that the run has no owner.
    _lock: File,
}

impl Run {
    /// Makes the folder with `logs/` and `state/`, after removing what killed runs left behind.
    ///
    /// # Errors
    /// When the temporary directory cannot be written.
    pub fn begin() -> Result<Self> {
        sweep()?;
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        let folder = made.path().to_path_buf();
        for sub in ["logs", "state"] {
            fs::create_dir(folder.join(sub))?;
        }
        let group = group(&folder);
        let mut watcher =
            watch(&folder, &group).stdin(Stdio::piped()).spawn().context("cannot run bash: install it")?;
        let pipe = watcher.stdin.take();
        let folder = made.keep();
        let lock = File::create(folder.join("lock.new"))?;
        lock.lock()?;
        fs::rename(folder.join("lock.new"), folder.join("lock"))?;
        Ok(Self { folder, group, watcher, pipe, _lock: lock })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Name of the run's cgroups, directly under each hierarchy's root.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Removes the cgroups and the folder; to be called when no process of the run is left.
    pub fn end(&mut self, keep: Keep) {
        let Some(mut pipe) = self.pipe.take() else { return };
        if keep == Keep::Logs {
            // A watcher that is gone leaves its work to the next run.
            let _ = pipe.write_all(b"logs\n");
        }
        drop(pipe);
        if !self.watcher.wait().is_ok_and(|status| status.success()) {
            eprintln!("keelson: could not remove {} and the cgroups {}", self.folder.display(), self.group);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end(Keep::Nothing);
    }
}

/// Removes the runs that have no owner and no watcher.
fn sweep() -> Result<()> {
    for entry in fs::read_dir(std::env::temp_dir())?.flatten() {
        let folder = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(folder.join("lock")) else { continue };
        if lock.try_lock().is_ok() {
            eprintln!("keelson: removing {}, whose owner was killed", folder.display());
            let status = watch(&folder, &group(&folder)).stdin(Stdio::null()).status();
            if !status.is_ok_and(|status| status.success()) {
                eprintln!("keelson: could not remove all of {}", folder.display());
            }
        }
    }
    Ok(())
}

/// Name of the cgroups of the run in `folder`.
#[must_use]
pub fn group(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("keelson-{}", name.strip_prefix(PREFIX).unwrap_or(&name))
}

fn watch(folder: &Path, group: &str) -> Command {
    let mut watch = Command::new("bash");
    watch.args(["-c", include_str!("watch.sh"), "keelson-watch"]).arg(folder).arg(group);
    // In a group of its own, so that neither Ctrl-C nor a killed group ends it with the owner.
    watch.process_group(0).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
    watch
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_run_leaves_nothing_or_its_logs() {
        let mut run = Run::begin().unwrap();
        fs::write(run.folder().join("state/data"), "x").unwrap();
        run.end(Keep::Nothing);
        assert!(!run.folder().exists());

        let mut run = Run::begin().unwrap();
        fs::write(run.folder().join("logs/etcd.log"), "why").unwrap();
        run.end(Keep::Logs);
        let left: Vec<_> = fs::read_dir(run.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["logs"]);
        fs::remove_dir_all(run.folder()).unwrap();
    }

    #[test]
    fn a_run_without_owner_and_watcher_is_removed_by_the_next_one() {
        let stale = tempfile::Builder::new().prefix(PREFIX).tempdir().unwrap().keep();
        File::create(stale.join("lock")).unwrap();
        let living = Run::begin().unwrap();
        assert!(!stale.exists());
        let _other = Run::begin().unwrap();
        assert!(living.folder().exists());
    }
}
