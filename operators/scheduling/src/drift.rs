//! Pods of an AppGroup that would be better elsewhere by now.
//!
//! A group that was well placed drifts: pods and nodes come and go. What would be saved is told. Where the object allows it
//! ([`names::DRIFT`]), one pod is evicted at a time, when the engine itself would place it where it saves enough; its workload
//! makes it again. (Upstream names this a non-goal; TraDE, arXiv 2411.05323, shows what it is worth.)
//!
//! Promises: nothing is moved that nobody allows; nothing is moved while a pod of the group waits; a move that would not
//! save a tenth of what the group costs is not worth a pod; a workload is not moved twice within an hour.

use std::collections::BTreeMap;

use keelson_api::names;
use keelson_core::{Action, ActionKind, Decision, Feature, Mode, ObjectRef, Plan, Reason, Span, Timestamp, Verb};

use crate::decide::Moment;

/// The loop's name in records.
pub const CONTROLLER: &str = "drift";
/// A workload that was moved is left alone for so long.
pub const REST: Span = Span::hours(1);
/// A move saves at least this part of what the group costs.
const WORTH: i64 = 10;
/// So many moves are told.
pub const TOLD: usize = 5;

/// What a group has to lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The AppGroup.
    pub group: ObjectRef,
    /// Its annotation [`names::DRIFT`].
    pub asked: Option<String>,
    /// The mode in force.
    pub mode: Mode,
    /// What all its edges cost.
    pub cost: i64,
    /// Whether a pod of it waits for a node.
    pub waits: bool,
    /// What would be saved, the most first.
    pub moves: Vec<Better>,
}

/// A pod that would be better elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Better {
    /// The pod.
    pub pod: ObjectRef,
    /// What its pods carry in the workload's label.
    pub workload: String,
    /// Where it is.
    pub from: String,
    /// Where it would cost least.
    pub to: String,
    /// How much less its edges cost there.
    pub saving: i64,
    /// Where it would be placed if it came again, and what that saves; none for a pod of another scheduler.
    pub again: Option<(String, i64)>,
}

/// The smallest saving that is worth a move.
#[must_use]
pub const fn worth(cost: i64) -> i64 {
    if cost / WORTH > 1 { cost / WORTH } else { 1 }
}

/// Decides about one group. `moved` says when a workload of it was last moved.
#[must_use]
pub fn decide(seen: &Seen, moved: &BTreeMap<String, Timestamp>, at: Moment) -> Plan {
    let worth = worth(seen.cost);
    let moves: Vec<&Better> = seen.moves.iter().filter(|better| better.saving >= worth).collect();
    if moves.is_empty() || seen.waits {
        return Plan::default();
    }
    let saving: i64 = moves.iter().map(|better| better.saving).sum();
    let told = moves
        .iter()
        .take(TOLD)
        .map(|better| format!("{} from {} to {} saves {}", better.pod.path(), better.from, better.to, better.saving));
    let mut sentence = format!("Its edges cost {}: {}.", seen.cost, told.collect::<Vec<_>>().join(", "));
    let rests = |better: &Better| moved.get(&better.workload).is_some_and(|last| at.now.since(*last) < REST);
    let lands = |better: &&&Better| better.again.as_ref().is_some_and(|(_, saving)| *saving >= worth);
    let next = moves.iter().filter(|better| !rests(better)).find(lands);
    let allowed = seen.asked.as_deref() == Some("move");
    let mut actions = Vec::new();
    let mut verb = Verb::Compare;
    match (allowed, next) {
        (false, _) => sentence.push_str(&format!(" Nothing is moved: {} is not \"move\".", names::DRIFT)),
        (true, None) => sentence.push_str(" Nothing is moved: none would be placed so now, or each was moved lately."),
        (true, Some(better)) => {
            let (node, saving) = better.again.clone().unwrap_or_default();
            sentence.push_str(&format!(" {} is evicted: it would go to {node} and save {saving}.", better.pod.path()));
            verb = Verb::Move;
            actions.push(Action { decision: at.decision, object: better.pod.clone(), kind: ActionKind::Evict });
        }
    }
    let what = (verb, Reason::GroupDrifted);
    let about = (Feature::Scheduling, CONTROLLER);
    let mut decision = Decision::new(about, 0, seen.group.clone(), what, sentence, at.now);
    decision.id = at.decision;
    decision.plan = at.plan;
    decision.mode = seen.mode;
    decision.related = moves.iter().take(TOLD).map(|better| better.pod.clone()).collect();
    let gains = if actions.is_empty() {
        saving
    } else {
        next.and_then(|better| better.again.clone()).map_or(0, |(_, saving)| saving)
    };
    decision.inputs = [("network cost", seen.cost), ("saving", gains)]
        .map(|(name, number)| (name.to_owned(), number.to_string()))
        .into();
    Plan { decisions: vec![decision], actions, ..Plan::default() }
}

