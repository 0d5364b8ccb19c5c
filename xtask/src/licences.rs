//! Everything that is shipped, and everything that test clusters run, may be used under Apache-2.0 terms.
//!
//! Crates and npm's packages state their licence; Go's modules only carry its text, which is told by the sentences that
//! are in no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::run::{command, read, root};

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

/// Sentences by which a licence's text is known, in lower case and with single spaces.
const SENTENCES: &[(&str, &str)] = &[
    ("apache license version 2.0", "Apache-2.0"),
    ("licensed under the apache license, version 2.0", "Apache-2.0"),
    ("permission is hereby granted, free of charge", "MIT"),
    ("redistribution and use in source and binary forms", "BSD-3-Clause"),
    ("permission to use, copy, modify, and distribute this software for any purpose", "ISC"),
    ("permission to use, copy, modify, and/or distribute this software for any purpose", "ISC"),
    ("mozilla public license version 2.0", "MPL-2.0"),
    ("mozilla public license, version 2.0", "MPL-2.0"),
    ("this is free and unencumbered software", "Unlicense"),
    ("everyone is permitted to copy and distribute verbatim copies of this license document", "GPL"),
];

/// Every crate whose licence is not on the list.
pub fn crates() -> Result<Vec<String>, String> {
    let text = read("cargo", &["metadata", "--format-version", "1", "--locked"])?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    Ok(packages.filter_map(|package| judge("crate", package["name"].as_str()?, package["license"].as_str())).collect())
}

/// Every package of npm's that ends up in the built page (what only builds it does not) and whose licence is not on the
/// list.
pub fn page() -> Result<Vec<String>, String> {
    const LOCK: &str = "web/package-lock.json";
    let text = fs::read_to_string(root().join(LOCK)).map_err(|error| format!("{LOCK}: {error}"))?;
    let lock: Value = serde_json::from_str(&text).map_err(|error| format!("{LOCK}: {error}"))?;
    Ok(shipped(&lock).filter_map(|(name, licence)| judge("npm package", name, licence)).collect())
}

/// Every Go module whose code is in a program of the test clusters and whose licence is not on the list.
pub fn tools() -> Result<Vec<String>, String> {
    let mut modules = BTreeSet::new();
    for entry in fs::read_dir(root().join("e2e/tools")).map_err(|error| format!("e2e/tools: {error}"))?.flatten() {
        if entry.path().join("go.mod").is_file() {
            modules.extend(linked(&entry.path())?);
        }
    }
    Ok(modules.iter().filter_map(|(name, folder)| judge_texts(name, &texts(Path::new(folder)))).collect())
}

/// Why a package may not be used, when it may not.
fn judge(kind: &str, name: &str, licence: Option<&str>) -> Option<String> {
    let licence = licence.unwrap_or("none stated");
    (!permits(licence)).then(|| format!("{kind} {name}: licence {licence} is not on the list in xtask/src/licences.rs"))
}

/// The packages of a lock file that are not for development alone, with their licences.
fn shipped(lock: &Value) -> impl Iterator<Item = (&str, Option<&str>)> {
    let packages = lock.get("packages").and_then(Value::as_object).into_iter().flatten();
    let shipped = packages.filter(|(path, package)| !path.is_empty() && package["dev"] != true);
    shipped.map(|(path, package)| (path.rsplit("node_modules/").next().unwrap_or(path), package["license"].as_str()))
}

/// The modules whose packages are linked into the programs of one folder, and where Go keeps them.
fn linked(folder: &Path) -> Result<Vec<(String, String)>, String> {
    const LINE: &str = "{{with .Module}}{{if not .Main}}{{with .Replace}}{{.Path}} {{.Dir}}{{else}}{{.Path}} {{.Dir}}{{end}}{{end}}{{end}}";
    // Programs cannot be imported, hence are named one by one: in tools.go, or as `tool` in go.mod.
    let sources = ["tools.go", "go.mod"].map(|file| fs::read_to_string(folder.join(file)).unwrap_or_default());
    let mut programs: Vec<&str> =
        sources[0].lines().filter_map(|line| line.trim().strip_prefix("_ \"")?.strip_suffix('"')).collect();
    if programs.is_empty() {
        programs.push(if sources[1].contains("\ntool ") { "tool" } else { "." });
    }
    let output = command("go")
        .args(["list", "-mod=readonly", "-deps", "-tags=seccomp", "-f", LINE])
        .args(programs)
        .current_dir(folder)
        .env("GOWORK", "off")
        .env_remove("GOFLAGS")
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("go could not be started: {error}; unpack Go 1.26 and put its bin folder on PATH"))?;
    if !output.status.success() {
        return Err(format!("go list in {} ended with {}", folder.display(), output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, at)| (name.to_owned(), at.to_owned()))
        .collect())
}

