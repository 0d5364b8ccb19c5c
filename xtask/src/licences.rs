//! Every dependency may be shipped under Apache-2.0 terms.

use serde_json::Value;

use crate::run::read;

const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "Unicode-3.0",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MPL-2.0",
];

/// Every dependency whose licence is not on the list.
pub fn violations() -> Result<Vec<String>, String> {
    let text = read("cargo", &["metadata", "--format-version", "1", "--locked"])?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    Ok(metadata
        .get("packages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let name = package["name"].as_str()?;
            let licence = package["license"].as_str().unwrap_or("none stated");
            (!permits(licence))
                .then(|| format!("{name}: licence {licence} is not on the list in xtask/src/licences.rs"))
        })
        .collect())
}

/// Whether one alternative of an SPDX expression is wholly on the list.
fn permits(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    if expression.contains(") AND") || expression.contains("AND (") {
        return flat.split(" AND ").all(|part| part.split(" OR ").any(|one| ALLOWED.contains(&one.trim())));
    }
    flat.split(" OR ").any(|alternative| alternative.split(" AND ").all(|part| ALLOWED.contains(&part.trim())))
}

#[cfg(test)]
mod tests {
    use super::permits;

    #[test]
    fn an_expression_passes_when_one_alternative_is_wholly_allowed() {
        for (expression, allowed) in [
            ("MIT OR Apache-2.0", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0", false),
            ("MIT AND GPL-3.0", false),
        ] {
            assert_eq!(permits(expression), allowed, "{expression}");
        }
    }
}
