//! Dependencies point one way.
//!
//! The map below is ARCHITECTURE.md's, as data. A crate may name only what its row lists; a crate without a row may not
//! exist.

use serde_json::Value;

use crate::run::read;

/// Crate, the crates of ours it may use, and the libraries it must never use. Test-only dependencies are free.
const MAP: &[(&str, &[&str], &[&str])] = &[
    ("keelson-core", &[], &["kube", "tokio", "sqlx", "axum"]),
    ("keelson-placement", &["keelson-core"], &["kube", "tokio", "futures", "sqlx", "axum"]),
    ("keelson-api", &["keelson-core"], &["tokio", "sqlx", "axum"]),
    ("keelson-cluster", &["keelson-core", "keelson-api", "keelson-placement"], &["tokio", "futures", "sqlx", "axum"]),
    ("keelson-store", &["keelson-core"], &["kube", "axum"]),
    ("keelson-telemetry", &["keelson-core"], &["kube", "sqlx"]),
    ("keelson-runtime", &["keelson-core", "keelson-api", "keelson-store"], &["axum", "sqlx"]),
    (
        "keelson-scheduling",
        &["keelson-core", "keelson-api", "keelson-placement", "keelson-cluster", "keelson-runtime"],
        &["axum", "sqlx"],
    ),
    ("keelson-dashboard", &["keelson-core", "keelson-store"], &["kube", "sqlx"]),
    ("keelson-sim", &["keelson-core"], &["axum", "sqlx"]),
    (
        "keelson",
        &[
            "keelson-core",
            "keelson-api",
            "keelson-placement",
            "keelson-cluster",
            "keelson-store",
            "keelson-telemetry",
            "keelson-runtime",
            "keelson-scheduling",
            "keelson-dashboard",
            "keelson-sim",
        ],
        &[],
    ),
    (
        "keelson-bench",
        &[
            "keelson",
            "keelson-cluster",
            "keelson-core",
            "keelson-harness",
            "keelson-placement",
            "keelson-runtime",
            "keelson-scheduling",
            "keelson-sim",
            "keelson-store",
        ],
        &["axum"],
    ),
    ("keelson-image", &[], &["kube", "tokio"]),
    ("keelson-harness", &["keelson-image"], &["kube"]),
    (
        "keelson-soak",
        &["keelson", "keelson-api", "keelson-core", "keelson-runtime", "keelson-sim", "keelson-store"],
        &["axum", "sqlx"],
    ),
    (
        "keelson-parity",
        &["keelson-cluster", "keelson-core", "keelson-harness", "keelson-placement"],
        &["kube", "tokio", "axum", "sqlx"],
    ),
    ("keelson-mutate", &[], &["kube", "tokio"]),
    ("keelson-example", &["keelson-core", "keelson-runtime"], &["axum", "sqlx"]),
    ("keelson-bully", &["keelson-core", "keelson-runtime"], &["axum", "sqlx"]),
    ("xtask", &["keelson-image"], &["kube", "tokio"]),
];

/// Every dependency that points the wrong way.
pub fn violations() -> Result<Vec<String>, String> {
    let text = read("cargo", &["metadata", "--no-deps", "--format-version", "1", "--locked"])?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata.get("packages").and_then(Value::as_array).cloned().unwrap_or_default();
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed, forbidden)) = MAP.iter().find(|(known, _, _)| *known == name) else {
            wrong.push(format!("{name}: not on the map in xtask/src/direction.rs; give it a row"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().cloned().unwrap_or_default();
        for dependency in dependencies.iter().filter(|dependency| dependency["kind"].is_null()) {
            let used = dependency["name"].as_str().unwrap_or_default();
            if ours.contains(&used) && !allowed.contains(&used) {
                wrong.push(format!("{name} -> {used}: points the wrong way (allowed: {})", allowed.join(", ")));
            }
            if forbidden.contains(&used) {
                wrong.push(format!("{name} -> {used}: this crate must stay free of it"));
            }
        }
    }
    Ok(wrong)
}
