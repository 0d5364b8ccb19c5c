//! Which outcomes the cases reached.
//!
//! An outcome is what a plugin says, without the names of this case's objects. One that was never reached was never compared,
//! so a run over many cases fails when an outcome of [`EXPECTED`] is missing.

use std::collections::BTreeMap;
use std::fmt;

use crate::oracle::{Answer, Code, Points, Preemption, Verdict};

/// Outcomes that a full run must reach, by plugin.
pub const EXPECTED: &[(&str, &[&str])] = &[
    ("kube-scheduler", &["all nodes feasible", "some nodes feasible", "one feasible node", "no feasible node"]),
    ("NodeUnschedulable", &["Success", "UnschedulableAndUnresolvable: node(s) were unschedulable"]),
    ("NodeName", &["Success", "UnschedulableAndUnresolvable: node(s) didn't match the requested node name"]),
    (
        "TaintToleration",
        &[
            "Success",
            "UnschedulableAndUnresolvable: node(s) had untolerated taint(s)",
            "score: all 100",
            "score: different",
            "score: one node",
        ],
    ),
    (
        "NodeAffinity",
        &[
            "Skip",
            "Success",
            "UnschedulableAndUnresolvable: node(s) didn't match Pod's node affinity/selector",
            "UnschedulableAndUnresolvable: node(s) didn't satisfy plugin(s) [NodeAffinity]",
            "UnschedulableAndUnresolvable: pod affinity terms conflict",
            "score: all 100",
            "score: different",
            "score: skipped",
        ],
    ),
    ("NodePorts", &["Skip", "Success", "Unschedulable: node(s) didn't have free ports for the requested pod ports"]),
    (
        "NodeResourcesFit",
        &[
            "Success",
            "Unschedulable: Insufficient cpu",
            "Unschedulable: Insufficient memory",
            "Unschedulable: Insufficient ephemeral-storage",
            "Unschedulable: Insufficient example.com/gpu",
            "Unschedulable: Too many pods",
            "UnschedulableAndUnresolvable: Insufficient cpu",
            "UnschedulableAndUnresolvable: Insufficient memory",
            "UnschedulableAndUnresolvable: Insufficient ephemeral-storage",
            "UnschedulableAndUnresolvable: Insufficient example.com/gpu",
            "UnschedulableAndUnresolvable: Insufficient hugepages-2Mi",
            "score: different",
        ],
    ),
    ("NodeResourcesBalancedAllocation", &["score: all alike", "score: different", "score: skipped"]),
    ("ImageLocality", &["score: all 0", "score: different"]),
    (
        "VolumeRestrictions",
        &[
            "Skip",
            "Success",
            "Unschedulable: node(s) had no available disk",
            "Unschedulable: node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already \
             in-use by another pod",
            "UnschedulableAndUnresolvable: persistentvolumeclaim \"…\" not found",
        ],
    ),
    ("NodeVolumeLimits", &["Skip", "Success", "Unschedulable: node(s) exceed max volume count"]),
    (
        "VolumeBinding",
        &[
            "Skip",
            "Success",
            "UnschedulableAndUnresolvable: PVC … was not created for pod … (pod is not owner)",
            "UnschedulableAndUnresolvable: node(s) did not have enough free storage",
            "UnschedulableAndUnresolvable: node(s) didn't find available persistent volumes to bind",
            "UnschedulableAndUnresolvable: node(s) didn't match PersistentVolume's node affinity",
            "UnschedulableAndUnresolvable: node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
            "UnschedulableAndUnresolvable: persistentvolumeclaim \"…\" bound to non-existent persistentvolume \"…\"",
            "UnschedulableAndUnresolvable: persistentvolumeclaim \"…\" is being deleted",
            "UnschedulableAndUnresolvable: persistentvolumeclaim \"…\" not found",
            "UnschedulableAndUnresolvable: pod has unbound immediate PersistentVolumeClaims",
            "UnschedulableAndUnresolvable: waiting for ephemeral volume controller to create the persistentvolumeclaim \"…\"",
        ],
    ),
    (
        "VolumeZone",
        &[
            "Skip",
            "Success",
            "UnschedulableAndUnresolvable: PersistentVolume had no name",
            "UnschedulableAndUnresolvable: PersistentVolumeClaim had no pv name and storageClass name",
            "UnschedulableAndUnresolvable: node(s) had no available volume zone",
            "UnschedulableAndUnresolvable: persistentvolume \"…\" not found",
            "UnschedulableAndUnresolvable: persistentvolumeclaim \"…\" not found",
            "UnschedulableAndUnresolvable: storageclass.storage.k8s.io \"…\" not found",
        ],
    ),
    (
        "PodTopologySpread",
        &[
            "Skip",
            "Success",
            "Unschedulable: node(s) didn't match pod topology spread constraints",
            "UnschedulableAndUnresolvable: node(s) didn't match pod topology spread constraints (missing required label)",
            "score: all 100",
            "score: different",
            "score: skipped",
        ],
    ),
    (
        "InterPodAffinity",
        &[
            "Skip",
            "Success",
            "Unschedulable: node(s) didn't match pod anti-affinity rules",
            "Unschedulable: node(s) didn't satisfy existing pods anti-affinity rules",
            "UnschedulableAndUnresolvable: node(s) didn't match pod affinity rules",
            "score: all 0",
            "score: different",
            "score: skipped",
        ],
    ),
    (
        "DefaultPreemption",
        &[
            "breaks a budget",
            "spares a budget",
            "chooses: the best",
            "evicts one",
            "evicts several",
            "nobody: no candidates",
            "nobody: no node would be helped",
            "nobody: not eligible due to a terminating pod on the nominated node.",
            "nobody: not eligible due to preemptionPolicy=Never.",
        ],
    ),
];

