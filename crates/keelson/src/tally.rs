//! How many subjects met which end in the last hour, for the cards of the page.
//!
//! Fed with every decision and outcome as it happens. A pod that waits and is looked at a hundred times is one pod that
//! waits.
//!
//! Promises: memory grows with the subjects of an hour and with nothing else; time is the decisions' own.

use std::collections::{BTreeMap, VecDeque};

use keelson_core::{Decision, DecisionId, Feature, ObjectRef, Outcome, Span, Timestamp, Verb};
use keelson_dashboard::view::{Counts, Point};

/// How far back is counted.
pub const WINDOW: Span = Span::seconds(3_600);
/// The width of one point of the sparkline.
const STEP: i64 = 60_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Placed,
    Waiting,
    Refused,
    Would,
    Failed,
}

/// What became of a subject; none for what nobody counts.
const fn end_of(outcome: Outcome, verb: Verb) -> Option<End> {
    match (outcome, verb) {
        (Outcome::Failed, _) => Some(End::Failed),
        (_, Verb::Wait) => Some(End::Waiting),
        (_, Verb::Refuse) => Some(End::Refused),
        (Outcome::Would, _) | (_, Verb::Compare) => Some(End::Would),
        (Outcome::Done, Verb::Place) => Some(End::Placed),
        _ => None,
    }
}

/// The counts of every feature.
#[derive(Debug, Default)]
pub struct Tally {
    features: BTreeMap<Feature, Ends>,
    /// Decisions whose actions are under way.
    open: BTreeMap<DecisionId, (Feature, Verb, ObjectRef)>,
}

#[derive(Debug, Default)]
struct Ends {
    /// When each subject last met each end.
    last: BTreeMap<(End, ObjectRef), Timestamp>,
    /// The same by first time, so that forgetting costs only what is forgotten; a subject that met its end again goes
    /// to the back when its turn comes.
    order: VecDeque<(Timestamp, End, ObjectRef)>,
    /// Subjects that newly met an end: the minute's number, and how many.
    minutes: VecDeque<(i64, i64)>,
}

impl Tally {
    /// Counts a decision that was made or repeated.
    pub fn decision(&mut self, decision: &Decision) {
        if decision.outcome == Outcome::Pending {
            self.open.insert(decision.id, (decision.feature, decision.verb, decision.subject.clone()));
        } else if let Some(end) = end_of(decision.outcome, decision.verb) {
            self.add(decision.feature, end, &decision.subject, decision.last_at);
        }
    }

    /// Counts the end of a decision's actions.
    pub fn outcome(&mut self, id: DecisionId, outcome: Outcome, at: Timestamp) {
        if outcome == Outcome::Pending {
            return;
        }
        let Some((feature, verb, subject)) = self.open.remove(&id) else { return };
        if let Some(end) = end_of(outcome, verb) {
            self.add(feature, end, &subject, at);
        }
    }

    fn add(&mut self, feature: Feature, end: End, subject: &ObjectRef, at: Timestamp) {
        let ends = self.features.entry(feature).or_default();
        let is_new = ends.last.insert((end, subject.clone()), at).is_none();
        if is_new {
            ends.order.push_back((at, end, subject.clone()));
            let minute = at.0.div_euclid(STEP);
            match ends.minutes.back_mut() {
                Some((last, count)) if *last == minute => *count += 1,
                _ => ends.minutes.push_back((minute, 1)),
            }
        }
        ends.forget(at);
    }

    /// The counts of the hour before `now`.
    #[must_use]
    pub fn counts(&self, feature: Feature, now: Timestamp) -> Counts {
        let mut counts = Counts::default();
        let Some(ends) = self.features.get(&feature) else { return counts };
        for ((end, _), _) in ends.last.iter().filter(|(_, at)| now.since(**at) < WINDOW) {
            *match end {
                End::Placed => &mut counts.placed,
                End::Waiting => &mut counts.waiting,
                End::Refused => &mut counts.refused,
                End::Would => &mut counts.would,
                End::Failed => &mut counts.failed,
            } += 1;
        }
        counts
    }

