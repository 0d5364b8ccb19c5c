//! Files that are written from the code and kept in the repository.
//!
//! `cargo xtask generate` writes them; the tests compare, so that a file and the code it came from cannot part. The page's
//! types are written from the API document, by a tool of npm's.

use std::fs;

use crate::run::{Outcome, program, read, root};
use crate::{bench, chart, web};

/// What prints a file.
enum Source {
    /// `keelson generate`, by this name.
    Keelson(&'static str),
    /// The comments of the chart's values.
    Chart,
    /// Another file of the repository, for helm reads only what is in the chart.
    Copy(&'static str),
    /// The page's own tool, from the API document beside it.
    Page,
    /// From what the benches saved.
    Benchmarks,
}

/// In this order: the page's types are made from the API document.
const FILES: &[(&str, Source)] = &[
    ("deploy/crds/keelson.dev.yaml", Source::Keelson("crds")),
    ("deploy/rbac/controller.yaml", Source::Keelson("rbac")),
    ("deploy/helm/keelson/templates/crds.yaml", Source::Keelson("chart-crds")),
    ("deploy/helm/keelson/files/rights.yaml", Source::Keelson("chart-rights")),
    ("deploy/helm/keelson/README.md", Source::Chart),
    ("deploy/helm/keelson/files/alerts.yaml", Source::Copy("deploy/prometheus/alerts.yaml")),
    ("deploy/helm/keelson/templates/admission.yaml", Source::Keelson("chart-admission")),
    ("deploy/admission/scheduling.yaml", Source::Keelson("admission")),
    ("deploy/helm/keelson/templates/opt-in.yaml", Source::Keelson("chart-opt-in")),
    ("deploy/admission/opt-in.yaml", Source::Keelson("opt-in")),
    ("docs/scheduling-fields.md", Source::Keelson("scheduling-fields")),
    ("docs/settings.md", Source::Keelson("settings")),
    ("docs/metrics.md", Source::Keelson("metrics")),
    ("docs/benchmarks.md", Source::Benchmarks),
    ("web/openapi.json", Source::Keelson("openapi")),
    ("web/src/api/schema.ts", Source::Page),
];

/// Writes every file.
pub fn write() -> Outcome {
    for (path, source) in FILES {
        let file = root().join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        fs::write(&file, source.print()?).map_err(|error| format!("{path}: {error}"))?;
        eprintln!("generate: wrote {path}");
    }
    Ok(())
}

/// Says which file is not what the code would write now.
pub fn compare() -> Outcome {
    let mut old = Vec::new();
    for (path, source) in FILES {
        if fs::read_to_string(root().join(path)).ok().as_deref() != Some(source.print()?.as_str()) {
            old.push(*path);
        }
    }
    if old.is_empty() {
        eprintln!("generated files: {} up to date", FILES.len());
        return Ok(());
    }
    Err(format!("not what the code writes: {}. Run `cargo xtask generate` and commit", old.join(", ")))
}

impl Source {
    fn print(&self) -> Result<String, String> {
        match self {
            Self::Keelson(what) => read(&program("keelson", "dev")?, &["generate", what]),
            Self::Chart => chart::readme(),
            Self::Copy(of) => {
                let text = fs::read_to_string(root().join(of)).map_err(|error| format!("{of}: {error}"))?;
                Ok(format!("# Generated from {of} by `cargo xtask generate`; edits are overwritten.\n{text}"))
            }
            Self::Page => web::types(),
            Self::Benchmarks => bench::document(),
        }
    }
}