/// The workload whose pod a plan evicts.
#[must_use]
pub fn evicted<'a>(seen: &'a Seen, plan: &Plan) -> Option<&'a str> {
    let pod = &plan.actions.first()?.object;
    seen.moves.iter().find(|better| better.pod == *pod).map(|better| better.workload.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use keelson_core::{DecisionId, PlanId};

    use super::*;

    fn at(seconds: i64) -> Moment {
        let id: DecisionId = format!("00000000-0000-7000-8000-{seconds:012}").parse().unwrap();
        Moment { decision: id, plan: PlanId(id.0), now: Timestamp(seconds * 1_000_000) }
    }

    fn better(name: &str, saving: i64, again: Option<i64>) -> Better {
        let pod = ObjectRef::namespaced("Pod", "shop", name).with_uid(name);
        let again = again.map(|saving| ("n3".to_owned(), saving));
        Better { pod, workload: name.into(), from: "n1".into(), to: "n2".into(), saving, again }
    }

    fn seen(asked: Option<&str>, moves: Vec<Better>) -> Seen {
        let group = ObjectRef::namespaced("AppGroup", "shop", "g").in_group("appgroup.diktyo.x-k8s.io");
        Seen { group, asked: asked.map(str::to_owned), mode: Mode::Enforce, cost: 100, waits: false, moves }
    }

    #[test]
    fn what_would_be_saved_is_told_and_nothing_is_moved_that_nobody_allows() {
        let plan = decide(&seen(None, vec![better("web", 40, Some(40))]), &BTreeMap::new(), at(1));
        assert_eq!(
            plan.decisions[0].sentence,
            "Its edges cost 100: shop/web from n1 to n2 saves 40. Nothing is moved: keelson.dev/drift is not \"move\"."
        );
        assert!(plan.actions.is_empty() && plan.decisions[0].verb == Verb::Compare);
    }

    #[test]
    fn with_permission_one_pod_is_evicted_the_one_that_would_be_placed_better() {
        let moves = vec![better("web", 40, Some(3)), better("db", 30, Some(20)), better("cache", 25, Some(25))];
        let seen = seen(Some("move"), moves);
        let plan = decide(&seen, &BTreeMap::new(), at(1));
        assert_eq!(plan.actions.len(), 1);
        assert_eq!((plan.actions[0].object.name.as_str(), &plan.actions[0].kind), ("db", &ActionKind::Evict));
        assert!(plan.decisions[0].sentence.ends_with("shop/db is evicted: it would go to n3 and save 20."));
        assert_eq!((plan.decisions[0].verb, plan.decisions[0].inputs["saving"].as_str()), (Verb::Move, "20"));
        assert_eq!(evicted(&seen, &plan), Some("db"));
    }

    #[test]
    fn a_workload_rests_for_an_hour_after_it_was_moved() {
        let seen = seen(Some("move"), vec![better("db", 30, Some(20))]);
        let moved = BTreeMap::from([("db".to_owned(), at(0).now)]);
        assert!(decide(&seen, &moved, at(3_599)).actions.is_empty());
        assert_eq!(decide(&seen, &moved, at(3_600)).actions.len(), 1);
    }

    #[test]
    fn little_is_not_worth_a_pod_and_who_waits_goes_first() {
        assert_eq!(
            decide(&seen(Some("move"), vec![better("db", 9, Some(9))]), &BTreeMap::new(), at(1)),
            Plan::default()
        );
        let mut seen = seen(Some("move"), vec![better("db", 50, Some(50))]);
        seen.waits = true;
        assert_eq!(decide(&seen, &BTreeMap::new(), at(1)), Plan::default());
    }
}
