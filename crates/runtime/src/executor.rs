//! Carrying out plans.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::{DecisionId, Feature, Mode, Outcome, Plan, Step, StepResult};

use crate::chance::Chance;
use crate::switch::Switches;
use crate::{Clock, Config, History};

/// The one interpreter of plans; clones share it.
#[derive(Clone)]
pub struct Executor {
    clock: Clock,
    #[allow(dead_code)]
    chance: Chance,
    switches: Arc<Switches>,
    history: Arc<dyn History>,
    trace_id: fn() -> String,
}

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// By decision: how its actions ended and what was done. Every decision of the plan is in it.
    pub decisions: BTreeMap<DecisionId, (Outcome, Vec<Step>)>,
}

impl Report {
    /// Whether an action failed that may succeed later.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.decisions.values().any(|(outcome, _)| *outcome == Outcome::Failed)
    }
}

impl Executor {
    pub(crate) fn new(config: &Config, chance: &Chance, switches: &Arc<Switches>) -> Self {
        Self {
            clock: config.clock,
            chance: chance.clone(),
            switches: Arc::clone(switches),
            history: Arc::clone(&config.history),
            trace_id: config.trace_id,
        }
    }

    /// Records a plan's decisions and carries out its actions, as far as the feature may act.
    pub async fn run(&self, feature: Feature, plan: Plan, recording: Option<Vec<u8>>) -> Report {
        let switch = self.switches.now(feature);
        let mut report = Report::default();
        for mut decision in plan.decisions {
            (decision.mode, decision.fence, decision.trace_id) = (switch.effective, switch.fence, (self.trace_id)());
            let mine: Vec<_> = plan.actions.iter().filter(|action| action.decision == decision.id).collect();
            decision.outcome = if mine.is_empty() { Outcome::NoAction } else { Outcome::Would };
            let steps: Vec<_> = mine.iter().map(|action| self.step(action, StepResult::Would, "")).collect();
            decision.steps.clone_from(&steps);
            report.decisions.insert(decision.id, (decision.outcome, steps));
            if switch.effective == Mode::Enforce && !mine.is_empty() {
                let _ = self.history.begin(&decision, recording.clone()).await;
            } else {
                self.history.offer(decision);
            }
        }
        report
    }

    fn step(&self, action: &keelson_core::Action, result: StepResult, detail: &str) -> Step {
        Step { at: self.clock.now(), action: action.to_string(), result, detail: detail.to_owned() }
    }
}
