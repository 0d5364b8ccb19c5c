//! What the tests need from the machine, and how it gets there.
//!
//! Debian packages are installed when we may (root); otherwise the one command to run is printed. Nothing is fetched
//! in any other way.

use std::path::Path;

use crate::run::{Outcome, read, show};

/// A Debian package and a file that shows it is there.
struct Need {
    package: &'static str,
    witness: &'static str,
}

const NEEDS: &[Need] = &[
    Need { package: "gcc", witness: "/usr/bin/cc" },
    Need { package: "postgresql-15", witness: "/usr/lib/postgresql/15/bin/initdb" },
    Need { package: "bash", witness: "/bin/bash" },
    Need { package: "curl", witness: "/usr/bin/curl" },
    Need { package: "findutils", witness: "/usr/bin/find" },
    Need { package: "gawk", witness: "/usr/bin/awk" },
    Need { package: "mount", witness: "/bin/mount" },
    Need { package: "util-linux", witness: "/usr/bin/unshare" },
    Need { package: "iproute2", witness: "/usr/sbin/ip" },
    Need { package: "nftables", witness: "/usr/sbin/nft" },
    Need { package: "iptables", witness: "/usr/sbin/iptables" },
    Need { package: "conntrack", witness: "/usr/sbin/conntrack" },
    Need { package: "ethtool", witness: "/usr/sbin/ethtool" },
    Need { package: "libseccomp-dev", witness: "/usr/include/seccomp.h" },
    Need { package: "pkg-config", witness: "/usr/bin/pkg-config" },
    Need { package: "openssl", witness: "/usr/bin/openssl" },
    Need { package: "nodejs", witness: "/usr/bin/node" },
    Need { package: "npm", witness: "/usr/bin/npm" },
    Need { package: "chromium", witness: "/usr/bin/chromium" },
];

/// Installs what is missing.
pub fn setup() -> Outcome {
    let missing: Vec<_> = NEEDS.iter().filter(|need| !Path::new(need.witness).exists()).map(|n| n.package).collect();
    if missing.is_empty() {
        eprintln!("setup: everything is there");
        return Ok(());
    }
    let packages = missing.join(" ");
    if read("id", &["-u"])?.trim() != "0" {
        return Err(format!("missing: {packages}. Run: sudo apt-get install --yes {packages}"));
    }
    eprintln!("setup: installing {packages}");
    show("apt-get", &["update", "-qq"])?;
    let mut args = vec!["install", "--yes", "-qq", "--no-install-recommends"];
    args.extend(missing);
    show("apt-get", &args)
}
