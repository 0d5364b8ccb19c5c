//! A copy of the working tree, in which the runtime's sources hold the mutants.
//!
//! It is kept between runs, and a file is only written when it changes, so that cargo builds no more than it has to. What
//! cargo builds of other people's crates is shared with the working tree. Our own crates must never be: they carry another
//! version in the copy, without which cargo would give them the names of those of the working tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the runtime's sources are.
pub const SOURCES: &str = "crates/runtime/src/";

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_else(|_| PathBuf::from("."))
}

/// Where cargo builds, here and in the copy.
pub fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from))
}

/// Where the copy is.
pub fn place() -> PathBuf {
    target().join("mutate")
}

/// The runtime's sources, by their path beneath [`SOURCES`]; files of nothing but tests are left out.
///
/// # Errors
/// When one cannot be read.
pub fn sources() -> Result<BTreeMap<String, String>, String> {
    let mut sources = BTreeMap::new();
    for path in files()? {
        let name = path.strip_prefix(SOURCES).filter(|name| name.ends_with(".rs") && !name.ends_with("tests.rs"));
        if let Some(name) = name {
            let text = fs::read_to_string(root().join(&path)).map_err(|error| format!("{path}: {error}"))?;
            sources.insert(name.to_owned(), text);
        }
    }
    Ok(sources)
}

/// Makes the copy like the working tree, but for these sources of the runtime.
///
/// # Errors
/// When something cannot be read or written.
pub fn make(changed: &BTreeMap<String, String>) -> Result<(), String> {
    let files = files()?;
    for path in &files {
        let there = place().join(path);
        let from = root().join(path);
        let read = || fs::read(&from).map_err(|error| format!("{path}: {error}"));
        let wanted = match (path.as_str(), path.strip_prefix(SOURCES).and_then(|name| changed.get(name))) {
            (_, Some(text)) => text.clone().into_bytes(),
            ("Cargo.toml", _) => versioned(&String::from_utf8_lossy(&read()?), "[workspace.package]").into_bytes(),
            ("Cargo.lock", _) => versioned(&String::from_utf8_lossy(&read()?), "[[package]]").into_bytes(),
            _ => read()?,
        };
        if fs::read(&there).is_ok_and(|there| there == wanted) {
            continue;
        }
        let failed = |error| format!("{}: {error}", there.display());
        fs::create_dir_all(there.parent().unwrap_or(&there)).map_err(failed)?;
        fs::write(&there, wanted).map_err(failed)?;
        let permissions = fs::metadata(&from).map_err(failed)?.permissions();
        fs::set_permissions(&there, permissions).map_err(failed)?;
    }
    remove_others(&place(), &files)
}

/// Gives our own crates another version: in every section of this name that names no source.
fn versioned(text: &str, section: &str) -> String {
    let mut parts = text.split(section);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        whole.push_str(section);
        if part.contains("\nsource = ") {
            whole.push_str(part);
        } else {
            whole.push_str(&part.replacen("\nversion = \"", "\nversion = \"9", 1));
        }
    }
    whole
}

/// Sources that are gone from the working tree would be built all the same.
fn remove_others(folder: &Path, files: &[String]) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            remove_others(&path, files)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let name = path.strip_prefix(place()).unwrap_or(&path).display().to_string();
            if files.binary_search(&name).is_err() {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// Every file of the working tree that git knows or would take, sorted.
fn files() -> Result<Vec<String>, String> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(args).current_dir(root()).output();
    let listed = listed.map_err(|error| format!("git could not be started: {error}"))?;
    let text = String::from_utf8(listed.stdout).map_err(|_| "git named a file that is not UTF-8".to_owned())?;
    let mut files: Vec<String> =
        text.split('\0').filter(|name| root().join(name).is_file()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    if files.is_empty() { Err("git lists no files here; run it in a checkout".to_owned()) } else { Ok(files) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_crates_have_another_version_in_the_copy_and_others_do_not() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0\"\n\n[[package]]\nname = \"b\"\nversion = \"1.0\"\nsource = \"x\"\n";
        assert_eq!(versioned(lock, "[[package]]"), lock.replacen("1.0", "91.0", 1));
    }
}
