//! Where our engine and upstream's plugins differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::oracle::{Answer, Points, Preemption, Verdict};
use crate::ours::Ours;
use crate::{COMPARED, Part};

/// One plugin on one node, judged differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The plugin.
    pub plugin: &'static str,
    /// The node.
    pub node: String,
    /// Upstream's answer.
    pub theirs: String,
    /// Ours.
    pub ours: String,
}

impl Disagreement {
    /// Whether it is about a verdict, not about points.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        ![" raw", " normalized"].iter().any(|end| self.theirs.ends_with(end))
    }

    /// Whether it is about the same part of the same plugin on the same node.
    #[must_use]
    pub fn is_about(&self, other: &Self) -> bool {
        (self.plugin, &self.node, &self.theirs) == (other.plugin, &other.node, &other.theirs)
    }

    /// The same for all that differ in the same way: without the node and without numbers.
    #[must_use]
    pub fn kind(&self) -> String {
        let words = format!("{}: {}; {}", self.plugin, self.theirs, self.ours);
        words
            .split(|letter: char| letter.is_ascii_digit())
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("#")
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: upstream says {}; we say {}", self.plugin, self.node, self.theirs, self.ours)
    }
}

/// Everything that [`COMPARED`] names and that differs.
#[must_use]
pub fn compare(answer: &Answer, ours: &Ours) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for (plugin, parts) in COMPARED {
        for part in *parts {
            match part {
                Part::Verdict => verdicts(plugin, answer, ours, &mut found),
                Part::Raw => scores(plugin, "raw", answer, ours, |points| points.raw, &mut found),
                Part::Victims => victims(plugin, answer, ours, &mut found),
                Part::Normalized => scores(plugin, "normalized", answer, ours, |points| points.normalized, &mut found),
            }
        }
    }
    found
}

/// Whom each side would evict, most important first: on every node where it helps, and on the chosen one, ties aside.
fn victims(plugin: &'static str, answer: &Answer, ours: &Ours, found: &mut Vec<Disagreement>) {
    let (Some(theirs), Some(mine)) = (&answer.preemption, &ours.preemption) else { return };
    let before = found.len();
    let differs =
        |node: &str, theirs: String, ours: String| Disagreement { plugin, node: node.to_owned(), theirs, ours };
    if refused(theirs) != refused(mine) {
        let words = |side| format!("Evict nobody: {}", refused(side));
        return found.push(differs("no node", words(theirs), words(mine)));
    }
    for node in theirs.candidates.keys().chain(mine.candidates.keys()).collect::<BTreeSet<_>>() {
        let words = |side: &Preemption| match side.candidates.get(node) {
            Some(one) => format!("Evict {} breaking {}", one.victims.join(", "), one.violations),
            None => "Evict nobody".to_owned(),
        };
        if words(theirs) != words(mine) {
            found.push(differs(node, words(theirs), words(mine)));
        }
    }
    let sorted = |nodes: &[String]| nodes.iter().cloned().collect::<BTreeSet<_>>();
    if found.len() == before && sorted(&theirs.ties) != sorted(&mine.ties) {
        let chosen = |side: &Preemption| format!("Choose of {:?}", side.ties);
        found.push(differs(&theirs.node, chosen(theirs), chosen(mine)));
    }
}

/// Why nobody may be evicted, wherever it would help; nothing when some may.
fn refused(side: &Preemption) -> &str {
    let why = side.why.strip_prefix("preemption: ").unwrap_or(&side.why);
    if why.starts_with("not eligible") { why } else { "" }
}

fn verdicts(plugin: &'static str, answer: &Answer, ours: &Ours, found: &mut Vec<Disagreement>) {
    for node in answer.filter.keys() {
        let theirs = said(answer.verdict(plugin, node));
        let mine = ours.verdicts.get(node).map_or_else(
            || "nothing of this node".to_owned(),
            |verdicts| said(verdicts.get(plugin).cloned().unwrap_or(Verdict::YES)),
        );
        if theirs != mine {
            found.push(Disagreement { plugin, node: node.clone(), theirs, ours: mine });
        }
    }
}

/// A verdict in words that are the same when it is.
fn said(mut verdict: Verdict) -> String {
    // Upstream walks over a map of extended resources.
    verdict.reasons.sort();
    if verdict.reasons.is_empty() {
        format!("{:?}", verdict.code)
    } else {
        format!("{:?}: {}", verdict.code, verdict.reasons.join(", "))
    }
}

fn scores(
    plugin: &'static str,
    what: &str,
    answer: &Answer,
    ours: &Ours,
    part: fn(Points) -> i64,
    found: &mut Vec<Disagreement>,
) {
    let none = BTreeMap::new();
    // A plugin that has nothing to say adds nothing to any total.
    let theirs = answer.score.get(plugin).unwrap_or(&none);
    let mine = ours.scores.get(plugin).unwrap_or(&none);
    for node in &answer.feasible {
        let theirs = part(theirs.get(node).copied().unwrap_or_default());
        let mine = part(mine.get(node).copied().unwrap_or_default());
        if theirs != mine {
            let words = |points: i64| format!("{points} {what}");
            found.push(Disagreement { plugin, node: node.clone(), theirs: words(theirs), ours: words(mine) });
        }
    }
}
