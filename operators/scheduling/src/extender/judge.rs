//! What is answered to another scheduler, and the decision that tells of it.
//!
//! Promises: the same question and view give the same bytes; a reason that kube-scheduler shows to whoever may see the pod
//! names amounts and no label or taint of a node; one decision a try: that every node is refused, or the binding.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use keelson_cluster::ReadPod;
use keelson_core::{Action, ActionKind, Candidate, Decision, Mode, Plan, Reason, Requeue, Trigger, Verb};
use keelson_placement::explain::{SHOWN_FEASIBLE, leader};
use keelson_placement::filter::{failures_at, fits_at};
use keelson_placement::preempt::evicting;
use keelson_placement::score::score;
use keelson_placement::{Cycle, Failure, Layout, Node, Scores, Snapshot, explained, failures};

use super::protocol::{
    BEST, BindingArgs, FilterResult, HostPriority, MetaVictims, NodeList, Nodes, PreemptionResult, name_of,
};
use crate::decide::{Ask, Moment, Settings, record_of};

/// Why a node is refused that the caches do not have.
const NOT_KNOWN: &str = "Keelson has not heard of this node yet";
/// How many reasons a sentence names.
const NAMED: usize = 3;

/// How this process stands to the feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stands {
    /// Whether it leads; a standby answers from the same view, and neither records nor binds.
    pub leading: bool,
    /// Whether a person or the circuit breaker holds every action.
    pub held: bool,
}

/// A pod that another scheduler asks about.
#[derive(Debug, Clone)]
pub struct Question {
    /// The pod, and under which settings.
    pub ask: Ask,
    /// Who places it.
    scheduler: String,
    stands: Stands,
}

impl Question {
    /// A question about a pod.
    #[must_use]
    pub fn new(written: &Written, read: ReadPod, settings: Settings, stands: Stands, at: Moment) -> Self {
        let scheduler = written.spec.as_ref().and_then(|spec| spec.scheduler_name.clone());
        let mut ask = Ask::new(written, read, settings, at);
        ask.trigger = Trigger::Request;
        // It knows itself which nodes are its own.
        ask.pod.layout = Layout::All;
        Self { ask, scheduler: scheduler.unwrap_or_else(|| "default-scheduler".to_owned()), stands }
    }

    /// What of the pod is not understood.
    fn unread(&self) -> Option<(Reason, String)> {
        let refused = self.ask.findings.iter().map(|finding| format!("{}: {}", finding.path, finding.why));
        let refused: Vec<String> = refused.collect();
        let problem = self.ask.problems.first().map(|problem| (Reason::InvalidField, problem.to_string()));
        problem.or_else(|| (!refused.is_empty()).then(|| (Reason::UnsupportedFeature, refused.join("; "))))
    }

    /// Whether what is found out is also answered.
    fn counts(&self) -> bool {
        self.ask.settings.mode == Mode::Enforce && !self.stands.held
    }

    /// That nothing is said about a pod that is not understood.
    fn neutral(&self, snapshot: &Snapshot<'_>, reason: Reason, why: &str) -> Decision {
        let who = &self.scheduler;
        let sentence = format!("{who} decides alone, every node passes with the same score: {why}.");
        Decision { verb: Verb::Compare, reason, sentence, ..record_of(&self.ask, snapshot.nodes.len(), None) }
    }

    fn recorded(&self, decision: Decision) -> Option<Note> {
        (self.ask.settings.mode > Mode::Off && self.stands.leading).then(|| Note::Decided(Box::new(decision)))
    }

    /// What was found out and, when it is not answered, why.
    fn said(&self, found: &str) -> String {
        if self.counts() {
            return found.to_owned();
        }
        let why = if self.stands.held {
            "scheduling is paused".to_owned()
        } else {
            format!("mode {}", self.ask.settings.mode)
        };
        format!("{found} Not told: {why}.")
    }
}

/// Why a node is refused.
struct Refusal {
    text: String,
    /// Whether an eviction could change it.
    may_pass: bool,
}

impl Refusal {
    fn of(failures: &[Failure]) -> Self {
        let mut texts: Vec<String> = failures.iter().map(told).collect();
        texts.dedup();
        Self { text: texts.join("; "), may_pass: failures.iter().all(Failure::may_pass_with_time) }
    }
}

