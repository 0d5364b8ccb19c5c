//! What the compiler makes of the copy.

use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::copy::{SOURCES, place, target};

/// An error of the compiler.
#[derive(Debug)]
pub struct Refusal {
    /// Beneath the runtime's `src`; empty when it is elsewhere.
    pub file: String,
    /// Where, in bytes of the file.
    pub places: Vec<Range<usize>>,
    pub said: String,
}

/// A test program.
#[derive(Debug, Clone)]
pub struct Program {
    pub name: String,
    pub path: PathBuf,
    /// Where cargo runs it, too.
    pub folder: PathBuf,
}

/// Which test programs are built: those of a package, or one of them.
pub type Which = (&'static str, Option<&'static str>);

/// The errors of the runtime alone.
///
/// # Errors
/// When cargo cannot be started.
pub fn refusals() -> Result<Vec<Refusal>, String> {
    let messages = cargo(&["build", "--lib", "-p", "keelson-runtime"], Stdio::null())?.1;
    Ok(messages.iter().filter_map(refusal).collect())
}

/// Builds test programs.
///
/// # Errors
/// When one does not build; cargo has said why.
pub fn programs(which: &[Which]) -> Result<Vec<Program>, String> {
    let mut args = vec!["test", "--no-run"];
    for (package, test) in which {
        args.extend(["-p", package]);
        match test {
            Some(test) => args.extend(["--test", test]),
            None => args.extend(["--lib", "--tests"]),
        }
    }
    let (succeeded, messages) = cargo(&args, Stdio::inherit())?;
    let programs: Vec<Program> = messages.iter().filter_map(program).collect();
    if succeeded && !programs.is_empty() { Ok(programs) } else { Err("the tests of the copy do not build".to_owned()) }
}

fn cargo(args: &[&str], errors: Stdio) -> Result<(bool, Vec<Value>), String> {
    let mut cargo = Command::new("cargo");
    let format = if args.contains(&"build") { "json" } else { "json-render-diagnostics" };
    cargo.args(args).args(["--locked", "--message-format", format]).current_dir(place());
    // What helps to build the same again with a small change is large, and here every change is everywhere.
    cargo.env("CARGO_TARGET_DIR", target()).env("CARGO_INCREMENTAL", "0");
    let done = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
    let done = done.spawn().and_then(std::process::Child::wait_with_output);
    let done = done.map_err(|error| format!("cargo could not be started: {error}"))?;
    let lines = String::from_utf8_lossy(&done.stdout);
    Ok((done.status.success(), lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()))
}

fn refusal(line: &Value) -> Option<Refusal> {
    let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str);
    if text("/message/level") != Some("error") {
        return None;
    }
    let said = text("/message/rendered").unwrap_or_default().to_owned();
    let spans = line.pointer("/message/spans")?.as_array()?;
    // The last line of all, `aborting due to 3 errors`, has no place.
    let file = spans.first()?.get("file_name")?.as_str()?;
    let byte = |span: &Value, which: &str| usize::try_from(span.get(which)?.as_u64()?).ok();
    let primary = spans.iter().filter(|span| span.get("is_primary").and_then(Value::as_bool) == Some(true));
    let places = primary.filter_map(|span| Some(byte(span, "byte_start")?..byte(span, "byte_end")?)).collect();
    Some(Refusal { file: file.strip_prefix(SOURCES).unwrap_or_default().to_owned(), places, said })
}

fn program(line: &Value) -> Option<Program> {
    let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str);
    let path = PathBuf::from(text("/executable")?);
    if line.pointer("/profile/test")?.as_bool() != Some(true) {
        return None;
    }
    let folder = PathBuf::from(text("/manifest_path")?).parent()?.to_owned();
    let package = folder.file_name()?.to_string_lossy().into_owned();
    let target = text("/target/name")?;
    let is_library = text("/target/kind/0") == Some("lib");
    let name = if is_library { format!("{package} lib") } else { format!("{package} {target}") };
    Some(Program { name, path, folder })
}
