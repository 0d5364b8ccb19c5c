//! What our runs ask, as a list that people can read, and whether the recorded stories hold all of it.
//!
//! `crates/sim/tests/exchanges/asked.txt` has every kind of request (see [`crate::asked`]) that our end-to-end runs, kubectl,
//! kube-rs and a Python client were seen to make. A run on a real cluster ends with [`Cluster::asked_only_what_is_known`]:
//! what it asked and neither the list nor a story has is an error that says how to add it. A test of the harness then
//! wants a story for it.
//!
//! Promises: with `KEELSON_ASKED=add` the list grows by what a run asked, and never shrinks by itself; it is sorted, so
//! that a difference is what is new.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::asked::Request;
use crate::audit;
use crate::cluster::Cluster;
use crate::used;

/// Environment variable that has a run add to the list.
const ADD: &str = "KEELSON_ASKED";

/// Beside the stories: in what servers are known to differ from them.
const EXCUSES: [&str; 2] = ["differences.json", "oldest.json"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/sim/tests/exchanges")
}

fn text(file: &str) -> Result<String> {
    let path = folder().join(file);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The list.
///
/// # Errors
/// When it cannot be read, or a line is not one of its own.
pub fn listed() -> Result<BTreeSet<Request>> {
    let read = |line: &str| Request::read(line).with_context(|| format!("asked.txt: {line:?} is no request"));
    text("asked.txt")?.lines().map(read).collect()
}

/// What the recorded stories ask, and what they were answered.
///
/// # Errors
/// When a story cannot be read.
pub fn told() -> Result<BTreeSet<Request>> {
    let mut told = BTreeSet::new();
    for entry in fs::read_dir(folder())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") && !EXCUSES.contains(&name.as_str()) {
            let story: Value = serde_json::from_str(&text(&name)?).with_context(|| name.clone())?;
            let steps = story.get("steps").and_then(Value::as_array).with_context(|| format!("{name}: no steps"))?;
            told.extend(steps.iter().filter(|step| step.get("setup").is_none()).filter_map(Request::of_step));
        }
    }
    Ok(told)
}

/// What is asked and no story shows, and what is asked and no story shows refused.
#[must_use]
pub fn missing(asked: &BTreeSet<Request>, told: &BTreeSet<Request>) -> (Vec<String>, BTreeSet<String>) {
    let untold = asked.iter().filter(|request| !told.iter().any(|step| request.is_shown_by(step)));
    let refused: BTreeSet<String> = told.iter().filter(|step| step.refused()).map(Request::shape).collect();
    let unread = |shape: &str| {
        let any = shape.strip_suffix(" unread").map(|patch| refused.iter().any(|other| other.starts_with(patch)));
        any.unwrap_or_default()
    };
    let never = asked.iter().map(Request::shape).filter(|shape| !refused.contains(shape) && !unread(shape));
    (untold.map(ToString::to_string).collect(), never.collect())
}

/// What the API server was like that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// It had all that it needs.
    Whole,
    /// It was started again, went back in time, or was given other credentials: for moments it knows of no rights, and has
    /// nothing to answer from.
    Hurt,
}

impl Server {
    /// Whether this is said before anybody looks what is asked: 401 to whoever is not known, as when an account goes before
    /// its last process; 429 of a kind whose definition was made or changed a moment ago; 301 of a document of which another
    /// edition was asked for than there is now; 403 and 429 by a server that is not itself.
    fn says_blindly(self, resource: &str, code: u16) -> bool {
        let is_new = resource == "custom" || resource.starts_with("custom/");
        let is_document = resource.starts_with("/openapi/v3/");
        code == 401
            || is_new && code == 429
            || is_document && code == 301
            || self == Self::Hurt && matches!(code, 403 | 429)
    }
}

/// What is neither in the list nor told in a story. What a server says blindly needs neither where the same request is
/// known with another answer.
fn unknown(
    asked: BTreeSet<Request>,
    list: &BTreeSet<Request>,
    told: &BTreeSet<Request>,
    server: Server,
) -> BTreeSet<Request> {
    let is_known = |request: &Request| list.contains(request) || told.iter().any(|step| request.is_shown_by(step));
    let is_blind = |request: &Request| {
        let alike = |other: &Request| request.is_shown_by(&Request { code: request.code, ..other.clone() });
        server.says_blindly(&request.resource, request.code) && list.iter().chain(told).any(alike)
    };
    asked.into_iter().filter(|request| !is_known(request) && !is_blind(request)).collect()
}

