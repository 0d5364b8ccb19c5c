//! Tests on and beside a real Kubernetes: the tools it is made of, the tests that only need kubectl, those that need root.

use crate::run::{Outcome, program, read_shown, root, show, show_with};

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
    let tests = std::fs::read_dir(root().join("e2e/harness/tests")).map_err(|error| error.to_string())?;
    let stem = |path: std::path::PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = tests.flatten().filter_map(|file| stem(file.path())).collect();
    names.sort();
    names.push("real".to_owned());
    let chosen = names.iter().flat_map(|name| ["--test", name]);
    show("cargo", &TEST.into_iter().chain(["--workspace"]).chain(chosen).collect::<Vec<_>>())?;
    show("cargo", &[&TEST[..], &["-p", "keelson-harness", "--lib"]].concat())
}

fn kubectl() -> Result<String, String> {
    let said = read_shown(&program("keelson-cluster", "dev")?, &["--tools"])?;
    let path = said.lines().find_map(|line| line.strip_prefix("kubectl "));
    path.map(str::to_owned).ok_or_else(|| "keelson-cluster --tools did not say where kubectl is".to_owned())
}
