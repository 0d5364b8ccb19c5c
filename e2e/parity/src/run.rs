//! Many seeds, one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result, ensure};

use crate::compare::{Disagreement, compare};
use crate::coverage::Coverage;
use crate::feature::{Feature, Mode};
use crate::generate::{Case, case};
use crate::known::{KNOWN, known};
use crate::oracle::Oracle;
use crate::ours;

/// A case on which the two sides differ and nobody knows why.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The case.
    pub case: Case,
    /// Where they differ.
    pub disagreements: Vec<Disagreement>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { seed, mode, request, .. } = &self.case;
        writeln!(f, "seed {seed} ({mode}): cargo run --bin keelson-parity -- --seed {seed} --mode {mode} --shrink")?;
        self.disagreements.iter().try_for_each(|one| writeln!(f, "  {one}"))?;
        writeln!(f, "  {}", serde_json::to_string(request).unwrap_or_default())
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

/// A run, and what it has seen.
#[derive(Debug)]
pub struct Run {
    /// Who is asked.
    pub oracle: Oracle,
    /// The outcomes that were reached.
    pub coverage: Coverage,
    explained: BTreeMap<&'static str, BTreeSet<u64>>,
    cases: u64,
}

impl Run {
    /// Starts one.
    ///
    /// # Errors
    /// When the oracle cannot be started.
    pub fn start() -> Result<Self> {
        Ok(Self { oracle: Oracle::start()?, coverage: Coverage::default(), explained: BTreeMap::new(), cases: 0 })
    }

    /// Judges the case of a seed on both sides.
    ///
    /// # Errors
    /// When the oracle cannot judge, or contradicts itself.
    pub fn judge(&mut self, seed: u64, mode: Mode) -> Result<Option<Finding>> {
        let at = || format!("seed {seed} ({mode})");
        let case = case(seed, mode);
        let told = self.oracle.ask(&case.request).with_context(at)?;
        let contradictions = told.contradictions();
        ensure!(contradictions.is_empty(), "{}: the oracle contradicts itself: {contradictions:?}", at());
        self.coverage.count(&told);
        self.cases += 1;
        let ours = ours::judge(&case.request, &told.feasible).with_context(at)?;
        let mut disagreements = compare(&told, &ours);
        disagreements.retain(|one| {
            let row = known(&case.request, &told, one);
            row.into_iter().for_each(|row| _ = self.explained.entry(row.name).or_default().insert(seed));
            row.is_none()
        });
        Ok((!disagreements.is_empty()).then_some(Finding { case, disagreements }))
    }

    /// The rows of [`KNOWN`] that explained nothing among as many cases as should have shown them.
    #[must_use]
    pub fn stale(&self) -> Vec<&'static str> {
        let due = KNOWN.iter().filter(|row| row.once_in <= self.cases).map(|row| row.name);
        due.filter(|name| !self.explained.contains_key(name)).collect()
    }
}

/// What was reached, and what was explained.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.coverage)?;
        for row in KNOWN {
            let seeds = self.explained.get(row.name).into_iter().flatten();
            let first: Vec<String> = seeds.clone().take(5).map(u64::to_string).collect();
            writeln!(f, "{:>9}  known: {} ({}). {}", seeds.count(), row.name, first.join(", "), row.why)?;
        }
        Ok(())
    }
}
