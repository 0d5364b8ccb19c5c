//! Where a pod goes, and why.
//!
//! One pod is decided against the nodes as they are for it. What comes out is a plan: one decision that explains itself,
//! and the binding, event and condition that follow from it.
//!
//! Promises: the same ask and nodes give the same bytes; a pod that uses something not implemented is refused by the
//! field's name, and nothing is guessed; the words in events and conditions are kube-scheduler's.

mod ask;
mod deed;
mod volumes;
mod words;

use keelson_core::{Decision, Mode, Plan, Reason, Requeue, Verb};
use keelson_placement::classes::Known;
use keelson_placement::explain::best;
use keelson_placement::filter::fits_at;
use keelson_placement::network::GROUP_LABEL;
use keelson_placement::{
    Candidate, Choice, Cycle, Explanation, Layout, Node, Pool, Snapshot, Spared, Victim, VolumePlan,
};
use keelson_placement::{explained, preempt, smallest_change};

pub use ask::{Ask, Moment, Settings, Stated, owners, scheduler_of};
use volumes::Write;
pub(crate) use words::{empty_pool, feasible};

use crate::queue::Waits;

/// The loop's name in records.
pub const CONTROLLER: &str = "scheduler";

/// A decided pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The decision, and what follows from it.
    pub plan: Plan,
    /// The chosen node.
    pub node: Option<String>,
    /// The node on which room is made by evicting others.
    pub nominated: Option<String>,
    /// What its claims get there first; until they have it, the pod is not bound.
    pub volumes: Option<VolumePlan>,
    /// When no node was chosen: what must change before another try can end otherwise.
    pub waits: Waits,
}

/// What was found out, before it is put into words.
#[derive(Debug, Clone)]
struct Finding {
    verb: Verb,
    reason: Reason,
    sentence: String,
    /// kube-scheduler's words, when somebody must be told that the pod is not placed.
    message: Option<String>,
    node: Option<String>,
    /// Where room is made for it, and whom that takes.
    nominated: Option<String>,
    victims: Vec<Victim>,
    /// What its claims get first, and what is still to be written for that.
    volumes: Option<(VolumePlan, Vec<Write>)>,
    /// How many nodes can hold it; nothing when no node was looked at.
    feasible: Option<usize>,
    explanation: Explanation,
    waits: Waits,
}

impl Finding {
    fn silent(verb: Verb, reason: Reason, sentence: String, waits: Waits) -> Self {
        let explanation = Explanation { candidates: Vec::new(), histogram: None };
        Self {
            verb,
            reason,
            sentence,
            message: None,
            node: None,
            nominated: None,
            victims: Vec::new(),
            volumes: None,
            feasible: None,
            explanation,
            waits,
        }
    }

    fn refusal(reason: Reason, sentence: String, waits: Waits) -> Self {
        let message = Some(format!("{reason}: {sentence}"));
        Self { message, ..Self::silent(Verb::Refuse, reason, sentence, waits) }
    }
}

/// That no node holds a pod, and why: the same for all that are like it.
#[derive(Debug, Clone)]
pub(crate) struct NoNode(Finding);

/// Decides one pod. The cluster must be as [`keelson_cluster::View::snapshot_for`] gives it.
#[must_use]
pub fn decide(ask: &Ask, snapshot: &Snapshot<'_>) -> Decided {
    decide_and_keep(ask, snapshot).0
}

/// The same; with what was found out, when that is that no node holds the pod, and nothing sets it apart from those like it.
pub(crate) fn decide_and_keep(ask: &Ask, snapshot: &Snapshot<'_>) -> (Decided, Option<NoNode>) {
    let mut found = stops(ask).unwrap_or_else(|| find(ask, snapshot));
    if ask.settings.mode < Mode::Enforce && found.reason != Reason::SchedulingGated {
        found = held_back(ask, found);
    }
    let waits = found.verb == Verb::Wait && matches!(found.reason, Reason::Unschedulable | Reason::PoolEmpty);
    let kept = (waits && is_plain(ask)).then(|| NoNode(found.clone()));
    let chosen = found.node.as_ref().and_then(|name| snapshot.nodes().find(|node| node.name == *name));
    (finish(ask, snapshot.nodes.len(), chosen, found), kept)
}

