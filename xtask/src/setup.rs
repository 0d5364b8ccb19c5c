//! What the layers need from the machine, and how it gets there.
//!
//! Debian packages are installed when we may (root); otherwise the one command to run is printed. Nothing is fetched
//! in any other way.

use std::path::{Path, PathBuf};

use crate::run::{Outcome, read, show};

/// Something that is not in the repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// A Debian package of the table below.
    Package(&'static str),
    /// Go on PATH: Debian's is too old.
    Go,
    /// A cache folder that can be written: Go, npm and the tools of test clusters keep there what they made.
    Cache,
    /// The rights to make namespaces, mounts and cgroups.
    Root,
}

/// A Debian package and a file that shows it is there.
struct Package {
    package: &'static str,
    witness: &'static str,
}

const PACKAGES: &[Package] = &[
    Package { package: "gcc", witness: "/usr/bin/cc" },
    Package { package: "postgresql-15", witness: "/usr/lib/postgresql/15/bin/initdb" },
    Package { package: "bash", witness: "/bin/bash" },
    Package { package: "curl", witness: "/usr/bin/curl" },
    Package { package: "findutils", witness: "/usr/bin/find" },
    Package { package: "gawk", witness: "/usr/bin/awk" },
    Package { package: "mount", witness: "/bin/mount" },
    Package { package: "util-linux", witness: "/usr/bin/unshare" },
    Package { package: "iproute2", witness: "/usr/sbin/ip" },
    Package { package: "nftables", witness: "/usr/sbin/nft" },
    Package { package: "iptables", witness: "/usr/sbin/iptables" },
    Package { package: "conntrack", witness: "/usr/sbin/conntrack" },
    Package { package: "ethtool", witness: "/usr/sbin/ethtool" },
    Package { package: "libseccomp-dev", witness: "/usr/include/seccomp.h" },
    Package { package: "pkg-config", witness: "/usr/bin/pkg-config" },
    Package { package: "openssl", witness: "/usr/bin/openssl" },
    Package { package: "prometheus", witness: "/usr/bin/promtool" },
    Package { package: "faketime", witness: "/usr/bin/faketime" },
    Package { package: "python3-kubernetes", witness: "/usr/lib/python3/dist-packages/kubernetes/__init__.py" },
    Package { package: "nodejs", witness: "/usr/bin/node" },
    Package { package: "npm", witness: "/usr/bin/npm" },
    Package { package: "chromium", witness: "/usr/bin/chromium" },
    Package { package: "gcc-aarch64-linux-gnu", witness: "/usr/bin/aarch64-linux-gnu-gcc" },
    Package { package: "libc6-dev-arm64-cross", witness: "/usr/aarch64-linux-gnu/lib/libc.a" },
    Package { package: "qemu-user-static", witness: "/usr/bin/qemu-aarch64-static" },
];

/// Every package that something of ours needs.
#[cfg(test)]
pub fn every_package() -> Vec<Need> {
    PACKAGES.iter().map(|known| Need::Package(known.package)).collect()
}

/// What this machine lacks.
#[derive(Default)]
pub struct Machine {
    /// Packages whose witness is not there.
    pub packages: Vec<&'static str>,
    /// Whether Go is nowhere on PATH.
    pub go: bool,
    /// Why the cache folder cannot be written, with its name.
    pub cache: Option<String>,
    /// Whether we are somebody else than root.
    pub root: bool,
}

impl Machine {
    /// Looks.
    pub fn look() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self {
            packages: PACKAGES.iter().filter(|known| !Path::new(known.witness).exists()).map(|n| n.package).collect(),
            go: !std::env::split_paths(&path).any(|folder| folder.join("go").is_file()),
            cache: cache().err(),
            root: read("id", &["-u"]).is_ok_and(|id| id.trim() != "0"),
        }
    }

    /// What is missing of `needs` and the way to have it; `None` when everything is there.
    pub fn lacks(&self, needs: &[Need]) -> Option<String> {
        // As root, packages are installed before anything runs: `sudo` is the whole answer.
        if self.root && needs.contains(&Need::Root) {
            return Some("needs root".to_owned());
        }
        let mut ways = Vec::new();
        let packages = self.missing(needs).join(" ");
        if !packages.is_empty() {
            ways.push(format!("missing {packages}: sudo apt-get install --yes {packages}"));
        }
        if self.go && needs.contains(&Need::Go) {
            ways.push("missing Go 1.26: unpack it and put its bin folder on PATH".to_owned());
        }
        if let Some(why) = self.cache.as_ref().filter(|_| needs.contains(&Need::Cache)) {
            ways.push(format!("{why}: make it writable, or set HOME to a folder that is"));
        }
        (!ways.is_empty()).then(|| ways.join("; "))
    }

    fn missing(&self, needs: &[Need]) -> Vec<&'static str> {
        self.packages.iter().copied().filter(|package| needs.contains(&Need::Package(package))).collect()
    }
}

