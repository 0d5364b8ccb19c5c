//! What a program is made of: a bill of materials in CycloneDX 1.6.
//!
//! Somebody who runs an image must be able to ask whether a library with a known hole is in it. Cargo knows every crate
//! that is linked, npm's lock file every package of the page, and what comes from neither (the C library of a static
//! program) is said by whoever builds.
//!
//! Promises: only what ends up in the program is listed, with its version, licence and checksum; ordered, and without a
//! time or a random serial number, so that the same sources give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What a bill is written from.
#[derive(Debug)]
pub struct Sources<'a> {
    /// `cargo metadata --filter-platform TARGET` of the workspace.
    pub cargo: &'a Value,
    /// The text of `Cargo.lock`: the checksums of crates.
    pub lock: &'a str,
    /// npm's lock file of the page that is embedded.
    pub page: &'a Value,
    /// What else is linked.
    pub linked: &'a [Linked],
}

/// Something that is linked and comes from neither cargo nor npm.
#[derive(Debug, Clone)]
pub struct Linked {
    /// Its package URL, as in `pkg:generic/glibc@2.36`.
    pub purl: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as an SPDX expression.
    pub licence: String,
}

/// The bill of the workspace's program `name`, whose binary has this SHA-256 in hexadecimal; none when the workspace has
/// no such program.
#[must_use]
pub fn bill(name: &str, sha256: &str, sources: &Sources<'_>) -> Option<Value> {
    let packages: BTreeMap<&str, &Value> =
        list(sources.cargo, "packages").filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let nodes: BTreeMap<&str, BTreeSet<&str>> = list(&sources.cargo["resolve"], "nodes")
        .filter_map(|node| Some((node["id"].as_str()?, list(node, "deps").filter_map(linked).collect())))
        .collect();
    let root = packages.values().find(|package| package["name"] == name && package["source"].is_null())?;
    let mut reached = BTreeSet::new();
    let mut ahead = vec![root["id"].as_str()?];
    while let Some(id) = ahead.pop() {
        if reached.insert(id) {
            ahead.extend(nodes.get(id).into_iter().flatten());
        }
    }
    let checksums = checksums(sources.lock);
    let mut components: BTreeMap<String, Value> = reached
        .iter()
        .filter(|id| Some(**id) != root["id"].as_str())
        .filter_map(|id| packages.get(id))
        .map(|package| (purl(package), component("library", package, checksum(&checksums, package))))
        .collect();
    components.extend(page(sources.page));
    components.extend(sources.linked.iter().map(|part| {
        let fields = json!({"name": part.name, "version": part.version, "license": part.licence});
        (part.purl.clone(), described("library", &part.purl, &fields, None))
    }));
    let refs = |id: &str| packages.get(id).map(|package| purl(package));
    let mut dependencies: Vec<Value> = reached
        .iter()
        .filter_map(|id| {
            let on: BTreeSet<String> = nodes.get(id).into_iter().flatten().filter_map(|on| refs(on)).collect();
            Some(json!({"ref": refs(id)?, "dependsOn": on}))
        })
        .collect();
    dependencies.sort_by_key(|dependency| dependency["ref"].as_str().map(str::to_owned));
    Some(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": component("application", root, Some(sha256))},
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies,
    }))
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// The package behind a dependency that is linked: what only builds or tests is not in the program.
fn linked(dependency: &Value) -> Option<&str> {
    list(dependency, "dep_kinds").any(|kind| kind["kind"].is_null()).then(|| dependency["pkg"].as_str())?
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or_default()
}

fn purl(package: &Value) -> String {
    format!("pkg:cargo/{}@{}", text(package, "name"), text(package, "version"))
}

fn component(kind: &str, package: &Value, sha256: Option<&str>) -> Value {
    described(kind, &purl(package), package, sha256)
}

fn described(kind: &str, purl: &str, package: &Value, sha256: Option<&str>) -> Value {
    let mut component = json!({
        "type": kind, "bom-ref": purl, "name": text(package, "name"), "version": text(package, "version"), "purl": purl,
    });
    if let Some(fields) = component.as_object_mut() {
        if let Some(licence) = package["license"].as_str() {
            // Crates of before 2018 write a slash.
            fields.insert("licenses".into(), json!([{"expression": licence.replace('/', " OR ")}]));
        }
        if let Some(sha256) = sha256 {
            fields.insert("hashes".into(), json!([{"alg": "SHA-256", "content": sha256}]));
        }
    }
    component
}

