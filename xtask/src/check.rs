//! The house rules that a compiler does not hold.

use crate::run::Outcome;
use crate::{direction, licences, links, mutants, sources};

/// What finds all that breaks a rule, one line each.
type Find = fn() -> Result<Vec<String>, String>;

/// Every rule.
pub fn check() -> Outcome {
    rules()?;
    tools()
}

/// The rules that need nothing but the repository.
pub fn rules() -> Outcome {
    hold(&[
        ("dependency direction", direction::violations),
        ("licences of crates", licences::crates),
        ("licences in the page", licences::page),
        ("sources", sources::violations),
        ("links between documents", links::violations),
        ("faults that can be put back", mutants::violations),
    ])
}

/// The rule about the programs of test clusters, whose sources Go fetches.
pub fn tools() -> Outcome {
    hold(&[("licences of the cluster's tools", licences::tools)])
}

/// Applies every rule and reports all that is wrong.
fn hold(rules: &[(&str, Find)]) -> Outcome {
    let mut wrong = Vec::new();
    for (rule, find) in rules {
        let found = find()?;
        eprintln!("  {rule}: {}", if found.is_empty() { "ok".to_owned() } else { format!("{} wrong", found.len()) });
        wrong.extend(found);
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("house rules broken:\n  {}", wrong.join("\n  "))) }
}
