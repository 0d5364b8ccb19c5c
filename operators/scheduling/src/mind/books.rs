//! What was said last about each pod, and how often what was said.
//!
//! The history keeps everything; this is what `why` and the page need at once, bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};

use keelson_core::{Decision, DecisionId, Mode, ObjectRef, Reason, Span, Timestamp, Verb};
use serde::Serialize;

use super::Standing;

/// How many pods are remembered.
const REMEMBERED: usize = 10_000;
/// How far back the counts go.
const WINDOW: Span = Span::hours(1);

/// The last decision of each pod, and counts of the last hour.
#[derive(Debug, Clone, Default)]
pub struct Books {
    last: HashMap<String, Last>,
    order: VecDeque<String>,
    said: VecDeque<(Timestamp, Verb, Reason, bool)>,
    skipped: u64,
}

#[derive(Debug, Clone)]
struct Last {
    decision: Decision,
    /// The decision that first said, or last told, that the pod waits as it does.
    waits_since: Option<DecisionId>,
}

/// What was decided in the last hour; below Enforce, what would have been done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Preview {
    /// Pods of ours that were placed, or would have been.
    pub placed: u64,
    /// Pods of ours that no node could hold, or that were refused.
    pub not_placed: u64,
    /// Pods of ours that wait because scheduling is not enforced.
    pub held_back: u64,
    /// Pods that another scheduler put where Keelson would have.
    pub same_choice: u64,
    /// Pods that another scheduler put elsewhere.
    pub other_choice: u64,
    /// Pods of others that cannot be judged.
    pub not_judged: u64,
    /// Comparisons that were left out because they came too fast, since the start.
    pub skipped: u64,
    /// Decisions by reason.
    pub by_reason: BTreeMap<String, u64>,
}

impl Books {
    /// Remembers a decision. One that says about its pod what was said before is not counted again.
    pub(super) fn record(&mut self, decision: &Decision, acts: bool) {
        let key = decision.subject.path();
        let before = self.last.get(&key);
        let waits_since = match before.filter(|before| !acts && before.decision.is_repeated_by(decision)) {
            Some(before) => before.waits_since,
            None => matches!(decision.verb, Verb::Wait | Verb::Refuse).then_some(decision.id),
        };
        let before = self.last.insert(key.clone(), Last { decision: decision.clone(), waits_since });
        let before = before.map(|before| before.decision);
        let repeated = before.as_ref().is_some_and(|before| {
            (before.reason, before.chosen.is_some(), &before.subject.uid)
                == (decision.reason, decision.chosen.is_some(), &decision.subject.uid)
        });
        if before.is_none() {
            self.order.push_back(key);
            while self.last.len() > REMEMBERED {
                let Some(oldest) = self.order.pop_front() else { break };
                self.last.remove(&oldest);
            }
        }
        if !repeated {
            self.said.push_back((decision.at, decision.verb, decision.reason, decision.chosen.is_some()));
        }
        while self.said.front().is_some_and(|(at, ..)| decision.at.since(*at) > WINDOW)
            || self.said.len() > 50 * REMEMBERED
        {
            self.said.pop_front();
        }
    }

    pub(super) fn forget(&mut self, key: &str) {
        if self.last.remove(key).is_some() {
            self.order.retain(|known| known != key);
        }
    }

    /// What led to the next decision about a pod: that it waited, and, when it waited for the feature to be enforced, the
    /// switch.
    pub(super) fn causes(&self, subject: &ObjectRef, standing: &Standing) -> Vec<DecisionId> {
        let last = self.last.get(&subject.path()).filter(|last| last.decision.subject.uid == subject.uid);
        let Some(last) = last else { return Vec::new() };
        let switched = last.decision.reason == Reason::SchedulerNotEnforcing && standing.settings.mode == Mode::Enforce;
        last.waits_since.into_iter().chain(standing.moved_by.filter(|_| switched)).collect()
    }

    pub(super) const fn skipped(&mut self) {
        self.skipped += 1;
    }

    /// The last decision about a pod.
    #[must_use]
    pub fn last(&self, namespace: &str, name: &str) -> Option<&Decision> {
        self.last.get(&format!("{namespace}/{name}")).map(|last| &last.decision)
    }

    /// The counts of the hour before `now`.
    #[must_use]
    pub fn preview(&self, now: Timestamp) -> Preview {
        let mut preview = Preview { skipped: self.skipped, ..Preview::default() };
        for (_, verb, reason, chosen) in self.said.iter().filter(|(at, ..)| now.since(*at) <= WINDOW) {
            *preview.by_reason.entry(reason.to_string()).or_default() += 1;
            let held_back = *reason == Reason::SchedulerNotEnforcing;
            preview.held_back += u64::from(held_back);
            match reason {
                Reason::SameChoice => preview.same_choice += 1,
                Reason::OtherChoice => preview.other_choice += 1,
                _ if *verb == Verb::Compare => preview.not_judged += 1,
                Reason::PodPlaced | Reason::OnlyFeasibleNode => preview.placed += 1,
                Reason::SchedulerNotEnforcing if *chosen => preview.placed += 1,
                Reason::SchedulingGated => {}
                _ => preview.not_placed += 1,
            }
        }
        preview
    }
}
