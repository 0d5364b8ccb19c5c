//! Every bench that needs no cluster runs, small: what it measures here means nothing, but it cannot rot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use keelson_bench::{BENCHES, ON_A_CLUSTER, Setting, Size};

/// The program beside this one, as `cargo test --workspace` builds it.
fn keelson() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let program = here.ancestors().nth(2).unwrap().join("keelson");
    assert!(program.exists(), "{} is missing; run: cargo build --workspace --bin keelson", program.display());
    program
}

#[test]
fn every_bench_that_needs_no_cluster_runs_and_names_what_it_measured() {
    let setting = Setting { size: Size::Small, keelson: keelson() };
    for (name, bench) in BENCHES.iter().filter(|(name, _)| !ON_A_CLUSTER.contains(name)) {
        let rows = bench(&setting).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert!(rows.iter().any(|row| row.goal.is_some()), "{name} has no budget");
        for row in rows {
            assert!(row.value.is_finite() && row.value >= 0.0, "{name}: {row:?}");
            assert!(!row.what.is_empty() && !row.how.is_empty() && !row.unit.is_empty(), "{name}: {row:?}");
            assert_eq!(row.met.is_some(), row.goal.is_some(), "{name}: {row:?}");
        }
    }
}
