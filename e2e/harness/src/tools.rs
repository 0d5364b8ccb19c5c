//! The binaries a test cluster runs, built from the lock files in `e2e/tools` when this machine has not built them yet.
//!
//! Each folder of `e2e/tools` becomes one folder in the cache, named after the SHA-256 of its files, its packages and the
//! flags they are built with: whatever changes the result moves the folder, and nothing stale is ever run. A build goes to a temporary folder that is renamed when
//! whole, under a file lock, so that suites started together build once.
//!
//! Promises: returns only paths that exist; says on stderr what it builds; never installs anything outside the cache.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// Version the Kubernetes binaries report; follows `e2e/tools/k8s/go.mod`.
const KUBERNETES: &str = "v1.36.3";
/// Version the oldest supported API server reports; follows `e2e/tools/k8s-oldest/go.mod` and the chart's `kubeVersion`.
const OLDEST: &str = "v1.34.4";
/// Version containerd reports; follows `e2e/tools/rt/go.mod`.
const CONTAINERD: &str = "v2.4.2";
/// Version helm reports; follows `e2e/tools/helm/go.mod`.
const HELM: &str = "v4.3.1";
/// Time between two words about a build that takes long.
const QUIET: Duration = Duration::from_secs(10);
/// Files of the kwok module that say how a pretended node and its pods come to life.
const STAGES: [&str; 5] = [
    "kustomize/stage/node/fast/node-initialize.yaml",
    "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "kustomize/stage/pod/fast/pod-complete.yaml",
    "kustomize/stage/pod/fast/pod-delete.yaml",
    "kustomize/stage/pod/fast/pod-ready.yaml",
];

/// A folder of `e2e/tools`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolset {
    /// kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, kubelet, kube-proxy.
    Kubernetes,
    /// kube-apiserver of the oldest Kubernetes that is supported.
    Oldest,
    /// etcd.
    Etcd,
    /// kwok and `stages.yaml`.
    Kwok,
    /// containerd, containerd-shim-runc-v2, ctr, runc and the CNI plugins.
    Runtime,
    /// dns, which is CoreDNS with few plugins.
    Dns,
    /// pause, the program of the test images.
    Pause,
    /// helm, as people install charts.
    Helm,
    /// oracle, which answers what kube-scheduler's own plugins say.
    Oracle,
}

/// One run of `go build`.
#[derive(Debug)]
struct Build {
    cgo: &'static str,
    tags: &'static str,
    ldflags: String,
    packages: &'static [&'static str],
}

