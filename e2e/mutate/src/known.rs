//! The mutants that are known to survive, each with its reason (`survivors.txt`).
//!
//! A name on a line of its own, as the report writes it, and the reason beneath it, indented.

use std::collections::BTreeMap;

/// Where they are listed.
pub const LIST: &str = "e2e/mutate/survivors.txt";

const TEXT: &str = include_str!("../survivors.txt");

/// Every name, with its reason.
///
/// # Errors
/// When one has no reason.
pub fn survivors() -> Result<BTreeMap<String, String>, String> {
    read(TEXT)
}

fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if line.starts_with(' ') {
            let reason = known.get_mut(&name).ok_or_else(|| format!("{LIST}: a reason without a name: {line}"))?;
            *reason = format!("{reason} {}", line.trim()).trim().to_owned();
        } else {
            name = line.trim().to_owned();
            if known.insert(name.clone(), String::new()).is_some() {
                return Err(format!("{LIST}: {name} is there twice"));
            }
        }
    }
    match known.iter().find(|(_, reason)| reason.is_empty()) {
        Some((name, _)) => Err(format!("{LIST}: {name} has no reason; write it beneath, indented")),
        None => Ok(known),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::{copy, points};

    #[test]
    fn each_survivor_has_a_reason() {
        let known = read("# why\n\na.rs f: `a < b` -> `<=`\n    Equal,\n    as b is odd.\n").unwrap();
        assert_eq!(known.get("a.rs f: `a < b` -> `<=`").unwrap(), "Equal, as b is odd.");
        assert!(read("a.rs f: `a < b` -> `<=`\n").unwrap_err().contains("no reason"));
        assert!(read("  Equal.\n").unwrap_err().contains("without a name"));
    }

    #[test]
    fn each_survivor_is_still_a_point() {
        let found =
            copy::sources().unwrap().into_iter().flat_map(|(file, text)| points::find(&file, &text).unwrap().points);
        let names: BTreeSet<String> = found.map(|point| point.to_string()).collect();
        for name in survivors().unwrap().keys() {
            assert!(names.contains(name), "{LIST}: {name} is not there any more; take it off");
        }
    }
}