/// A failure for everybody who may see the pod: amounts in full, labels and taints in kube-scheduler's words.
fn told(failure: &Failure) -> String {
    match failure {
        Failure::Insufficient { .. } | Failure::TooManyPods { .. } | Failure::Ports { .. } | Failure::TooFar { .. } => {
            failure.to_string()
        }
        other => other.reason_text(),
    }
}

/// The places of the nodes by name.
fn places<'a>(snapshot: &'a Snapshot<'_>) -> BTreeMap<&'a str, usize> {
    snapshot.nodes().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect()
}

/// Which of the nodes can hold the pod. The cluster must be as [`keelson_cluster::View::snapshot_for`] gives it.
/// `O(nodes)`.
#[must_use]
pub fn filter(question: &Question, nodes: Nodes, snapshot: &Snapshot<'_>) -> (FilterResult, Option<Note>) {
    if let Some((reason, why)) = question.unread() {
        let decision = question.recorded(question.neutral(snapshot, reason, &why));
        return (passing(nodes, &BTreeMap::new()), decision);
    }
    let cycle = Cycle::new(&question.ask.pod, snapshot);
    let places = places(snapshot);
    let refusal = |name: &str| match places.get(name) {
        None => Some(Refusal { text: NOT_KNOWN.to_owned(), may_pass: true }),
        Some(index) if fits_at(&cycle, *index) => None,
        Some(index) => Some(Refusal::of(&failures_at(&cycle, *index))),
    };
    let asked: BTreeSet<&str> = nodes.names().collect();
    let refused: BTreeMap<String, Refusal> =
        asked.iter().filter_map(|name| Some(((*name).to_owned(), refusal(name)?))).collect();
    let all = !asked.is_empty() && refused.len() == asked.len();
    let decision = all.then(|| refusing(question, &cycle, &refused)).and_then(|decision| question.recorded(decision));
    let refused = if question.counts() { refused } else { BTreeMap::new() };
    (passing(nodes, &refused), decision)
}

/// The answer, in the form of the question.
fn passing(nodes: Nodes, refused: &BTreeMap<String, Refusal>) -> FilterResult {
    let texts = |may_pass: bool| {
        let those = refused.iter().filter(|(_, refusal)| refusal.may_pass == may_pass);
        those.map(|(name, refusal)| (name.clone(), refusal.text.clone())).collect()
    };
    let (failed_nodes, failed_and_unresolvable_nodes) = (texts(true), texts(false));
    let mut result = FilterResult { failed_nodes, failed_and_unresolvable_nodes, ..FilterResult::default() };
    match nodes {
        Nodes::Names(names) => {
            result.node_names = Some(names.into_iter().filter(|name| !refused.contains_key(name)).collect());
        }
        Nodes::Objects(objects) => {
            let items = objects.into_iter().filter(|node| !refused.contains_key(name_of(node))).collect();
            result.nodes = Some(NodeList { items });
        }
    }
    result
}

fn refusing(question: &Question, cycle: &Cycle<'_>, refused: &BTreeMap<String, Refusal>) -> Decision {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    refused.values().for_each(|refusal| *counts.entry(&refusal.text).or_default() += 1);
    let mut reasons: Vec<(&str, usize)> = counts.into_iter().collect();
    reasons.sort_by(|(a, many_a), (b, many_b)| many_b.cmp(many_a).then(a.cmp(b)));
    let more = reasons.len().saturating_sub(NAMED);
    let mut named: Vec<String> = reasons.iter().take(NAMED).map(|(text, nodes)| format!("{nodes}: {text}")).collect();
    named.extend((more > 0).then(|| format!("{more} more reasons")));
    let (who, asked) = (&question.scheduler, refused.len());
    let found = format!("None of {asked} nodes that {who} asked about can hold it ({}).", named.join(", "));
    let mut decision = record_of(&question.ask, cycle.snapshot.nodes.len(), None);
    decision.inputs.insert("nodes asked about".into(), asked.to_string());
    Decision {
        verb: Verb::Wait,
        reason: Reason::Unschedulable,
        sentence: question.said(&found),
        candidates: explained(cycle, question.ask.seed).1.candidates,
        ..decision
    }
}

