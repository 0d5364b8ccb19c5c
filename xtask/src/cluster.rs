//! Tests on and beside a real Kubernetes: the tools it is made of, the tests that only need kubectl, those that need root.

use crate::run::{Outcome, read_shown, show, show_with};

const BUILD: [&str; 9] =
    ["run", "--locked", "--quiet", "-p", "keelson-harness", "--bin", "keelson-cluster", "--", "--tools"];
const TEST: [&str; 4] = ["test", "--locked", "--quiet", "--no-fail-fast"];

/// Builds what clusters are made of, once for each version; about ten minutes the first time.
pub fn tools() -> Outcome {
    kubectl().map(drop)
}

/// Every test of the workspace that needs no cluster.
pub fn test_without() -> Outcome {
    let rest = ["--workspace", "--exclude", "keelson-harness", "--", "--skip", "real_cluster"];
    show_with(&[("KUBECTL", &kubectl()?)], "cargo", &[&TEST[..], &rest].concat())
}

/// The tests on a real cluster. It lives in namespaces and cgroups of its own, which takes root.
pub fn test_with() -> Outcome {
    let harness = show("cargo", &[&TEST[..], &["-p", "keelson-harness"]].concat());
    let keelson = show("cargo", &[&TEST[..], &["-p", "keelson", "--test", "real"]].concat());
    harness.and(keelson)
}

fn kubectl() -> Result<String, String> {
    let said = read_shown("cargo", &BUILD)?;
    let path = said.lines().find_map(|line| line.strip_prefix("kubectl "));
    path.map(str::to_owned).ok_or_else(|| "keelson-cluster --tools did not say where kubectl is".to_owned())
}