    /// Subjects that newly met an end, per minute over the hour before `now`, oldest first, zero where there were none.
    #[must_use]
    pub fn sparkline(&self, feature: Feature, now: Timestamp) -> Vec<Point> {
        let last = now.0.div_euclid(STEP);
        let minutes = self.features.get(&feature).map(|ends| &ends.minutes);
        let counted: BTreeMap<i64, i64> = minutes.into_iter().flatten().copied().collect();
        (last - 59..=last)
            .map(|minute| Point { at: Timestamp(minute * STEP), value: counted.get(&minute).copied().unwrap_or(0) })
            .collect()
    }
}

impl Ends {
    fn forget(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(at, _, _)| now.since(*at) >= WINDOW) {
            let Some((_, end, subject)) = self.order.pop_front() else { break };
            let key = (end, subject);
            match self.last.get(&key) {
                Some(newer) if now.since(*newer) < WINDOW => self.order.push_back((*newer, key.0, key.1)),
                _ => drop(self.last.remove(&key)),
            }
        }
        while self.minutes.front().is_some_and(|(minute, _)| *minute <= now.0.div_euclid(STEP) - 60) {
            self.minutes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use keelson_core::{IdSource, Mode, PlanId, Reason, Trigger};

    use super::*;

    const MINUTE: i64 = 60_000_000;
    const SCHEDULING: Feature = Feature::Scheduling;

    struct Fixed;
    impl IdSource for Fixed {
        fn random(&self) -> [u8; 16] {
            [7; 16]
        }
    }

    fn decision(name: &str, minute: i64, verb: Verb, outcome: Outcome) -> Decision {
        let at = Timestamp(minute * MINUTE);
        Decision {
            id: Fixed.decision_id(at),
            at,
            feature: SCHEDULING,
            controller: "scheduler".into(),
            mode: Mode::Enforce,
            subject: ObjectRef::namespaced("Pod", "shop", name),
            trigger: Trigger::Timer,
            causes: vec![],
            cause_count: 0,
            verb,
            reason: Reason::PodPlaced,
            sentence: String::new(),
            chosen: None,
            candidates: vec![],
            inputs: BTreeMap::new(),
            plan: PlanId(Fixed.decision_id(at).0),
            outcome,
            steps: vec![],
            effect: None,
            fence: 1,
            trace_id: String::new(),
            took: Span(0),
            count: 1,
            last_at: at,
        }
    }

    #[test]
    fn a_pod_that_waits_often_is_one_pod_that_waits_and_is_forgotten_after_an_hour() {
        let mut tally = Tally::default();
        for minute in 0..30 {
            tally.decision(&decision("a", minute, Verb::Wait, Outcome::NoAction));
        }
        assert_eq!(tally.features.values().map(|ends| ends.order.len()).sum::<usize>(), 1, "memory is per subject");
        assert_eq!(tally.counts(SCHEDULING, Timestamp(30 * MINUTE)).waiting, 1);
        assert_eq!(tally.counts(SCHEDULING, Timestamp(88 * MINUTE)).waiting, 1, "last seen at 29");
        assert_eq!(tally.counts(SCHEDULING, Timestamp(89 * MINUTE)).waiting, 0);
        tally.decision(&decision("b", 95, Verb::Refuse, Outcome::NoAction));
        assert_eq!(tally.features.values().map(|ends| ends.last.len()).sum::<usize>(), 1, "only b is kept");
    }

    #[test]
    fn a_placement_counts_when_its_actions_are_done() {
        let mut tally = Tally::default();
        let placed = decision("a", 1, Verb::Place, Outcome::Pending);
        tally.decision(&placed);
        assert_eq!(tally.counts(SCHEDULING, placed.at).placed, 0);
        tally.outcome(placed.id, Outcome::Done, placed.at);
        tally.outcome(placed.id, Outcome::Done, placed.at);
        assert_eq!(tally.counts(SCHEDULING, placed.at).placed, 1);
        let line = tally.sparkline(SCHEDULING, Timestamp(2 * MINUTE));
        assert_eq!((line.len(), line.iter().map(|point| point.value).sum::<i64>()), (60, 1));
        let waits = decision("b", 2, Verb::Wait, Outcome::Pending);
        tally.decision(&waits);
        tally.outcome(waits.id, Outcome::Done, waits.at);
        assert_eq!(tally.counts(SCHEDULING, waits.at).waiting, 1, "that it was told to wait does not end its waiting");
        assert!(tally.open.is_empty());
    }
}
