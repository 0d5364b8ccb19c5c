//! Files that are written from the code and kept in the repository.
//!
//! `cargo xtask generate` writes them; the tests compare, so that a file and the code it came from cannot part.

use std::fs;

use crate::run::{Outcome, read, root};

/// A file, and the name by which `keelson generate` prints it.
const FILES: &[(&str, &str)] = &[
    ("deploy/crds/keelson.dev.yaml", "crds"),
    ("deploy/rbac/controller.yaml", "rbac"),
    ("deploy/admission/scheduling.yaml", "admission"),
    ("docs/scheduling-fields.md", "scheduling-fields"),
    ("web/openapi.json", "openapi"),
];

/// Writes every file.
pub fn write() -> Outcome {
    for (path, what) in FILES {
        let file = root().join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        fs::write(&file, print(what)?).map_err(|error| format!("{path}: {error}"))?;
        eprintln!("generate: wrote {path}");
    }
    Ok(())
}

/// Says which file is not what the code would write now.
pub fn compare() -> Outcome {
    let mut old = Vec::new();
    for (path, what) in FILES {
        if fs::read_to_string(root().join(path)).ok().as_deref() != Some(print(what)?.as_str()) {
            old.push(*path);
        }
    }
    if old.is_empty() {
        eprintln!("generated files: {} up to date", FILES.len());
        return Ok(());
    }
    Err(format!("not what the code writes: {}. Run `cargo xtask generate` and commit", old.join(", ")))
}

fn print(what: &str) -> Result<String, String> {
    read("cargo", &["run", "--quiet", "--locked", "-p", "keelson", "--", "generate", what])
}
