//! Namespaces with an owner: one process holds them open, and everything started in them ends with it.
//!
//! The holder is process 1 of a process namespace of its own and reads a pipe whose other end is here. When this
//! process drops the pipe, panics or is killed, the read ends, the holder exits, and the kernel kills whatever is left
//! in the namespace, pods included. No clean-up code has to run for that. A space may lie within another one: the
//! machines of a cluster lie within the cluster, and end with it too.
//!
//! Promises: after [`Space::end`] no process of the space exists, and its network and mounts are gone with them; what was
//! started in it can be stopped and started again by the name of its log.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::wait;

/// Longest wait for a space's processes to begin or end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Everything a space has of its own.
const OWN: [&str; 5] = ["--net", "--mount", "--pid", "--ipc", "--uts"];

/// Own network, mount, process, IPC and host-name namespaces.
#[derive(Debug)]
pub struct Space {
    keeper: Child,
    pipe: Option<ChildStdin>,
    pid: i32,
    daemons: Vec<Daemon>,
}

/// A program that lives as long as the space, unless it is stopped.
#[derive(Debug)]
struct Daemon {
    log: PathBuf,
    /// With its log open: what is started again writes on.
    command: Command,
    child: Child,
}

impl Daemon {
    /// Its process group: nsenter and what it became the parent of.
    fn group(&self) -> Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.child.id()).context("process id")?))
    }
}

impl Space {
    /// Opens the namespaces.
    ///
    /// # Errors
    /// When namespaces cannot be made; the reason is in the file `log`.
    pub fn open(log: &Path) -> Result<Self> {
        Self::keep(Command::new("unshare"), log)
    }

    /// Opens a space inside this one, which ends with this one at the latest.
    ///
    /// # Errors
    /// As [`Space::open`].
    pub fn within(&self, log: &Path) -> Result<Self> {
        Self::keep(self.enter("unshare"), log)
    }

    fn keep(mut unshare: Command, log: &Path) -> Result<Self> {
        // bash, for it reaps orphans while it reads.
        unshare.args(OWN).args(["--fork", "--kill-child", "--mount-proc", "bash", "-c", "read -r _ || exit 0"]);
        let out = File::create(log).with_context(|| log.display().to_string())?;
        unshare.stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(out);
        // Ctrl-C is for the owner, who ends its spaces; their processes must not race it.
        unshare.process_group(0);
        let mut keeper = unshare.spawn().context("cannot run unshare: install util-linux")?;
        let pipe = keeper.stdin.take();
        let top = i32::try_from(keeper.id()).context("process id")?;
        let mut space = Self { keeper, pipe, pid: top, daemons: Vec::new() };
        space.pid = wait::until(&format!("the namespaces of {}", log.display()), PATIENCE, || holder(top))?;
        Ok(space)
    }

    /// A command that runs `program` as a process of the space: its mounts, processes and network.
    #[must_use]
    pub fn enter(&self, program: impl AsRef<OsStr>) -> Command {
        self.nsenter(&OWN, program.as_ref())
    }

    /// A command that runs `program` in the space's network alone; it sees this machine's files and processes.
    #[must_use]
    pub fn enter_network(&self, program: impl AsRef<OsStr>) -> Command {
        self.nsenter(&["--net"], program.as_ref())
    }

    fn nsenter(&self, which: &[&str], program: &OsStr) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.pid.to_string()).args(which).arg("--").arg(program).stdin(Stdio::null());
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(proxy);
        }
        command
    }

    /// Starts a command made by [`Space::enter`] that lives as long as the space; what it writes goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn daemon(&mut self, mut command: Command, log: &Path) -> Result<()> {
        let out = File::create(log).with_context(|| log.display().to_string())?;
        command.stdout(out.try_clone()?).stderr(out).process_group(0);
        let child = command.spawn().with_context(|| format!("starting what writes {}", log.display()))?;
        self.daemons.push(Daemon { log: log.to_path_buf(), command, child });
        Ok(())
    }

    /// Sends a signal to what writes this log, and to its children.
    ///
    /// # Errors
    /// When nothing that was started here writes it, or it has ended.
    pub fn signal(&self, log: &Path, signal: Signal) -> Result<()> {
        let daemon = self.daemons.iter().find(|daemon| daemon.log == log);
        let daemon = daemon.with_context(|| format!("nothing in the space writes {}", log.display()))?;
        killpg(daemon.group()?, signal).with_context(|| format!("{signal} to what writes {}", log.display()))
    }

    /// Ends what writes this log as a crash would; returns when it is gone.
    ///
    /// # Errors
    /// As [`Space::signal`], or when it does not end.
    pub fn crash(&mut self, log: &Path) -> Result<()> {
        self.signal(log, Signal::SIGKILL)?;
        let daemon = self.running(log)?;
        daemon.child.wait()?;
        let group = daemon.group()?;
        wait::until(&format!("the end of what writes {}", log.display()), PATIENCE, || {
            ensure!(killpg(group, None) == Err(Errno::ESRCH), "a process of it is left");
            Ok(())
        })
    }

    /// Starts again what wrote this log and has ended.
    ///
    /// # Errors
    /// When it runs, or cannot be started.
    pub fn again(&mut self, log: &Path) -> Result<()> {
        let daemon = self.running(log)?;
        ensure!(daemon.child.try_wait()?.is_some(), "what writes {} runs: stop it first", log.display());
        daemon.child = daemon.command.spawn().with_context(|| format!("starting what writes {}", log.display()))?;
        Ok(())
    }

    /// Whether something was started here that writes this log.
    #[must_use]
    pub fn has(&self, log: &Path) -> bool {
        self.daemons.iter().any(|daemon| daemon.log == log)
    }

    fn running(&mut self, log: &Path) -> Result<&mut Daemon> {
        let daemon = self.daemons.iter_mut().find(|daemon| daemon.log == log);
        daemon.with_context(|| format!("nothing in the space writes {}", log.display()))
    }

    /// Number of process 1 of the space, as this process sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Ends the space as a crash would: nothing inside is told beforehand. Returns when every process is gone.
    pub fn end(&mut self) {
        if self.pipe.take().is_none() {
            return;
        }
        if self.pid != i32::try_from(self.keeper.id()).unwrap_or(self.pid) {
            // Gone already is what was wanted.
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        // nsenter stops with what it started, and may have missed that it went on: it would never reap it.
        for daemon in &mut self.daemons {
            let _ = daemon.child.kill();
        }
        let keeper = &mut self.keeper;
        let ended = wait::until("the end of a space", PATIENCE, || keeper.try_wait()?.context("process 1 still runs"));
        if let Err(reason) = ended {
            eprintln!("keelson: {reason:#}; killing its keeper");
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
        for daemon in &mut self.daemons {
            let _ = daemon.child.wait();
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.end();
    }
}

/// The bash at the end of the chain of children that starts at `top`.
fn holder(top: i32) -> Result<i32> {
    let mut pid = top;
    loop {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(&path).with_context(|| path.clone())?;
        pid = children.split_whitespace().next().context("no child yet")?.parse().context(path)?;
        // unshare becomes bash only after every namespace and mount is in place.
        if fs::read_to_string(format!("/proc/{pid}/comm"))?.trim() == "bash" {
            return Ok(pid);
        }
    }
}