/// How good the nodes are: the best gets [`BEST`], the others less by their distance. The farthest gets nothing, unless
/// totals differ by less than [`BEST`] points: a tenth never stands for less than one point. `O(nodes)`.
#[must_use]
pub fn prioritize(question: &Question, nodes: &Nodes, snapshot: &Snapshot<'_>) -> (Vec<HostPriority>, Option<Note>) {
    let alike = || nodes.names().map(|host| HostPriority { host: host.to_owned(), score: 0 }).collect();
    if let Some((reason, why)) = question.unread() {
        return (alike(), question.recorded(question.neutral(snapshot, reason, &why)));
    }
    let cycle = Cycle::new(&question.ask.pod, snapshot);
    let places = places(snapshot);
    let asked: BTreeSet<&str> = nodes.names().collect();
    let known = asked.iter().filter_map(|name| places.get(name)).filter(|index| fits_at(&cycle, **index));
    let known: Vec<&Node> = known.filter_map(|index| snapshot.node(*index)).collect();
    let scores = score(&cycle, &known);
    let mut ranked: Vec<(&str, Scores)> = known.iter().map(|node| node.name.as_str()).zip(scores).collect();
    // Those of the same score in the order of their names.
    ranked.sort_by_key(|(_, scores)| std::cmp::Reverse(scores.total()));
    let found = Ranking::of(&ranked, asked.len());
    if !question.counts() {
        return (alike(), None);
    }
    let (Some((_, best)), Some((_, worst))) = (ranked.first(), ranked.last()) else { return (alike(), None) };
    let (best, range) = (best.total(), best.total().saturating_sub(worst.total()).max(BEST));
    let totals: BTreeMap<&str, i64> = ranked.iter().map(|(name, scores)| (*name, scores.total())).collect();
    let score = |name: &str| totals.get(name).map_or(0, |total| BEST - (best - total) * BEST / range);
    let scores = nodes.names().map(|host| HostPriority { host: host.to_owned(), score: score(host) }).collect();
    (scores, found.map(|ranking| Note::Ranked { uid: question.ask.pod.uid.clone(), ranking }))
}

/// How the nodes that a pod could go to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    asked: usize,
    /// The best few.
    candidates: Vec<Candidate>,
}

impl Ranking {
    fn of(ranked: &[(&str, Scores)], asked: usize) -> Option<Self> {
        let best = ranked.iter().take(SHOWN_FEASIBLE).map(|(name, scores)| leader(name, *scores));
        let candidates: Vec<Candidate> = best.collect();
        (!candidates.is_empty()).then_some(Self { asked, candidates })
    }

    /// What it says of the node that was chosen.
    fn said_of(&self, node: &str) -> String {
        let best = self.candidates.first().map_or("", |best| best.name.as_str());
        let total = |candidate: Option<&Candidate>| candidate.and_then(|candidate| candidate.total);
        let highest = total(self.candidates.first()).unwrap_or_default();
        let of = total(self.candidates.iter().find(|candidate| candidate.name == node));
        let (asked, second) = (self.asked, self.candidates.get(1));
        match (of, second) {
            (Some(of), Some(second)) if best == node => {
                let against = total(Some(second)).unwrap_or_default();
                format!(", as Keelson would have of {asked} nodes: {of} against {against} for {}.", second.name)
            }
            (Some(of), _) if of == highest => format!(", as Keelson would have of {asked} nodes: none is above {of}."),
            (Some(of), _) => format!("; of {asked} nodes Keelson ranks it with {of} behind {best} with {highest}."),
            (None, _) => format!("; of {asked} nodes Keelson ranks {best} first, with {highest}."),
        }
    }
}

/// What is taken note of once an answer is given.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// A decision, which is recorded.
    Decided(Box<Decision>),
    /// A ranking: the decision that binds the pod tells of it.
    Ranked {
        /// The pod's uid.
        uid: String,
        /// How its nodes compare.
        ranking: Ranking,
    },
}

