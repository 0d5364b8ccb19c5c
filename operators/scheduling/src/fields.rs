//! Which pod fields are understood: one table, every field of the API version, each with a verdict.
//!
//! A scheduler that skips a field it does not know places pods where they must not run, and nobody notices. So every
//! field of `PodSpec` has a row: what it means is implemented, cannot matter, or is refused. A pod
//! with a refused field stays Pending and says which.
//!
//! Promises: a field of [`COMPLETE_FOR`] without a row fails a test, and so does a row without a field; in a manifest, a
//! field that this version does not have is refused; the documentation and the admission policy are made from the same
//! rows.
//!
//! No promise: of a pod that a newer API server stored, the fields that it added are gone when the pod is read into this
//! version's type, and nobody sees them. `keelson doctor` says when the API server is newer.

mod admission;
mod container;
mod docs;
mod opt_in;
mod spec;
mod volume;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use admission::{OnRefused, admission_policy};
pub use docs::markdown;
pub use opt_in::opt_in_policy;

/// The minor version of Kubernetes whose pod fields are all judged.
pub const COMPLETE_FOR: u32 = 36;

/// What becomes of a pod that uses a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// Its meaning for placement is implemented.
    Implemented,
    /// It cannot change where the pod may run.
    Neutral,
    /// The pod stays Pending with `UnsupportedFeature`.
    Refused,
}

impl Verdict {
    /// The word in documents and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Implemented => "implemented",
            Self::Neutral => "neutral",
            Self::Refused => "refused",
        }
    }
}

/// How a field is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Always alike.
    Always(Verdict),
    /// By its own value; other values are judged by the last part.
    Value(&'static [(&'static str, Verdict)], Verdict),
    /// Refused when it is `false` while another field of the spec is `true`.
    FalseWhile(&'static str),
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The path below `spec`, with `[]` for each item of a list. It stands for everything below it.
    pub path: &'static str,
    /// The verdict.
    pub rule: Rule,
    /// Why, for people.
    pub why: &'static str,
}

const fn implemented(path: &'static str, why: &'static str) -> Row {
    Row { path, rule: Rule::Always(Verdict::Implemented), why }
}

const fn neutral(path: &'static str, why: &'static str) -> Row {
    Row { path, rule: Rule::Always(Verdict::Neutral), why }
}

const fn refused(path: &'static str, why: &'static str) -> Row {
    Row { path, rule: Rule::Always(Verdict::Refused), why }
}

/// The table, by full path: `spec.containers[].image`.
static TABLE: LazyLock<BTreeMap<String, Row>> = LazyLock::new(|| {
    let below = |prefix: &str, rows: &[Row]| -> Vec<(String, Row)> {
        rows.iter().map(|row| (format!("{prefix}{}", row.path), *row)).collect()
    };
    [
        below("spec.", spec::ROWS),
        below("spec.containers[].", container::ROWS),
        below("spec.initContainers[].", container::ROWS),
        below("spec.volumes[].", volume::ROWS),
    ]
    .into_iter()
    .flatten()
    .collect()
});

/// Every row by full path, in order of paths.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static Row)> {
    TABLE.iter().map(|(path, row)| (path.as_str(), row))
}

/// The same as a tree, one name after another; `[]` are the items of a list.
#[derive(Default)]
struct Tree {
    row: Option<&'static Row>,
    below: BTreeMap<&'static str, Self>,
}

const ITEMS: &str = "[]";

static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let mut root = Tree::default();
    for (path, row) in rows() {
        let steps = path.split('.').flat_map(|part| match part.strip_suffix(ITEMS) {
            Some(list) => vec![list, ITEMS],
            None => vec![part],
        });
        steps.fold(&mut root, |tree, step| tree.below.entry(step).or_default()).row = Some(row);
    }
    root
});

/// A field that a pod uses and that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Where: `spec.volumes[1].persistentVolumeClaim`.
    pub path: String,
    /// Why.
    pub why: Cow<'static, str>,
}

/// What is refused of a pod as the API server has it.
#[must_use]
pub fn judge(pod: &Pod) -> Vec<Finding> {
    let spec = pod.spec.as_ref().and_then(|spec| serde_json::to_value(spec).ok());
    spec.map_or_else(Vec::new, |spec| judge_spec(&spec))
}

/// What is refused of a manifest, in which fields may stand that this API version does not have.
#[must_use]
pub fn judge_manifest(pod: &Value) -> Vec<Finding> {
    pod.get("spec").map_or_else(Vec::new, judge_spec)
}

fn judge_spec(spec: &Value) -> Vec<Finding> {
    let mut walk = Walk { spec, path: vec![Step::Name("spec")], findings: Vec::new() };
    walk.visit(spec, TREE.below.get("spec"));
    walk.findings
}

struct Walk<'a> {
    spec: &'a Value,
    /// How the value that is visited was reached.
    path: Vec<Step<'a>>,
    findings: Vec<Finding>,
}

enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Walk<'a> {
    /// `tree` is the part of the table for the value and what is below it.
    fn visit(&mut self, value: &'a Value, tree: Option<&Tree>) {
        if is_unset(value) {
            return;
        }
        if let Some(row) = tree.and_then(|tree| tree.row) {
            if self.verdict(row.rule, value) == Verdict::Refused {
                self.find(row.why);
            }
            return;
        }
        match (value, tree) {
            (Value::Object(members), Some(tree)) if !tree.below.is_empty() => {
                members.iter().for_each(|(name, member)| {
                    self.step(Step::Name(name), member, tree.below.get(name.as_str()));
                });
            }
            (Value::Array(items), Some(tree)) if !tree.below.is_empty() => {
                items.iter().enumerate().for_each(|(index, item)| {
                    self.step(Step::Index(index), item, tree.below.get(ITEMS));
                });
            }
            _ => self.find("is not a field of the Kubernetes version that this build knows"),
        }
    }

    fn step(&mut self, step: Step<'a>, value: &'a Value, tree: Option<&Tree>) {
        self.path.push(step);
        self.visit(value, tree);
        self.path.pop();
    }

    fn find(&mut self, why: &'static str) {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Name(name) if path.is_empty() => path.push_str(name),
                Step::Name(name) => path.extend([".", name]),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        self.findings.push(Finding { path, why: why.into() });
    }

    fn verdict(&self, rule: Rule, value: &Value) -> Verdict {
        let case = |cases: &[(&str, Verdict)], other: Verdict| {
            let word = value.as_str().unwrap_or_default();
            cases.iter().find(|(case, _)| *case == word).map_or(other, |(_, verdict)| *verdict)
        };
        match rule {
            Rule::Always(verdict) => verdict,
            Rule::Value(cases, other) => case(cases, other),
            Rule::FalseWhile(other) => {
                let together = value == &Value::Bool(false) && self.spec.get(other) == Some(&Value::Bool(true));
                if together { Verdict::Refused } else { Verdict::Neutral }
            }
        }
    }
}

/// What the API server would not store: nothing, or a list or map of nothing.
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
