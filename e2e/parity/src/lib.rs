//! Our placement beside kube-scheduler's own plugins.
//!
//! A random cluster and pod are made from a seed, shown to the oracle (`e2e/tools/oracle`, which links upstream's packages)
//! and to our engine, and what both say of each plugin and node is compared. No reading of upstream's source stands between
//! the two: what differs is a bug, ours until shown otherwise.
//!
//! | room | what it holds |
//! |---|---|
//! | [`generate`], [`feature`] | cases from seeds, with any features or those of one plugin alone |
//! | [`request`], [`oracle`] | the question, and who answers it |
//! | [`ours`] | what our engine answers; grows with it |
//! | [`mod@compare`], [`mod@known`] | where the two differ, and where that is known |
//! | [`mod@shrink`] | the smallest case that still differs |
//! | [`coverage`] | which outcomes of which plugin the cases reached |
//!
//! Promises: a seed is a repro (`keelson-parity --seed N`); a plugin that is not in [`COMPARED`] is still generated and
//! counted; the run fails when an outcome of [`coverage::EXPECTED`] was never reached.

pub mod compare;
pub mod coverage;
pub mod dice;
pub mod feature;
pub mod generate;
pub mod known;
pub mod oracle;
pub mod ours;
pub mod request;
pub mod run;
pub mod shrink;

/// What of a plugin is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its verdict on every node: code and reasons.
    Verdict,
    /// Its raw score of every feasible node.
    Raw,
    /// Its score of every feasible node after normalisation.
    Normalized,
    /// Whom it would evict, on every node where that helps, and where it would.
    Victims,
}

/// What is compared by now. A row is added when our engine has the plugin.
pub const COMPARED: &[(&str, &[Part])] = &[
    ("NodeUnschedulable", &[Part::Verdict]),
    ("NodeName", &[Part::Verdict]),
    ("TaintToleration", &[Part::Verdict, Part::Raw, Part::Normalized]),
    ("NodeAffinity", &[Part::Verdict, Part::Raw, Part::Normalized]),
    ("NodePorts", &[Part::Verdict]),
    ("NodeResourcesFit", &[Part::Verdict, Part::Raw, Part::Normalized]),
    ("VolumeRestrictions", &[Part::Verdict]),
    ("NodeVolumeLimits", &[Part::Verdict]),
    ("VolumeBinding", &[Part::Verdict]),
    ("VolumeZone", &[Part::Verdict]),
    ("PodTopologySpread", &[Part::Verdict, Part::Normalized]),
    ("InterPodAffinity", &[Part::Verdict, Part::Normalized]),
    ("ImageLocality", &[Part::Raw, Part::Normalized]),
    ("NodeResourcesBalancedAllocation", &[Part::Raw, Part::Normalized]),
    ("DefaultPreemption", &[Part::Victims]),
];