/// Decides a plain pod by what was found out for one like it, with that one's seed: the same plan as [`decide`] makes.
pub(crate) fn decide_as(ask: &Ask, nodes: usize, found: &NoNode) -> Decided {
    finish(ask, nodes, None, found.0.clone())
}

/// Whether nothing but what the pod is like bears on where it goes.
pub(crate) fn is_plain(ask: &Ask) -> bool {
    let held = ask.pod.nominated.is_some() || ask.stays.is_some() || ask.with_group.is_some();
    ask.settings.mode == Mode::Enforce && !held && stops(ask).is_none()
}

/// Decides a pod for which the choice is known already: the same plan as [`decide`] makes of a brief ask. `None` when the
/// question is not that simple.
#[must_use]
pub fn decide_known(ask: &Ask, known: Known, node: &Node) -> Option<Decided> {
    let simple = ask.brief && ask.settings.mode == Mode::Enforce && stops(ask).is_none() && known.choice.node.is_some();
    let explanation = Explanation { candidates: known.leaders, histogram: None };
    simple.then(|| finish(ask, known.choice.nodes, Some(node), placed(&node.name, &known.choice, explanation)))
}

fn finish(ask: &Ask, nodes: usize, chosen: Option<&Node>, found: Finding) -> Decided {
    let mut decision = Decision {
        verb: found.verb,
        reason: found.reason,
        sentence: found.sentence.clone(),
        candidates: found.explanation.candidates.clone(),
        ..record_of(ask, nodes, chosen)
    };
    decision.inputs.extend(found.feasible.map(words::feasible));
    if found.reason == Reason::Unschedulable {
        decision.sentence.push_str(&words::learned(ask.learned, &decision.candidates));
    }
    decision.related.extend(found.victims.iter().map(deed::object));
    // What led to a placement; that a pod still waits has no cause but itself, and repeats fold.
    if decision.verb == Verb::Place {
        decision.cause_count = u32::try_from(ask.causes.len()).unwrap_or(u32::MAX);
        decision.causes.clone_from(&ask.causes);
    }
    let actions = deed::actions(ask, &found);
    let plan = Plan { decisions: vec![decision], actions, conditions: Vec::new(), requeue: Requeue::OnChange };
    let nominated = found.nominated.filter(|_| found.verb == Verb::Preempt);
    let volumes = found.volumes.map(|(plan, _)| plan);
    Decided { plan, node: found.node, nominated, volumes, waits: found.waits }
}

/// What keeps a pod from being tried at all.
fn stops(ask: &Ask) -> Option<Finding> {
    // Nobody else's pod is written to.
    if let Some(why) = &ask.stands_back {
        let sentence = words::stands_back(why);
        return Some(Finding::silent(Verb::Wait, Reason::OtherSchedulerLeads, sentence, Waits::NONE));
    }
    if !ask.gates.is_empty() {
        return Some(Finding::silent(Verb::Wait, Reason::SchedulingGated, words::gated(&ask.gates), Waits::NONE));
    }
    if let Some(problem) = ask.problems.first() {
        return Some(Finding::refusal(Reason::InvalidField, problem.to_string(), Waits::NONE));
    }
    if !ask.findings.is_empty() {
        return Some(Finding::refusal(Reason::UnsupportedFeature, words::refused(&ask.findings), Waits::NONE));
    }
    let lacks = ask.group_lacks.as_ref()?;
    let waits = Waits::GROUP.and(Waits::NODE).and(Waits::PEERS).and(Waits::VOLUMES);
    Some(Finding::silent(Verb::Wait, Reason::GroupIncomplete, lacks.clone(), waits))
}

