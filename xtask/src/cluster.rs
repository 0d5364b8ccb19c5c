//! Tests on and beside a real Kubernetes: the tools it is made of, the tests that only need kubectl, those that need root.

use crate::image;
use crate::run::{Outcome, program, read_shown};
use crate::suites::{self, Part};

/// Builds what clusters are made of, once for each version; about thirteen minutes the first time.
pub fn tools() -> Outcome {
    kubectl().map(drop)
}

/// The tests that talk to a simulated cluster with kubectl.
pub fn test_kubectl() -> Outcome {
    suites::run(Part::Kubectl, 2, &[("KUBECTL", &kubectl()?)])
}

/// The tests on a real cluster. It lives in namespaces and cgroups of its own, which takes root. Three programs at
/// a time: most of the time they wait for clocks.
pub fn test_real() -> Outcome {
    // What helm installs there.
    image::here()?;
    suites::run(Part::Cluster, 3, &[])
}

fn kubectl() -> Result<String, String> {
    let said = read_shown(&program("keelson-cluster", "dev")?, &["--tools"])?;
    let path = said.lines().find_map(|line| line.strip_prefix("kubectl "));
    path.map(str::to_owned).ok_or_else(|| "keelson-cluster --tools did not say where kubectl is".to_owned())
}