impl Toolset {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Kubernetes,
        Self::Oldest,
        Self::Etcd,
        Self::Kwok,
        Self::Runtime,
        Self::Dns,
        Self::Pause,
        Self::Helm,
        Self::Oracle,
    ];

    /// Name of the folder in `e2e/tools`.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Kubernetes => "k8s",
            Self::Oldest => "k8s-oldest",
            Self::Etcd => "etcd",
            Self::Kwok => "kwok",
            Self::Runtime => "rt",
            Self::Dns => "dns",
            Self::Pause => "pause",
            Self::Helm => "helm",
            Self::Oracle => "oracle",
        }
    }

    fn builds(self) -> Vec<Build> {
        let plain = |packages| Build { cgo: "0", tags: "", ldflags: "-s -w".into(), packages };
        match self {
            Self::Kubernetes => vec![Build {
                ldflags: format!("-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES}"),
                ..plain(&[
                    "k8s.io/kubernetes/cmd/kube-apiserver",
                    "k8s.io/kubernetes/cmd/kube-controller-manager",
                    "k8s.io/kubernetes/cmd/kube-proxy",
                    "k8s.io/kubernetes/cmd/kube-scheduler",
                    "k8s.io/kubernetes/cmd/kubectl",
                    "k8s.io/kubernetes/cmd/kubelet",
                ])
            }],
            Self::Oldest => vec![Build {
                ldflags: format!("-s -w -X k8s.io/component-base/version.gitVersion={OLDEST}"),
                ..plain(&["k8s.io/kubernetes/cmd/kube-apiserver"])
            }],
            Self::Etcd => vec![plain(&["go.etcd.io/etcd/server/v3"])],
            Self::Kwok => vec![plain(&["sigs.k8s.io/kwok/cmd/kwok"])],
            Self::Runtime => vec![
                Build {
                    ldflags: format!("-s -w -X github.com/containerd/containerd/v2/version.Version={CONTAINERD}"),
                    ..plain(&[
                        "github.com/containerd/containerd/v2/cmd/containerd",
                        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
                        "github.com/containerd/containerd/v2/cmd/ctr",
                        "github.com/containernetworking/plugins/plugins/ipam/host-local",
                        "github.com/containernetworking/plugins/plugins/main/bridge",
                        "github.com/containernetworking/plugins/plugins/main/loopback",
                        "github.com/containernetworking/plugins/plugins/meta/bandwidth",
                        "github.com/containernetworking/plugins/plugins/meta/portmap",
                    ])
                },
                Build { cgo: "1", tags: "seccomp", ..plain(&["github.com/opencontainers/runc"]) },
            ],
            Self::Dns | Self::Pause | Self::Oracle => vec![plain(&["."])],
            Self::Helm => vec![Build {
                ldflags: format!("-s -w -X helm.sh/helm/v4/internal/version.version={HELM}"),
                ..plain(&["helm.sh/helm/v4/cmd/helm"])
            }],
        }
    }

    /// The folder in the cache that holds this set, building it first when it is not there.
    ///
    /// # Errors
    /// When go is missing, a build fails or the cache cannot be written; the text says which, and what to do.
    pub fn ready(self) -> Result<PathBuf> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools").join(self.folder());
        let cache = cache()?;
        fs::create_dir_all(&cache).with_context(|| format!("{}: make it writable", cache.display()))?;
        let home = cache.join(format!("{}-{}", self.folder(), self.stamp(&source)?));
        let guard = File::create(cache.join(format!("{}.lock", self.folder())))?;
        if guard.try_lock().is_err() {
            eprintln!("keelson: another process may be building {}; waiting for it", self.folder());
            guard.lock().with_context(|| format!("{}: must allow locks", cache.display()))?;
        }
        if !home.is_dir() {
            eprintln!(
                "keelson: building {} into {} (minutes when Go's caches are cold)",
                self.folder(),
                home.display()
            );
            let making = tempfile::Builder::new().prefix(".making-").tempdir_in(&cache)?;
            self.build(&source, making.path())?;
            let made = making.keep();
            fs::rename(&made, &home).with_context(|| format!("moving {} to {}", made.display(), home.display()))?;
            eprintln!("keelson: {} is built", self.folder());
        }
        Ok(home)
    }

    /// Twelve digits that change with anything that changes the build: sources, lock files, packages, flags.
    fn stamp(self, source: &Path) -> Result<String> {
        let listing = fs::read_dir(source).with_context(|| format!("{}: restore it", source.display()))?;
        let mut files: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut input = Sha256::new();
        for file in files {
            input.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            input.update(fs::read(&file).with_context(|| file.display().to_string())?);
        }
        input.update(format!("{:?} {STAGES:?}", self.builds()));
        Ok(format!("{:x}", input.finalize()).chars().take(12).collect())
    }

    fn build(self, source: &Path, into: &Path) -> Result<()> {
        for build in self.builds() {
            // etcd's package would be called "v3", and those of our own ".".
            let out = match self {
                Self::Etcd | Self::Dns | Self::Pause | Self::Oracle => into.join(self.folder()),
                _ => into.join(""),
            };
            let mut go = go(source);
            go.args(["build", "-v", "-mod=readonly", "-buildvcs=false", "-trimpath", "-tags", build.tags, "-ldflags"]);
            go.arg(&build.ldflags).arg("-o").arg(out).args(build.packages).env("CGO_ENABLED", build.cgo);
            run_told(go, self.folder())?;
        }
        if self == Self::Kwok {
            let mut list = go(source);
            list.args(["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"]);
            let module = PathBuf::from(run(list)?.trim());
            let mut stages = String::new();
            for file in STAGES {
                let path = module.join(file);
                stages += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                stages += "\n---\n";
            }
            fs::write(into.join("stages.yaml"), stages)?;
        }
        // A temporary folder is private to its owner; the cache is not.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(into, mode)?;
        Ok(())
    }
}

fn go(source: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(source).env("GOWORK", "off").env_remove("GOFLAGS");
    go
}

/// Where built tools are kept: `$XDG_CACHE_HOME/keelson/tools`, or `~/.cache/keelson/tools`.
fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => {
            let home: OsString = std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set: set one")?;
            PathBuf::from(home).join(".cache")
        }
    };
    Ok(base.join("keelson/tools"))
}

/// Runs a command to its end and returns its output.
///
/// # Errors
/// When it cannot be started or fails: the text holds the program, its first arguments and what it wrote to stderr.
pub fn run(mut command: Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}: install it and put it on PATH"))?;
    if !output.status.success() {
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        bail!("{name} {}: {}: {}", args.join(" "), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `go build -v`, which names each package that it compiles, and says now and then how far it is.
fn run_told(mut go: Command, what: &str) -> Result<()> {
    let mut child = go.stderr(Stdio::piped()).spawn().context("cannot run go: install it and put it on PATH")?;
    let lines = BufReader::new(child.stderr.take().context("go's output")?).lines();
    let (tell, told) = mpsc::channel();
    let reading = thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let (mut packages, mut rest, mut last) = (0u32, Vec::new(), now());
    loop {
        match told.recv_timeout(Duration::from_secs(1)) {
            Ok(line) if line.contains(' ') => rest.push(line),
            Ok(_) => packages += 1,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if last.elapsed() >= QUIET {
            eprintln!("keelson: building {what}: {packages} packages so far");
            last = now();
        }
    }
    let _ = reading.join();
    let status = child.wait()?;
    let said = rest.split_off(rest.len().saturating_sub(20)).join("\n");
    ensure!(status.success(), "go build of e2e/tools/{what}: {status}:\n{said}");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "people wait on the real clock")]
fn now() -> Instant {
    Instant::now()
}

/// Checks that this process may make namespaces and that the programs a cluster needs are installed.
///
/// # Errors
/// One sentence with the fix, when it is not root or a program is missing.
pub fn machine_is_able() -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "the test cluster makes namespaces and must be root: run it with sudo");
    programs(&["go"], "unpack Go 1.26 and put its bin folder on PATH")?;
    programs(
        &["awk", "bash", "curl", "find", "ip", "mount", "nsenter", "openssl", "unshare"],
        "apt-get install bash curl findutils gawk iproute2 mount openssl util-linux",
    )
}