/// What the files of a module say that are named as licences are.
fn texts(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = files.filter(|file| {
        let name = file.file_name().to_string_lossy().to_lowercase();
        ["license", "licence", "copying", "unlicense"].iter().any(|start| name.starts_with(start))
    });
    named.filter_map(|file| fs::read_to_string(file.path()).ok()).collect()
}

fn judge_texts(module: &str, texts: &[String]) -> Option<String> {
    let found: BTreeSet<&str> = texts.iter().flat_map(|text| recognise(text)).collect();
    if found.is_empty() {
        return Some(format!(
            "Go module {module}: no licence is recognised in it; look, and teach xtask/src/licences.rs"
        ));
    }
    found.into_iter().find_map(|licence| judge("Go module", module, Some(licence)))
}

/// The licences whose sentences are in a text.
fn recognise(text: &str) -> BTreeSet<&'static str> {
    let flat = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    SENTENCES.iter().filter(|(sentence, _)| flat.contains(sentence)).map(|(_, licence)| *licence).collect()
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
    use serde_json::json;

    use super::*;

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

    #[test]
    fn what_ends_up_in_the_page_is_judged_and_what_builds_it_is_not() {
        let lock = json!({"packages": {
            "": {"license": "Apache-2.0"},
            "node_modules/solid-js": {"license": "MIT"},
            "node_modules/solid-js/node_modules/@a/b": {"license": "GPL-3.0"},
            "node_modules/argparse": {"license": "Python-2.0", "dev": true},
            "node_modules/unsaid": {},
        }});
        let wrong: Vec<String> =
            shipped(&lock).filter_map(|(name, licence)| judge("npm package", name, licence)).collect();
        let list = "is not on the list in xtask/src/licences.rs";
        let expected = [
            format!("npm package @a/b: licence GPL-3.0 {list}"),
            format!("npm package unsaid: licence none stated {list}"),
        ];
        assert_eq!(wrong, expected);
    }

    #[test]
    fn a_licence_is_known_by_its_sentences() {
        let own = fs::read_to_string(root().join("LICENSE")).unwrap_or_default();
        assert_eq!(recognise(&own), ["Apache-2.0"].into());
        for (text, licence) in [
            ("Permission is hereby granted,\n  free of charge, to any person", "MIT"),
            ("Redistribution and use in source and binary forms, with or without", "BSD-3-Clause"),
            ("Permission to use, copy, modify, and/or distribute this software for any\npurpose", "ISC"),
            ("Mozilla Public License, version 2.0\n\n1. Definitions", "MPL-2.0"),
        ] {
            assert_eq!(recognise(text), [licence].into(), "{text}");
            assert_eq!(judge_texts("a.b/c", &[text.to_owned()]), None);
        }
    }

    #[test]
    fn a_module_without_a_known_licence_or_with_one_that_binds_us_is_named() {
        let judged =
            |texts: &[&str]| judge_texts("a.b/c", &texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        let gpl = "GNU GENERAL PUBLIC LICENSE\nEveryone is permitted to copy and distribute verbatim copies\nof this license document";
        assert!(
            judged(&[gpl, "Permission is hereby granted, free of charge"])
                .is_some_and(|why| why.contains("a.b/c: licence GPL"))
        );
        assert!(judged(&[]).is_some_and(|why| why.contains("a.b/c: no licence")));
        assert!(judged(&["All rights reserved."]).is_some());
    }
}