/// How often each outcome occurred.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    counts: BTreeMap<(String, String), u64>,
}

impl Coverage {
    /// Counts what one answer holds.
    pub fn count(&mut self, answer: &Answer) {
        if !answer.failed.is_empty() {
            self.add("kube-scheduler", format!("Error: {}", nameless(&answer.failed)));
        }
        let feasible = match answer.feasible.len() {
            0 => "no feasible node",
            1 => "one feasible node",
            all if all == answer.filter.len() => "all nodes feasible",
            _ => "some nodes feasible",
        };
        self.add("kube-scheduler", feasible.to_owned());
        for plugin in answer.plugins() {
            if answer.prefilter.get(plugin).is_some_and(|said| said.code == Code::Skip) {
                self.add(plugin, "Skip".to_owned());
                continue;
            }
            for node in answer.filter.keys() {
                self.verdict(plugin, &answer.verdict(plugin, node));
            }
        }
        for plugin in answer.weights.keys() {
            self.add(plugin, format!("score: {}", spread(answer.score.get(plugin))));
        }
        if let Some(preemption) = &answer.preemption {
            self.preemption(preemption);
        }
    }

    fn verdict(&mut self, plugin: &str, said: &Verdict) {
        if said.reasons.is_empty() {
            self.add(plugin, format!("{:?}", said.code));
        }
        for reason in &said.reasons {
            self.add(plugin, format!("{:?}: {}", said.code, nameless(reason)));
        }
    }

    fn preemption(&mut self, told: &Preemption) {
        let mut add = |outcome: String| self.add("DefaultPreemption", outcome);
        if !told.why.is_empty() {
            return add(format!("nobody: {}", told.why));
        }
        add(format!("evicts {}", if told.victims.len() > 1 { "several" } else { "one" }));
        if told.candidates.len() > 1 {
            add(format!("chooses: {}", if told.ties.len() > 1 { "a tie" } else { "the best" }));
        }
        let best = told.candidates.get(&told.node);
        if best.is_some_and(|best| best.violations > 0) {
            add("breaks a budget".to_owned());
        } else if told.candidates.values().any(|other| other.violations > 0) {
            add("spares a budget".to_owned());
        }
    }

    fn add(&mut self, plugin: &str, outcome: String) {
        *self.counts.entry((plugin.to_owned(), outcome)).or_default() += 1;
    }

    /// The expected outcomes that never occurred.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let all = EXPECTED.iter().flat_map(|(plugin, outcomes)| outcomes.iter().map(move |outcome| (plugin, outcome)));
        all.filter(|(plugin, outcome)| !self.counts.contains_key(&((**plugin).to_owned(), (**outcome).to_owned())))
            .map(|(plugin, outcome)| format!("{plugin}: {outcome}"))
            .collect()
    }
}

/// Quoted names, and those of objects, which are numbered, say nothing of the outcome.
fn nameless(text: &str) -> String {
    let mut quoted = false;
    let kept = text.split('"').map(|part| {
        quoted = !quoted;
        if quoted { part } else { "…" }
    });
    let kept = kept.collect::<Vec<_>>().join("\"");
    let named =
        |word: &str| word.contains('-') && word.trim_end_matches(':').ends_with(|last: char| last.is_ascii_digit());
    kept.split(' ').map(|word| if named(word) { "…" } else { word }).collect::<Vec<_>>().join(" ")
}

fn spread(scores: Option<&BTreeMap<String, Points>>) -> &'static str {
    let Some(scores) = scores else { return "skipped" };
    let (low, high) =
        (scores.values().map(|points| points.normalized).min(), scores.values().map(|points| points.normalized).max());
    match (low, high) {
        _ if scores.len() < 2 => "one node",
        (Some(0), Some(0)) => "all 0",
        (Some(100), Some(100)) => "all 100",
        (low, high) if low == high => "all alike",
        _ => "different",
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for ((plugin, outcome), count) in &self.counts {
            if plugin != last {
                writeln!(f, "{plugin}")?;
                last = plugin;
            }
            writeln!(f, "{count:>9}  {outcome}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_no_names_of_objects() {
        assert_eq!(
            nameless("looking up PVC pay/p-36-own-37: claim \"p-36\" not found"),
            "looking up PVC … claim \"…\" not found"
        );
        assert_eq!(
            nameless("node(s) didn't match Pod's node affinity/selector"),
            "node(s) didn't match Pod's node affinity/selector"
        );
    }

    #[test]
    fn an_outcome_that_never_occurred_is_missing() {
        let mut coverage = Coverage::default();
        let all = coverage.missing().len();
        coverage.add("NodeName", "Success".to_owned());
        assert_eq!(coverage.missing().len(), all - 1);
    }
}