/// Checks that every program is on PATH.
///
/// # Errors
/// Names the first that is missing, and the fix.
pub fn programs(names: &[&str], fix: &str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for name in names {
        let found = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
        ensure!(found, "the test cluster needs {name}: {fix}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_failed_command_tells_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such luck >&2; exit 3"]);
        let text = run(command).unwrap_err().to_string();
        assert!(text.contains("exit status: 3") && text.ends_with("no such luck"), "{text}");
    }

    #[test]
    fn a_failed_build_tells_what_it_said_and_not_what_it_had_compiled() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo a.b/fine >&2; echo 'x.go:1: no such thing' >&2; exit 1"]);
        let text = run_told(command, "etcd").unwrap_err().to_string();
        assert_eq!(text, "go build of e2e/tools/etcd: exit status: 1:\nx.go:1: no such thing");
    }

    #[test]
    fn a_missing_program_is_named_with_the_fix() {
        let text = run(Command::new("keelson-no-such-program")).unwrap_err().to_string();
        assert_eq!(text, "cannot run keelson-no-such-program: install it and put it on PATH");
    }

    #[test]
    fn a_missing_tool_is_named_with_the_way_to_install_it() {
        programs(&["sh"], "").unwrap();
        let text = programs(&["sh", "keelson-no-such-tool"], "apt-get install it").unwrap_err().to_string();
        assert_eq!(text, "the test cluster needs keelson-no-such-tool: apt-get install it");
    }

    #[test]
    fn the_judge_is_the_scheduler_that_clusters_run() {
        let required = |folder: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools").join(folder).join("go.mod");
            let text = fs::read_to_string(path).unwrap();
            text.lines()
                .find_map(|line| line.trim_start_matches("require ").trim().strip_prefix("k8s.io/kubernetes "))
                .map(str::to_owned)
        };
        assert_eq!(required("oracle").as_deref(), Some(KUBERNETES));
        assert_eq!(required("k8s"), required("oracle"));
    }

    #[test]
    fn a_changed_source_moves_the_cache_folder() {
        let source = tempfile::tempdir().unwrap();
        fs::write(source.path().join("go.mod"), "module a").unwrap();
        let before = Toolset::Pause.stamp(source.path()).unwrap();
        assert_ne!(before, Toolset::Runtime.stamp(source.path()).unwrap(), "packages and flags count");
        fs::write(source.path().join("go.mod"), "module b").unwrap();
        assert_ne!(before, Toolset::Pause.stamp(source.path()).unwrap());
    }

    #[test]
    fn setup_installs_every_package_that_a_cluster_asks_for() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let setup = fs::read_to_string(root.join("../../xtask/src/setup.rs")).unwrap();
        let asking = ["src/tools.rs", "src/node.rs"].map(|file| fs::read_to_string(root.join(file)).unwrap()).concat();
        let commands = asking.match_indices("\"apt-get install ").map(|(at, start)| &asking[at + start.len()..]);
        let packages: Vec<&str> = commands
            .flat_map(|rest| rest.split('"').next().unwrap().split_whitespace())
            .filter(|one| *one != "it")
            .collect();
        assert!(packages.contains(&"util-linux") && packages.contains(&"conntrack"), "{packages:?}");
        for package in packages {
            assert!(setup.contains(&format!("package: \"{package}\"")), "xtask/src/setup.rs lacks {package}");
        }
    }

    #[test]
    fn reported_versions_are_those_of_the_lock_files() {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools");
        let k8s = fs::read_to_string(tools.join("k8s/go.mod")).unwrap();
        assert!(k8s.contains(&format!("k8s.io/kubernetes {KUBERNETES}")));
        let oldest = fs::read_to_string(tools.join("k8s-oldest/go.mod")).unwrap();
        assert!(oldest.contains(&format!("k8s.io/kubernetes {OLDEST}")));
        let chart = fs::read_to_string(tools.join("../../deploy/helm/keelson/Chart.yaml")).unwrap();
        let minor = OLDEST.trim_start_matches('v').rsplit_once('.').unwrap().0;
        assert!(chart.contains(&format!("kubeVersion: \">={minor}.0-0\"")), "the oldest that the chart takes");
        let rt = fs::read_to_string(tools.join("rt/go.mod")).unwrap();
        assert!(rt.contains(&format!("github.com/containerd/containerd/v2 {CONTAINERD}")));
        let helm = fs::read_to_string(tools.join("helm/go.mod")).unwrap();
        assert!(helm.contains(&format!("helm.sh/helm/v4 {HELM}")));
    }
}