/// The packages of npm's that end up in the page, which are those that are not for development alone.
fn page(lock: &Value) -> BTreeMap<String, Value> {
    let packages = lock.get("packages").and_then(Value::as_object).into_iter().flatten();
    packages
        .filter(|(path, package)| !path.is_empty() && package["dev"] != true)
        .map(|(path, package)| {
            let name = path.rsplit("node_modules/").next().unwrap_or(path);
            let purl = format!("pkg:npm/{}@{}", name.replace('@', "%40"), text(package, "version"));
            let fields = json!({"name": name, "version": package["version"], "license": package["license"]});
            (purl.clone(), described("library", &purl, &fields, None))
        })
        .collect()
}

/// The checksum of each crate, by name and version, out of a lock file's text.
fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    let mut found = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| {
            package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
        };
        if let (Some(name), Some(version), Some(checksum)) = (field("name"), field("version"), field("checksum")) {
            found.insert((name, version), checksum);
        }
    }
    found
}

fn checksum<'a>(checksums: &BTreeMap<(&str, &str), &'a str>, package: &Value) -> Option<&'a str> {
    checksums.get(&(text(package, "name"), text(package, "version"))).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nsource = \"registry\"\nchecksum = \"abc\"\n\n[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n";

    fn bill_of(page: &Value) -> Value {
        let dep = |pkg: &str, kind: Value| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]});
        let cargo = json!({
            "packages": [
                {"id": "ours", "name": "ours", "version": "0.1.0", "license": "Apache-2.0", "source": null},
                {"id": "serde", "name": "serde", "version": "1.0.1", "license": "MIT/Apache-2.0", "source": "registry"},
                {"id": "cc", "name": "cc", "version": "1.2.0", "license": "MIT", "source": "registry"},
                {"id": "far", "name": "far", "version": "2.0.0", "license": "MIT", "source": "registry"},
            ],
            "resolve": {"nodes": [
                {"id": "ours", "deps": [dep("serde", Value::Null), dep("cc", json!("build"))]},
                {"id": "serde", "deps": [dep("far", json!("dev"))]},
                {"id": "cc", "deps": []}, {"id": "far", "deps": []},
            ]},
        });
        let glibc = Linked {
            purl: "pkg:generic/glibc@2.36".into(),
            name: "glibc".into(),
            version: "2.36".into(),
            licence: "LGPL-2.1-or-later".into(),
        };
        let sources = Sources { cargo: &cargo, lock: LOCK, page, linked: &[glibc] };
        assert!(bill("theirs", "ff", &sources).is_none());
        bill("ours", "ff", &sources).unwrap()
    }

    #[test]
    fn what_is_linked_is_listed_and_what_only_builds_or_tests_is_not() {
        let page = json!({"packages": {
            "": {"version": "0.1.0"},
            "node_modules/@a/b": {"version": "5.1.0", "license": "MIT"},
            "node_modules/vite": {"version": "7.0.0", "license": "MIT", "dev": true},
        }});
        let bill = bill_of(&page);
        let listed: Vec<&str> =
            bill["components"].as_array().unwrap().iter().map(|part| part["purl"].as_str().unwrap()).collect();
        assert_eq!(listed, ["pkg:cargo/serde@1.0.1", "pkg:generic/glibc@2.36", "pkg:npm/%40a/b@5.1.0"]);
        assert_eq!(bill["dependencies"][0], json!({"ref": "pkg:cargo/ours@0.1.0", "dependsOn": [listed[0]]}));
    }

    #[test]
    fn checksums_and_licences_are_those_of_the_lock_file_and_the_manifest() {
        let bill = bill_of(&json!({}));
        let serde = &bill["components"][0];
        assert_eq!(serde["hashes"], json!([{"alg": "SHA-256", "content": "abc"}]));
        assert_eq!(serde["licenses"], json!([{"expression": "MIT OR Apache-2.0"}]));
        assert_eq!(bill["metadata"]["component"]["hashes"][0]["content"], "ff", "of the program itself");
        assert_eq!(bill_of(&json!({})), bill, "the same sources give the same bill");
    }
}