/// On which of the nodes the evictions that another scheduler thinks of make room. Whom it would evict stays its choice; a
/// node on which that does not help, or that is not known, is left out, and so is one without victims, with which
/// kube-scheduler gives up the whole preemption. `O(nodes × pods of a node)`.
#[must_use]
pub fn preempt(question: &Question, nodes: BTreeMap<String, MetaVictims>, snapshot: &Snapshot<'_>) -> PreemptionResult {
    if question.unread().is_some() || !question.counts() {
        return PreemptionResult { node_name_to_meta_victims: nodes };
    }
    let cycle = Cycle::new(&question.ask.pod, snapshot);
    let places = places(snapshot);
    let helped = |(name, proposed): (String, MetaVictims)| {
        if proposed.pods.is_empty() {
            return None;
        }
        let found = evicting(&cycle, *places.get(name.as_str())?, &proposed.uids()).ok()?;
        let violations = i64::try_from(found.violations).unwrap_or(i64::MAX);
        Some((name, MetaVictims { violations, ..proposed }))
    };
    PreemptionResult { node_name_to_meta_victims: nodes.into_iter().filter_map(helped).collect() }
}

/// What another scheduler has bound: the question it is recorded with, and the plan.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The pod.
    pub question: Question,
    /// Where it goes.
    pub node: String,
    /// The decision and its action.
    pub plan: Plan,
}

/// A pod of which nothing but its name is known: the watch has not shown it yet.
fn bare(args: &BindingArgs) -> Written {
    let metadata = ObjectMeta {
        name: Some(args.name.clone()),
        namespace: Some(args.namespace.clone()),
        uid: Some(args.uid.clone()),
        ..ObjectMeta::default()
    };
    Written { metadata, ..Written::default() }
}

/// The pod that is to be bound: the waiting one, when that is it.
#[must_use]
pub fn to_bind(args: &BindingArgs, waiting: Option<&Written>) -> Written {
    let same = waiting.filter(|pod| pod.metadata.uid.as_deref() == Some(args.uid.as_str()));
    same.cloned().unwrap_or_else(|| bare(args))
}

/// The binding of a pod to the node that its scheduler chose. Its room there is looked at once more. `ranking` is how its nodes
/// were found to compare, when that was asked.
///
/// # Errors
/// Why it is not bound.
pub fn bind(
    question: Question,
    args: &BindingArgs,
    ranking: Option<&Ranking>,
    snapshot: &Snapshot<'_>,
) -> Result<Binding, String> {
    let ask = &question.ask;
    if ask.settings.mode < Mode::Enforce {
        let mode = ask.settings.mode;
        return Err(format!("scheduling is in mode {mode} and binds nothing; enforce it, or leave bindVerb out"));
    }
    if !question.stands.leading {
        return Err(
            "this replica stands by and binds nothing; leave bindVerb out where there is more than one".to_owned()
        );
    }
    let node = snapshot.nodes().find(|node| node.name == args.node).ok_or_else(|| NOT_KNOWN.to_owned())?;
    // What depends on pods elsewhere and on volumes, the scheduler has settled by now.
    let alone = Snapshot::of(std::slice::from_ref(node));
    let room = |failure: &Failure| matches!(failure.check(), "NodeResourcesFit" | "NodePorts");
    let short = failures(&Cycle::new(&ask.pod, &alone), node).into_iter().find(room);
    if let Some(failure) = short.filter(|_| question.unread().is_none()) {
        return Err(format!("{} cannot hold it any more: {}", args.node, told(&failure)));
    }
    let who = &question.scheduler;
    let compared = ranking.map_or_else(|| ".".to_owned(), |ranking| ranking.said_of(&args.node));
    let decision = Decision {
        verb: Verb::Place,
        reason: Reason::BoundOnRequest,
        sentence: format!("Bound to {}, which {who} chose{compared}", args.node),
        candidates: ranking.map(|ranking| ranking.candidates.clone()).unwrap_or_default(),
        ..record_of(ask, snapshot.nodes.len(), Some(node))
    };
    let kind = ActionKind::Bind { node: args.node.clone() };
    let actions = vec![Action { decision: ask.decision, object: ask.subject(), kind }];
    let plan = Plan { decisions: vec![decision], actions, conditions: Vec::new(), requeue: Requeue::OnChange };
    Ok(Binding { node: args.node.clone(), plan, question })
}