fn find(ask: &Ask, snapshot: &Snapshot<'_>) -> Finding {
    let cycle = Cycle::new(&ask.pod, snapshot);
    let (choice, explanation) = if ask.brief { best(&cycle, ask.seed) } else { explained(&cycle, ask.seed) };
    let (stays, made) = (stays(ask, &cycle), room_made(&cycle));
    let unit = ask.with_group.as_ref().and_then(|name| holds(name, &cycle));
    match stays.or(made).or(unit).or(choice.node).and_then(|index| snapshot.node(index)) {
        Some(node) => {
            let mut found = placed(&node.name, &choice, explanation);
            if stays.is_some() {
                found.sentence = words::stayed(&node.name);
            } else if made.is_some() {
                (found.reason, found.sentence) = (Reason::RoomMade, words::room_made(&node.name));
            } else if unit.is_some() {
                let group = ask.pod.labels.get(GROUP_LABEL).map_or("", String::as_str);
                (found.reason, found.sentence) = (Reason::PlacedWithGroup, words::with_group(&node.name, group));
            }
            match cycle.volume_plan(node) {
                Some(plan) => volumes_first(found, plan, snapshot),
                None => found,
            }
        }
        // Nobody was told of a pod like it where this one goes.
        None if ask.brief => unschedulable(ask, &cycle, explained(&cycle, ask.seed).1),
        None => unschedulable(ask, &cycle, explanation),
    }
}

/// The place of the node that was cleared for the pod, once it is: the pod goes nowhere else then, as kube-scheduler has it.
fn room_made(cycle: &Cycle<'_>) -> Option<usize> {
    holds(cycle.pod.nominated.as_ref()?, cycle)
}

/// The place of the node of this name, if it can hold the pod.
fn holds(name: &str, cycle: &Cycle<'_>) -> Option<usize> {
    cycle.snapshot.nodes().position(|node| node.name == name).filter(|index| fits_at(cycle, *index))
}

/// The place of the node that the pod's claims got their volumes for: it goes there while that can hold it, and unless a
/// claim is without its volume again.
fn stays(ask: &Ask, cycle: &Cycle<'_>) -> Option<usize> {
    let index = holds(ask.stays.as_ref()?, cycle)?;
    let plan = cycle.snapshot.node(index).and_then(|node| cycle.volume_plan(node));
    plan.is_none_or(|plan| volumes::writes(&plan, &cycle.snapshot.volumes).is_empty()).then_some(index)
}

fn placed(name: &str, choice: &Choice, explanation: Explanation) -> Finding {
    let reason = if choice.feasible == 1 { Reason::OnlyFeasibleNode } else { Reason::PodPlaced };
    let sentence = words::placed(name, choice, &explanation);
    let (node, feasible) = (Some(name.to_owned()), Some(choice.feasible));
    let silent = Finding::silent(Verb::Place, reason, sentence, Waits::NONE);
    Finding { node, feasible, explanation, ..silent }
}

/// A node is chosen, and the pod's claims have no volumes yet.
fn volumes_first(found: Finding, plan: VolumePlan, snapshot: &Snapshot<'_>) -> Finding {
    let writes = volumes::writes(&plan, &snapshot.volumes);
    Finding {
        verb: Verb::Wait,
        reason: Reason::VolumesFirst,
        sentence: words::volumes_first(&plan, writes.is_empty()),
        volumes: Some((plan, writes)),
        waits: Waits::VOLUMES.and(Waits::TIME),
        ..found
    }
}

