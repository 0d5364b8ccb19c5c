//! The chart's README, from the comments of its values.
//!
//! A comment that begins with `# --` describes the value below it; further comment lines go on with it. So a value and its
//! description are changed in one place, and what a person reads is what helm takes.

use std::fs;

use crate::run::root;

const VALUES: &str = "deploy/helm/keelson/values.yaml";
const HEAD: &str = "\
<!-- Generated from values.yaml by `cargo xtask generate`; edits are overwritten. -->
# Keelson's chart

    cargo xtask image                                   # target/image/keelson-amd64.tar, an OCI archive: push it to your
                                                        # registry, or import it into your nodes
    helm install keelson deploy/helm/keelson --namespace keelson-system --create-namespace \\
      --set image.repository=REGISTRY/keelson

A fresh installation observes: it decides, explains, and touches nothing. Rights are granted up to each feature's
`ceiling` and no further; `mode` moves below it at run time, from the page, with `kubectl`, or here for a fresh installation.

`helm upgrade` brings new definitions too. `helm uninstall` first switches every feature Off and waits for that; what stays
is the definition of Platform and the one object of it, unless `uninstall.purge` was set before. After an uninstallation
without hooks, `keelson doctor --cleanup` finds what is left.

YAML reads a bare `Off` as false: as a `mode` or a `ceiling`, both are taken for Off.

| value | default | what it is for |
|---|---|---|
";

/// The README.
pub fn readme() -> Result<String, String> {
    let text = fs::read_to_string(root().join(VALUES)).map_err(|error| format!("{VALUES}: {error}"))?;
    let mut readme = HEAD.to_owned();
    for value in described(&text) {
        readme += &format!("| `{}` | `{}` | {} |\n", value.path, value.default, value.description);
    }
    Ok(readme)
}

/// A value with its description.
#[derive(Debug, PartialEq, Eq)]
struct Described {
    path: String,
    default: String,
    description: String,
}

/// The described values of a file, in its order. What is below a described value belongs to its default.
fn described(text: &str) -> Vec<Described> {
    let mut found: Vec<Described> = Vec::new();
    let mut path: Vec<(usize, &str)> = Vec::new();
    let (mut words, mut taken): (Vec<&str>, Option<usize>) = (Vec::new(), None);
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let rest = line.trim();
        if let Some(comment) = rest.strip_prefix('#') {
            match comment.trim_start().strip_prefix("-- ") {
                Some(first) => words = vec![first],
                None if !words.is_empty() => words.push(comment.trim()),
                None => {}
            }
            continue;
        }
        let Some((key, value)) = rest.split_once(':') else {
            words.clear();
            continue;
        };
        let value = value.trim();
        path.retain(|(at, _)| *at < depth);
        path.push((depth, key));
        if taken.is_some_and(|at| depth > at) {
            if let Some(last) = found.last_mut() {
                let part = format!("{key}: {value}");
                last.default = if last.default.is_empty() { part } else { format!("{}, {part}", last.default) };
            }
            continue;
        }
        taken = None;
        if !words.is_empty() {
            let path = path.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".");
            found.push(Described { path, default: value.to_owned(), description: words.join(" ").replace('|', "\\|") });
            taken = Some(depth);
            words.clear();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn a_description_may_have_several_lines_and_a_default_several_fields() {
        let text = "# no description\na:\n  # -- First,\n  # second.\n  b: 1\n  c: 2\n# -- All.\nd:\n  e: {f: 1}\n  g: 2\n# -- Last.\nh: \"\"\n";
        let value = |path: &str, default: &str, description: &str| Described {
            path: path.to_owned(),
            default: default.to_owned(),
            description: description.to_owned(),
        };
        let expected =
            [value("a.b", "1", "First, second."), value("d", "e: {f: 1}, g: 2", "All."), value("h", "\"\"", "Last.")];
        assert_eq!(described(text), expected);
    }

    /// Every value that the schema knows, with those that have none below them.
    fn leaves(schema: &Value, at: &str, into: &mut BTreeSet<String>) {
        match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => {
                for (name, below) in properties {
                    leaves(below, &if at.is_empty() { name.clone() } else { format!("{at}.{name}") }, into);
                }
            }
            None => drop(into.insert(at.to_owned())),
        }
    }

    #[test]
    fn the_schema_knows_every_value_and_no_other() {
        let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
        let schema: Value = serde_json::from_str(&read("deploy/helm/keelson/values.schema.json")).unwrap();
        let mut known = BTreeSet::new();
        leaves(&schema, "", &mut known);
        // helm adds it for charts above this one; and what a container may use is Kubernetes' own.
        known.retain(|path| path != "global" && !path.starts_with("resources."));
        known.insert("resources".to_owned());
        let described: BTreeSet<String> = described(&read(VALUES)).into_iter().map(|value| value.path).collect();
        assert_eq!(known, described);
    }

    #[test]
    fn every_value_that_a_document_sets_is_there() {
        let described = described(&fs::read_to_string(root().join(VALUES)).unwrap());
        let known = |value: &str| described.iter().any(|one| one.path == value);
        let mut set = 0;
        for file in ["README.md", "docs/install.md", "docs/guide.md", "docs/sign-in.md", "docs/security.md"] {
            let text = fs::read_to_string(root().join(file)).unwrap();
            for (at, flag) in text.match_indices("--set ") {
                let value = text.get(at + flag.len()..).unwrap().split('=').next().unwrap();
                assert!(known(value), "{file} sets {value:?}, which the chart does not know");
                set += 1;
            }
            let named = text.split('`').skip(1).step_by(2).filter(|word| !word.contains(' '));
            for word in named.filter(|word| {
                ["database.", "dashboard.", "uninstall.", "features.", "networkPolicy.", "monitoring."]
                    .iter()
                    .any(|start| word.starts_with(start))
            }) {
                let block = word.trim_end_matches(".*");
                let below = |one: &Described| one.path == block || one.path.starts_with(&format!("{block}."));
                assert!(described.iter().any(below), "{file} names {word:?}, which the chart does not know");
            }
        }
        assert!(set > 2, "documents set {set} values");
    }

    #[test]
    fn every_block_refuses_what_it_does_not_know() {
        fn open(schema: &Value, at: &str, found: &mut Vec<String>) {
            if schema.get("properties").is_some() && schema["additionalProperties"] != false {
                found.push(at.to_owned());
            }
            for (name, below) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                open(below, &format!("{at}.{name}"), found);
            }
        }
        let text = fs::read_to_string(root().join("deploy/helm/keelson/values.schema.json")).unwrap();
        let mut found = Vec::new();
        open(&serde_json::from_str(&text).unwrap(), "", &mut found);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn the_chart_has_the_version_of_the_program() {
        let chart = fs::read_to_string(root().join("deploy/helm/keelson/Chart.yaml")).unwrap();
        for line in ["version", "appVersion"] {
            assert!(chart.contains(&format!("\n{line}: {}\n", env!("CARGO_PKG_VERSION"))), "{line}");
        }
    }
}
