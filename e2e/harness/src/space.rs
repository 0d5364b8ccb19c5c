//! Namespaces with an owner: one process holds them open, and everything started in them ends with it.
//!
//! The holder is process 1 of a process namespace of its own and reads a pipe whose other end is here. When this
//! process drops the pipe, panics or is killed, the read ends, the holder exits, and the kernel kills whatever is left
//! in the namespace, pods included. No clean-up code has to run for that.
//!
//! Promises: after [`Space::end`] no process of the space exists, and its network and mounts are gone with them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// Longest wait for a space's processes to begin or end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Own network, mount, process, IPC and host-name namespaces.
#[derive(Debug)]
pub struct Space {
    keeper: Child,
    pipe: Option<ChildStdin>,
    pid: i32,
    daemons: Vec<Child>,
}

impl Space {
    /// Opens the namespaces.
    ///
    /// # Errors
    /// When namespaces cannot be made; the reason is in the file `log`.
    pub fn open(log: &Path) -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"]);
        // bash, for it reaps orphans while it reads.
        command.args(["bash", "-c", "read -r _ || exit 0"]);
        let out = File::create(log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(out);
        let mut keeper = command.spawn().context("cannot run unshare: install util-linux")?;
        let pipe = keeper.stdin.take();
        let top = i32::try_from(keeper.id()).context("process id")?;
        let mut space = Self { keeper, pipe, pid: top, daemons: Vec::new() };
        space.pid = wait::until(&format!("the namespaces of {}", log.display()), PATIENCE, || {
            let pid = only_child(top)?;
            // unshare becomes bash only after every namespace and mount is in place.
            let name = fs::read_to_string(format!("/proc/{pid}/comm"))?;
            if name.trim() == "bash" { Ok(pid) } else { bail!("process 1 is still {}", name.trim()) }
        })?;
        Ok(space)
    }

    fn enter(&self) -> Command {
        self.nsenter(&["--net", "--mount", "--pid", "--ipc", "--uts"])
    }

    /// A command that runs in the space's network alone and sees this machine's files and processes.
    #[must_use]
    pub fn enter_network(&self) -> Command {
        self.nsenter(&["--net"])
    }

    fn nsenter(&self, which: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.pid.to_string()).args(which).arg("--").stdin(Stdio::null());
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(proxy);
        }
        command
    }

    /// Starts a program that lives as long as the space; what it writes goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn daemon(&mut self, program: &Path, args: &[String], log: &Path) -> Result<()> {
        let out = File::create(log).with_context(|| log.display().to_string())?;
        let mut command = self.enter();
        command.arg(program).args(args).stdout(out.try_clone()?).stderr(out);
        self.daemons.push(command.spawn().with_context(|| format!("starting {}", program.display()))?);
        Ok(())
    }

    /// The kernel's names of the network and process namespaces, e.g. `net:[4026532281]`.
    ///
    /// # Errors
    /// When process 1 is gone.
    pub fn names(&self) -> Result<Vec<PathBuf>> {
        ["net", "pid"].iter().map(|kind| Ok(fs::read_link(format!("/proc/{}/ns/{kind}", self.pid))?)).collect()
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
        let keeper = &mut self.keeper;
        let ended = wait::until("the end of a space", PATIENCE, || keeper.try_wait()?.context("process 1 still runs"));
        if let Err(reason) = ended {
            eprintln!("keelson: {reason:#}; killing its keeper");
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
        for daemon in &mut self.daemons {
            let _ = daemon.wait();
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.end();
    }
}

fn only_child(parent: i32) -> Result<i32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&path).with_context(|| path.clone())?;
    children.split_whitespace().next().context("no child yet")?.parse().context(path)
}