fn unschedulable(ask: &Ask, cycle: &Cycle<'_>, explanation: Explanation) -> Finding {
    let peers = if cycle.looks_elsewhere() { Waits::PEERS } else { Waits::NONE };
    let volumes = if ask.pod.volumes.is_empty() { Waits::NONE } else { Waits::VOLUMES };
    let evictions = if ask.evictions_open { Waits::EVICTIONS } else { Waits::NONE };
    let waits = Waits::NODE.and(peers).and(volumes).and(evictions);
    let histogram = explanation.histogram.clone().unwrap_or_default();
    let found = match preempt(cycle, ask.seed) {
        // What makes room for others may be held back, and then there is room to be made that breaks nothing.
        Ok(best) if best.violations > 0 && ask.evictions_open => {
            let sentence = words::evictions_awaited(best.violations);
            let nominated = ask.pod.nominated.clone();
            let silent = Finding::silent(Verb::Wait, Reason::EvictionsAwaited, sentence, waits);
            Finding { message: Some(histogram), nominated, ..silent }
        }
        Ok(best) => preempting(cycle, best, histogram, waits),
        Err(spared) => {
            if let Some(pool) = without_nodes(cycle) {
                let sentence = words::empty_pool(pool);
                let message = Some(format!("{histogram} {sentence}"));
                let silent = Finding::silent(Verb::Wait, Reason::PoolEmpty, sentence, waits);
                return Finding { message, feasible: Some(0), explanation, ..silent };
            }
            let change = smallest_change(&ask.pod, cycle.snapshot);
            let sentence = words::unschedulable(&explanation, change.as_ref());
            // Whoever is cleared for keeps its node; where nothing helps any more, the nomination is taken back.
            let nominated = ask.pod.nominated.clone().filter(|_| !matches!(spared, Spared::NoCandidate(_)));
            let message = Some(format!("{histogram} {}", spared.text()));
            let silent = Finding::silent(Verb::Wait, Reason::Unschedulable, sentence, waits);
            Finding { message, nominated, ..silent }
        }
    };
    Finding { feasible: Some(0), explanation, ..found }
}

/// The pod's pool, when no node is in it.
fn without_nodes<'a>(cycle: &Cycle<'a>) -> Option<&'a Pool> {
    let Layout::Pool(pool) = &cycle.pod.layout else { return None };
    (!cycle.snapshot.nodes().any(|node| pool.holds(node))).then_some(pool)
}

/// Others are evicted, and the pod waits for their room.
fn preempting(cycle: &Cycle<'_>, best: Candidate, histogram: String, waits: Waits) -> Finding {
    let node = cycle.snapshot.node(best.node).map(|node| node.name.clone()).unwrap_or_default();
    let sentence = words::preempting(&node, &best);
    let silent = Finding::silent(Verb::Preempt, Reason::RoomByEviction, sentence, waits);
    Finding { message: Some(histogram), nominated: Some(node), victims: best.victims, ..silent }
}

/// Below Enforce the pod stays where it is, and the record says what would have become of it.
fn held_back(ask: &Ask, found: Finding) -> Finding {
    Finding {
        sentence: words::held_back(ask.settings.mode, &found.sentence),
        verb: Verb::Wait,
        reason: Reason::SchedulerNotEnforcing,
        message: None,
        nominated: None,
        victims: Vec::new(),
        waits: Waits::TIME.and(found.waits),
        ..found
    }
}

/// A record of what was asked, without a verdict.
pub(crate) fn record_of(ask: &Ask, nodes: usize, chosen: Option<&Node>) -> Decision {
    let what = (Verb::Wait, Reason::Unschedulable);
    Decision {
        id: ask.decision,
        mode: ask.settings.mode,
        trigger: ask.trigger.clone(),
        related: ask.related(chosen.map(|node| node.name.as_str())),
        chosen: chosen.map(|node| node.name.clone()),
        inputs: words::inputs(ask, nodes, chosen),
        plan: ask.plan,
        ..Decision::new((keelson_core::Feature::Scheduling, CONTROLLER), 0, ask.subject(), what, "", ask.now)
    }
}

#[cfg(test)]
pub(crate) mod tests;