impl Cluster {
    /// [`only_what_is_known`] of this cluster.
    ///
    /// # Errors
    /// With what is new and the command that adds it.
    pub fn asked_only_what_is_known(&self) -> Result<()> {
        only_what_is_known(&self.audit_log(), Server::Whole)
    }

    /// The same of a cluster whose API server a test has hurt.
    ///
    /// # Errors
    /// With what is new and the command that adds it.
    pub fn asked_only_what_is_known_though_hurt(&self) -> Result<()> {
        only_what_is_known(&self.audit_log(), Server::Hurt)
    }
}

/// Whether everything that clients asked, as an audit log has it, is in the list or in a story, and every right that Keelson
/// used in that of [`crate::used`]; with `KEELSON_ASKED=add`, what is not is added.
///
/// # Errors
/// With what is new and the command that adds it.
pub fn only_what_is_known(log: &Path, server: Server) -> Result<()> {
    let audited = audit::read(log)?;
    let asked: BTreeSet<Request> = audited.iter().flat_map(Request::of_event).collect();
    ensure!(!asked.is_empty(), "{}: nobody asked anything", log.display());
    let (mut list, told) = (listed()?, told()?);
    let new = unknown(asked, &list, &told, server);
    let mut rights = used::listed()?;
    let used: BTreeSet<_> = audited.iter().filter_map(used::of_event).filter(|right| !rights.contains(right)).collect();
    if std::env::var(ADD).is_ok_and(|how| how == "add") {
        list.extend(new);
        let lines: String = list.iter().map(|request| format!("{request}\n")).collect();
        fs::write(folder().join("asked.txt"), lines)?;
        rights.extend(used);
        return used::write(&rights);
    }
    if !new.is_empty() {
        let lines: String = new.iter().map(|request| format!("\n  {request}")).collect();
        bail!(
            "this run asked what no recorded exchange has:{lines}\nadd it with {ADD}=add and the same command, then record \
             a story for it (crates/sim/tests/exchanges/README.md)"
        )
    }
    if !used.is_empty() {
        let lines: String = used.iter().map(|right| format!("\n  {right}")).collect();
        bail!("Keelson used rights that no run has used:{lines}\nadd them with {ADD}=add and the same command")
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn requests(lines: &[&str]) -> BTreeSet<Request> {
        lines.iter().map(|line| Request::read(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for line in ["v1 pods: list label limit -> 200", "custom: patch merge dry-run -> 409", "/version: get -> 200"] {
            assert_eq!(Request::read(line).unwrap().to_string(), line);
        }
        assert_eq!(Request::read("v1 nodes: patch quickly -> 200"), None);
    }

    #[test]
    fn what_is_said_blindly_is_known_where_the_request_is() {
        let list = requests(&[
            "v1 pods: get -> 200",
            "v1 pods/status: patch apply -> 200",
            "custom: watch -> 200",
            "/openapi/v3/apis/custom: get -> 200",
        ]);
        let asked = || {
            requests(&[
                "v1 pods: get -> 401",
                "v1 pods: get -> 403",
                "v1 pods/status: patch unread -> 401",
                "v1 nodes: get -> 401",
                "custom: watch -> 429",
                "custom: list -> 429",
                "v1 pods: get -> 429",
                "/openapi/v3/apis/custom: get -> 301",
            ])
        };
        let told = BTreeSet::new();
        let of = |server| unknown(asked(), &list, &told, server);
        let whole = ["v1 pods: get -> 403", "v1 nodes: get -> 401", "custom: list -> 429", "v1 pods: get -> 429"];
        assert_eq!(of(Server::Whole), requests(&whole));
        let hurt = ["v1 nodes: get -> 401", "custom: list -> 429"];
        assert_eq!(of(Server::Hurt), requests(&hurt), "nobody knows such a request");
    }

    #[test]
    fn what_no_story_shows_is_missing_with_its_refusal() {
        let asked =
            requests(&["v1 pods: list limit -> 200", "v1 nodes: patch json -> 200", "v1 nodes: patch unread -> 403"]);
        let told = requests(&["v1 pods: list -> 200", "v1 pods: list -> 403", "v1 nodes: patch merge -> 403"]);
        let (untold, never) = missing(&asked, &told);
        assert_eq!(untold, ["v1 nodes: patch json -> 200", "v1 pods: list limit -> 200"]);
        assert_eq!(never.into_iter().collect::<Vec<_>>(), ["v1 nodes: patch json"]);
    }
}
