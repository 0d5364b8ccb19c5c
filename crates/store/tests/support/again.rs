//! A test again in a process of its own: to be killed, or to have disks of its own.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

const DIR: &str = "KEELSON_TEST_DIR";

/// The test `name` of this program, with `dir` to work in. What it prints is passed on as it is.
pub(crate) fn myself(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--include-ignored", "--nocapture"]).env(DIR, dir);
    command
}

/// The folder given by [`myself`]; none when the test was started by hand or by cargo.
pub(crate) fn given_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(Into::into)
}

/// The same where `mounts` (a shell script, run in `dir`) has mounted what nobody else sees.
pub(crate) fn with_mounts(name: &str, dir: &Path, mounts: &str) {
    let test = myself(name, dir);
    let script = format!(r#"cd "${DIR}" && {mounts} && exec "$0" "$@""#);
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(test.get_program());
    let status = unshare.args(test.get_args()).env(DIR, dir).status().unwrap();
    assert!(status.success(), "failed, or needs user namespaces: allow them or run as root");
}
