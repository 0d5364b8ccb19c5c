//! Many seeds, one after another.

use std::fmt;

use anyhow::{Context, Result};

use crate::compare::{Disagreement, compare};
use crate::coverage::Coverage;
use crate::feature::{Feature, Mode};
use crate::generate::{Case, case};
use crate::oracle::Oracle;
use crate::ours;

/// A case on which the two sides differ.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The case.
    pub case: Case,
    /// Where they differ.
    pub disagreements: Vec<Disagreement>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} ({}): keelson-parity --seed {0} --mode {1}", self.case.seed, self.case.mode)?;
        self.disagreements.iter().try_for_each(|one| writeln!(f, "  {one}"))?;
        writeln!(f, "  {}", serde_json::to_string(&self.case.request).unwrap_or_default())
    }
}

/// The mode of a seed: every other case uses any features, the rest those of one plugin, in turn.
#[must_use]
pub fn mode_of(seed: u64) -> Mode {
    let count = Feature::ALL.len() as u64;
    let only = usize::try_from((seed / 2) % count).ok().and_then(|at| Feature::ALL.get(at));
    match only {
        Some(only) if seed % 2 == 1 => Mode::Only(*only),
        _ => Mode::Mixed,
    }
}

/// Judges the case of a seed on both sides.
///
/// # Errors
/// When the oracle cannot judge, or contradicts itself.
pub fn judge(oracle: &mut Oracle, coverage: &mut Coverage, seed: u64, mode: Mode) -> Result<Option<Finding>> {
    let case = case(seed, mode);
    let told = oracle.ask(&case.request).with_context(|| format!("seed {seed} ({mode})"))?;
    let contradictions = told.contradictions();
    anyhow::ensure!(
        contradictions.is_empty(),
        "seed {seed} ({mode}): the oracle contradicts itself: {contradictions:?}"
    );
    coverage.count(&told);
    let ours = ours::judge(&case.request, &told.feasible).with_context(|| format!("seed {seed} ({mode})"))?;
    let disagreements = compare(&told, &ours);
    Ok((!disagreements.is_empty()).then_some(Finding { case, disagreements }))
}