/// Installs everything of these that is missing, or says what does.
pub fn setup(needs: &[Need]) -> Outcome {
    require(needs, "setup")?;
    eprintln!("setup: everything is there");
    Ok(())
}

/// Sees to it that a command of ours has what it needs.
pub fn require(needs: &[Need], ours: &str) -> Outcome {
    install(needs)?;
    Machine::look().lacks(needs).map_or(Ok(()), |lacking| Err(again(&lacking, needs, ours)))
}

/// What is lacking, and the command of ours that works once that is there.
pub fn again(lacking: &str, needs: &[Need], ours: &str) -> String {
    let sudo = if needs.contains(&Need::Root) { "sudo -E env PATH=\"$PATH\" " } else { "" };
    format!("{lacking}; then: {sudo}cargo xtask {ours}")
}

/// Installs the packages among `needs` that are missing, when we may.
pub fn install(needs: &[Need]) -> Outcome {
    let machine = Machine::look();
    let missing = machine.missing(needs);
    if missing.is_empty() || machine.root {
        return Ok(());
    }
    eprintln!("setup: installing {}", missing.join(" "));
    show("apt-get", &["update", "-qq"])?;
    show("apt-get", &[&["install", "--yes", "-qq", "--no-install-recommends"], &missing[..]].concat())
}

/// What all layers build from nothing, some 11 GB, and what their clusters write meanwhile; in MiB.
const ROOM: u64 = 14 << 10;

/// Says that the disk may be too small before anything is built: a compiler that finds it full says so after a quarter of an
/// hour, and not what would help.
pub fn look_at_room() {
    let free = read("df", &["--output=avail", "--block-size=1M", "."]);
    let free = free.ok().and_then(|said| said.lines().nth(1)?.trim().parse().ok());
    if let Some(crowded) = free.and_then(crowded) {
        eprintln!("setup: {crowded}");
    }
}

fn crowded(free: u64) -> Option<String> {
    (free < ROOM).then(|| {
        let gib = |mib: u64| mib >> 10;
        format!(
            "{} GiB are free here, and a first run of everything wants {}; what older builds left goes with: cargo clean",
            gib(free),
            gib(ROOM)
        )
    })
}

/// The folder where tools keep what they made, seen to be writable.
fn cache() -> Result<PathBuf, String> {
    let set = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let folder = folder.ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    let probe = folder.join(format!(".keelson-{}", std::process::id()));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&probe, ""));
    let _ = std::fs::remove_file(&probe);
    written.map_err(|error| format!("{} cannot be written ({error})", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_once_with_one_command_and_only_where_it_is_needed() {
        let machine = Machine { packages: vec!["npm", "chromium"], ..Machine::default() };
        let page = [Need::Package("npm"), Need::Package("chromium"), Need::Package("nodejs"), Need::Cache];
        let said = machine.lacks(&page);
        assert_eq!(said.as_deref(), Some("missing npm chromium: sudo apt-get install --yes npm chromium"));
        assert_eq!(machine.lacks(&[Need::Package("gcc"), Need::Go, Need::Root]), None);
    }

    #[test]
    fn root_installs_packages_by_itself_and_is_all_that_is_asked_for() {
        let machine = Machine { packages: vec!["conntrack"], root: true, ..Machine::default() };
        let needs = [Need::Package("conntrack"), Need::Root];
        assert_eq!(machine.lacks(&needs).as_deref(), Some("needs root"));
    }

    #[test]
    fn a_disk_that_may_not_do_is_said_beforehand_with_what_helps() {
        let said = crowded(5_000).unwrap_or_default();
        assert!(said.starts_with("4 GiB are free") && said.ends_with("cargo clean"), "{said}");
        assert_eq!(crowded(ROOM), None);
    }

    #[test]
    fn go_and_a_cache_that_cannot_be_written_are_said_with_the_fix() {
        let why = Some("/h/.cache cannot be written (Read-only file system)".to_owned());
        let machine = Machine { go: true, cache: why, ..Machine::default() };
        let said = machine.lacks(&[Need::Go, Need::Cache]).unwrap_or_default();
        assert!(said.contains("put its bin folder on PATH; /h/.cache cannot be written"), "{said}");
        assert!(said.ends_with("set HOME to a folder that is"), "{said}");
    }
}
