//! The house rules that a compiler does not hold.

use crate::run::Outcome;
use crate::{direction, licences, sources};

/// Runs every rule and reports all that is wrong, one line each.
pub fn check() -> Outcome {
    let mut wrong = Vec::new();
    for (rule, find) in [
        ("dependency direction", direction::violations as fn() -> Result<Vec<String>, String>),
        ("licences", licences::violations),
        ("sources", sources::violations),
    ] {
        let found = find()?;
        eprintln!("  {rule}: {}", if found.is_empty() { "ok".to_owned() } else { format!("{} wrong", found.len()) });
        wrong.extend(found);
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("house rules broken:\n  {}", wrong.join("\n  "))) }
}
