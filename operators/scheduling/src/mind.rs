//! The scheduler between two looks at the world: what it knows, who is next, what it said.
//!
//! Everything that happens is a call with a moment, and everything to be done comes back as data, so that the loop around
//! it only carries. It follows the cluster whether it may act or not; it decides only while its process leads.
//!
//! Promises: a pod that has a node is never decided again; a pod is assumed to be on its node from the decision on, and
//! forgotten when it is known that the binding failed, not before; one whose claims get their volumes first keeps its room
//! meanwhile; whoever stops leading forgets what it only planned, and nothing that may have been carried out.

mod advice;
mod asked;
mod books;
mod comparisons;
mod evicting;
mod group;
mod interfaces;
mod nodes;
mod pool;
mod recorded;
mod seen;
mod selecting;
mod sending;
mod storage;
mod wake;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use keelson_cluster::read::ReadPod;
use keelson_cluster::{Event, State, View};
use keelson_core::{ActionKind, Decision, DecisionId, Effect, Mode, Plan, Reason, Span, Timestamp, Verb};
use keelson_placement::{Classes, Nodes};

pub use books::Books;
use comparisons::Comparisons;
use group::Groups;
use interfaces::Interfaces;
pub use pool::PoolSeen;
use recorded::Recorded;
pub use sending::Pass;
use sending::Sending;
use wake::Held;

use crate::alike::Alike;
use crate::decide::{Ask, Decided, Moment, Settings, decide_and_keep, decide_known, is_plain, record_of, scheduler_of};
use crate::effect::{Effects, Placement, predicted};
use crate::observe;
use crate::queue::{Attempt, Backoff, Counts, Queue, Waiting, Waits};
use crate::recording;
use crate::used::{Missing, NodeUse};

/// For how long nobody may lead after a leader died: a Lease, and what its successor needs to notice and to read.
const TAKEN_OVER: Span = Span::minutes(1);

/// What bears on everything it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Name and mode.
    pub settings: Settings,
    /// The waits.
    pub backoff: Backoff,
    /// How long the pods of an AppGroup wait for each other; none is not at all.
    pub group_wait: Span,
    /// Whether this process leads.
    pub leading: bool,
    /// Whether actions are held; a change tries everything again.
    pub held: bool,
    /// The decision that last moved the feature's switch.
    pub moved_by: Option<DecisionId>,
    /// Why nothing is bound of the scheduler that is to be replaced, while it leads or may.
    pub stands_back: Option<String>,
}

impl Standing {
    fn decides(&self) -> bool {
        self.leading && self.settings.mode > Mode::Off
    }
}

/// A plan to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The pod.
    pub uid: String,
    /// What to record and to do.
    pub plan: Plan,
    /// What it saw, when that is kept.
    pub recording: Option<Vec<u8>>,
    /// How many of its first actions the pod waits for; none when it was reported to the queue already.
    pub awaits: Option<usize>,
    /// The right to send its binding, where that can be overtaken.
    pub pass: Option<Pass>,
    /// How long after the change that asked for it.
    pub waited: Span,
}

#[cfg(test)]
impl Job {
    pub(crate) fn binds(&self) -> bool {
        self.awaits.is_some() && self.plan.decisions.iter().all(|decision| decision.verb != Verb::Preempt)
    }
}

/// A pod that has no node, whoever's it is.
#[derive(Debug, Clone)]
struct Unbound {
    written: Arc<Pod>,
    read: ReadPod,
}

/// The scheduler's state.
#[derive(Debug, Clone)]
pub struct Mind {
    state: State,
    queue: Queue,
    classes: Classes,
    effects: Effects,
    used: Arc<NodeUse>,
    books: Books,
    standing: Standing,
    unbound: HashMap<String, Unbound>,
    /// The uids of those that wait for this scheduler, whether it decides or not.
    ours: HashSet<String>,
    /// Those of them that are refused until they are changed.
    refused: HashSet<String>,
    /// What those of them wait for that others are being evicted for.
    preempting: HashMap<String, Waits>,
    groups: Groups,
    sending: Sending,
    pool: PoolSeen,
    interfaces: Interfaces,
    comparisons: Comparisons,
    alike: Alike,
    measured: Vec<(DecisionId, Effect)>,
    recorded: Recorded,
    /// The pod whose decision panics, in tests.
    #[cfg(test)]
    poison: Option<String>,
}

/// Whether the pod already says what the plan would write about it. A repeated verdict is then recorded without actions,
/// so that it folds into one row and writes no event.
fn is_said(written: &Pod, plan: &Plan) -> bool {
    let conditions = written.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let said: Vec<_> = conditions.filter_map(|condition| condition.message.as_deref()).collect();
    let nominated = written.status.as_ref().and_then(|status| status.nominated_node_name.as_deref());
    plan.actions.iter().all(|action| match &action.kind {
        ActionKind::ApplyStatus(status) => {
            let text = |path| status.pointer(path).and_then(serde_json::Value::as_str);
            let is_nominated = text("/status/nominatedNodeName").is_none_or(|node| nominated == Some(node));
            is_nominated && text("/status/conditions/0/message").is_some_and(|message| said.contains(&message))
        }
        ActionKind::Event { .. } => true,
        _ => false,
    })
}

impl Mind {
    /// A scheduler that knows nothing yet.
    #[must_use]
    pub fn new(standing: Standing) -> Self {
        Self {
            state: State::default(),
            queue: Queue::new(standing.backoff),
            classes: Classes::default(),
            effects: Effects::default(),
            used: Arc::default(),
            books: Books::default(),
            standing,
            unbound: HashMap::new(),
            ours: HashSet::new(),
            refused: HashSet::new(),
            preempting: HashMap::new(),
            groups: Groups::default(),
            sending: Sending::default(),
            pool: PoolSeen::default(),
            interfaces: Interfaces::default(),
            comparisons: Comparisons::default(),
            alike: Alike::default(),
            measured: Vec::new(),
            recorded: Recorded::default(),
            #[cfg(test)]
            poison: None,
        }
    }

    /// Takes new settings, another mode or another leader into account. Whatever waits is tried again under them.
    pub fn configure(&mut self, standing: Standing, now: Timestamp) {
        if standing == self.standing {
            return;
        }
        if !standing.decides() {
            self.forget_plans(now);
            // What comes of placements is looked at on, and told once it leads again.
            if standing.settings.mode == Mode::Off {
                (self.effects, self.measured) = Default::default();
            }
            self.comparisons.clear();
        }
        self.standing = standing;
        for pod in self.unbound.values_mut() {
            pod.read.pod.layout = self.standing.settings.layout_of(&pod.written);
        }
        self.look_at_pool();
        self.groups.start_over();
        self.queue.set_backoff(self.standing.backoff);
        // What is in flight stays so: its outcome will be reported, and a popped pod must not be popped twice.
        let mut pods: Vec<Arc<Pod>> = self.unbound.values().map(|pod| Arc::clone(&pod.written)).collect();
        pods.sort_by(|a, b| {
            a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp).then_with(|| uid(a).cmp(uid(b)))
        });
        self.ours.clear();
        self.refused.clear();
        for pod in pods {
            let waiting = self.waiting(&pod);
            self.ours.extend(waiting.is_some().then(|| uid(&pod).to_owned()));
            let waiting = waiting.filter(|_| self.standing.decides());
            if !self.queue.is_in_flight(uid(&pod)) {
                self.queue.remove(uid(&pod));
            }
            if let Some(waiting) = waiting {
                self.queue.apply(waiting, now);
            }
        }
    }

    /// Gives back what waits for claims: another leader decides anew. What was sent may have been carried out, whoever leads.
    fn forget_plans(&mut self, now: Timestamp) {
        let planned = self.state.planned().filter(|uid| !self.queue.is_in_flight(uid)).map(str::to_owned);
        let planned: BTreeSet<String> = planned.collect();
        planned.iter().for_each(|uid| self.give_back(uid, now));
    }

    /// The next pod, decided; `None` when nobody is due. `O(nodes)`.
    pub fn next(&mut self, at: Moment) -> Option<Job> {
        self.age(at.now);
        self.groups_waited(at.now);
        while self.standing.decides() {
            let uid = self.queue.pop(at.now)?.uid;
            // One that was bound and is not seen bound yet stays assumed: it must not be bound twice.
            // One whose claims get their volumes first stays assumed, too, and is asked about until they have them.
            let asked = !self.state.is_assumed(&uid) || self.state.plan_of(&uid).is_some();
            let waits = self.unbound.get(&uid).filter(|_| asked);
            let Some(unbound) = waits.cloned() else {
                self.queue.remove(&uid);
                continue;
            };
            let waited = self.queue.due_since(&uid).map_or(Span::ZERO, |due| at.now.since(due));
            return Some(Job { waited, ..self.decide(&uid, unbound, at) });
        }
        None
    }

    fn decide(&mut self, uid: &str, Unbound { written, read }: Unbound, at: Moment) -> Job {
        let read = self.complete(read);
        let mut ask = Ask::new(&written, read, self.standing.settings.clone(), at);
        ask.stands_back = self.stands_back_for(&written).map(str::to_owned);
        ask.causes = self.books.causes(&ask.subject(), &self.standing);
        ask.evictions_open = !self.preempting.is_empty();
        ask.stays = self.state.plan_of(uid).map(|plan| plan.node.clone());
        let together = self.together(uid, &mut ask);
        let Ok(mut decided) = catch_unwind(AssertUnwindSafe(|| self.decide_alone(&mut ask))) else {
            return self.panicked(uid, ask);
        };
        if is_said(&written, &decided.plan) {
            decided.plan.actions.clear();
        } else {
            // What is written may not arrive: it is said again until the pod says it.
            decided.waits = decided.waits.and(Waits::TIME);
        }
        let bound_to = decided.node.filter(|_| ask.settings.mode == Mode::Enforce);
        let mut recording = None;
        if !decided.plan.actions.is_empty() && self.recorded.takes(self.state.slots(), at.now) {
            let ended = decided.plan.decisions.first().map_or(Verb::Wait, |decision| decision.verb);
            recording = recording::record(&ask, &self.state.live().snapshot_for(&ask.pod), ended).ok();
        }
        if let Some(decision) = decided.plan.decisions.first() {
            if decision.verb == Verb::Refuse {
                self.refused.insert(uid.to_owned());
            } else {
                self.refused.remove(uid);
            }
            self.books.record(decision, !decided.plan.actions.is_empty());
        }
        let deeds = decided.plan.actions.iter().take_while(|action| !action.kind.only_tells()).count();
        let actions = decided.plan.actions.len();
        let nominated = decided.nominated.filter(|_| actions > 0);
        let awaits = match (&bound_to, &nominated) {
            (Some(_), _) => Some(deeds).filter(|_| decided.volumes.is_none() || actions > 0),
            (None, Some(_)) => Some(actions),
            (None, None) => None,
        };
        let mut pass = None;
        match bound_to {
            Some(name) => {
                if let Some(member) = self.state.member(&name).filter(|_| decided.volumes.is_none()) {
                    let shares = predicted(&member.node, &ask.pod);
                    let placement = Placement { decision: at.decision, node: name.clone(), at: at.now, shares };
                    self.effects.placed(&ask.pod, placement);
                }
                let held = Held::by(uid, &self.state);
                let volumes = decided.volumes.map(Box::new);
                pass = volumes.is_none().then(|| self.sending.decided(ask.pod, &name, at));
                self.state.apply(Event::Assumed { uid: uid.to_owned(), node: name, volumes });
                self.moved(uid, held, at.now);
            }
            None => self.give_back(uid, at.now),
        }
        // The room is spoken for from now on, whatever the watch says when.
        if let Some(name) = nominated {
            self.nominate(uid, Some(name), at.now);
            self.preempting.insert(uid.to_owned(), decided.waits);
        }
        if awaits.is_none() {
            self.queue.report(uid, Attempt::Unschedulable(decided.waits), at.now);
        }
        decided.plan.decisions.extend(together);
        Job { uid: uid.to_owned(), plan: decided.plan, recording, awaits, pass, waited: Span::ZERO }
    }

    /// Decides without taking note of it: whatever goes wrong here has changed nothing but the classes.
    fn decide_alone(&mut self, ask: &mut Ask) -> Decided {
        #[cfg(test)]
        assert!(self.poison.as_deref() != Some(ask.pod.name.as_str()), "poisoned");
        let changes = self.state.log().written();
        let shared = self.shares(ask);
        if shared && let Some(decided) = self.decide_like_another(ask, changes) {
            return decided;
        }
        let (decided, found) = decide_and_keep(ask, &self.state.live().snapshot_for(&ask.pod));
        if let Some(found) = found.filter(|_| shared) {
            self.alike.told(ask, changes, found);
        }
        decided
    }

    /// As one like it was decided: placed by its class, or told what that one was told.
    fn decide_like_another(&mut self, ask: &mut Ask, changes: u64) -> Option<Decided> {
        let nodes = self.state.slots() - self.state.empty_slots();
        self.decide_like_the_last(ask).or_else(|| self.alike.again(ask, changes, nodes))
    }

    /// Whether an answer serves all pods like it. Room that was made for nominated pods is not kept by class, nor what volumes
    /// need.
    fn shares(&self, ask: &Ask) -> bool {
        is_plain(ask) && Classes::serve(&ask.pod) && !self.state.live().has_nominations(ask.pod.priority)
    }

    /// A pod whose decision panicked waits as after an error, and does not keep the others from being decided.
    fn panicked(&mut self, uid: &str, ask: Ask) -> Job {
        // What may have been left half done.
        (self.classes, self.alike) = (Classes::default(), Alike::default());
        let decision = Decision {
            reason: Reason::Panicked,
            sentence: "Deciding it panicked; the log says where. It is tried again after a back-off.".to_owned(),
            ..record_of(&ask, self.state.slots(), None)
        };
        self.books.record(&decision, false);
        self.queue.report(uid, Attempt::Failed, ask.now);
        let plan = Plan { decisions: vec![decision], ..Plan::default() };
        Job { uid: uid.to_owned(), plan, recording: None, awaits: None, pass: None, waited: Span::ZERO }
    }

    /// The short way, for a pod like one that was placed before; `None` when it must go the long way.
    fn decide_like_the_last(&mut self, ask: &mut Ask) -> Option<Decided> {
        let knew = self.classes.knows(&ask.pod);
        let known = self.classes.choose(&ask.pod, &self.state, ask.seed);
        let node = self.state.node(known.choice.node.filter(|_| knew)?)?;
        ask.brief = true;
        let decided = decide_known(ask, known, node);
        ask.brief = decided.is_some();
        decided
    }

    /// Says whether a pod was bound, or everything was done that goes before that.
    pub fn ended(&mut self, uid: &str, done: bool, now: Timestamp) {
        if let Some(waits) = self.preempting.remove(uid) {
            return self.evicted(uid, waits, done, now);
        }
        // One that is not in flight and waits for its claims was decided again since.
        if !self.queue.is_in_flight(uid) && self.state.plan_of(uid).is_some() {
            return;
        }
        // Who does not decide any more waits for no claims.
        if done && (self.standing.decides() || self.state.plan_of(uid).is_none()) {
            let waits = Waits::VOLUMES.and(Waits::TIME);
            let for_volumes = self.state.plan_of(uid).map(|_| Attempt::Unschedulable(waits));
            return self.queue.report(uid, for_volumes.unwrap_or(Attempt::Placed), now);
        }
        self.give_back(uid, now);
        if self.standing.decides() {
            self.queue.report(uid, Attempt::Failed, now);
        } else {
            self.queue.remove(uid);
        }
    }

    /// Forgets where a pod was assumed to be. The watch may have said meanwhile that it has a node: then there is nothing
    /// to forget.
    fn give_back(&mut self, uid: &str, now: Timestamp) {
        // The assumption may have fallen with leadership.
        if self.state.node_of(uid).is_none() {
            self.effects.forget(uid);
        }
        if self.state.is_assumed(uid) {
            let held = Held::by(uid, &self.state);
            self.state.apply(Event::Forgotten { uid: uid.to_owned() });
            self.effects.forget(uid);
            self.moved(uid, held, now);
        }
    }

    /// The next comparison with another scheduler's choice.
    pub fn next_comparison(&mut self, at: Moment) -> Option<Job> {
        if self.sending.has_collisions() {
            return self.next_collision(at);
        }
        let (seen, written) = self.comparisons.next(at.now)?;
        let read = self.complete(keelson_cluster::read::pod(&written));
        let actual = read.bound_to.clone()?;
        let ask = Ask::new(&written, read, self.standing.settings.clone(), at);
        let decision = observe::compare(&ask, &self.state.live().snapshot_for(&ask.pod), &actual);
        self.books.record(&decision, false);
        let plan = Plan { decisions: vec![decision], ..Plan::default() };
        let uid = uid(&written).to_owned();
        Some(Job { uid, plan, recording: None, awaits: None, pass: None, waited: at.now.since(seen) })
    }

    /// What came of earlier decisions, since the last call; nothing while another leads, who tells it. What it may not have
    /// come to tell is told by who leads next.
    pub fn measured(&mut self, now: Timestamp) -> Vec<(DecisionId, Effect)> {
        for (uid, told) in self.effects.overdue(now) {
            self.measured.push(told);
            self.set_back(&uid, now);
        }
        self.measured.extend(self.effects.unmeasured(&self.used, now));
        self.measured.retain(|(_, effect)| now.since(effect.at) < TAKEN_OVER);
        if self.standing.decides() { std::mem::take(&mut self.measured) } else { Vec::new() }
    }

    /// A pod that was bound long ago and that nobody has seen bound: the cluster was set back to before that. It waits again.
    fn set_back(&mut self, uid: &str, now: Timestamp) {
        let waits_for_us = self.queue.is_in_flight(uid) || self.state.plan_of(uid).is_some();
        if waits_for_us || !self.state.is_assumed(uid) {
            return;
        }
        self.give_back(uid, now);
        let waiting = self.unbound.get(uid).and_then(|pod| self.waiting(&pod.written));
        if let Some(waiting) = waiting.filter(|_| self.standing.decides()) {
            self.queue.apply(waiting, now);
        }
    }

    /// Whether [`Self::next`] or [`Self::next_comparison`] has something to do now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let due = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        let pods = self.queue.has_active() || due(self.queue.due()) || due(self.groups.due());
        self.standing.decides() && pods
            || self.comparisons.is_due(now)
            || self.sending.has_collisions()
            || due(self.interfaces.due())
    }

    /// When it may have something to do without anything happening.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let due = self.queue.due().into_iter().chain(self.groups.due()).chain(self.comparisons.due());
        due.filter(|_| self.standing.decides()).chain(self.interfaces.due()).min()
    }

    /// The cluster as it sees it.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.state.view()
    }

    /// What it said last about each pod.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// How many pods of ours are where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }

    /// How many pods wait for this scheduler.
    #[must_use]
    pub fn pods_of_ours(&self) -> usize {
        self.ours.len()
    }

    /// How many of them are refused until they are changed.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.refused.len()
    }

    /// How many comparisons were left out since the start, because they came too fast.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.comparisons.skipped()
    }

    /// Why nothing new is heard of what nodes use, when nothing is.
    #[must_use]
    pub fn missing(&self) -> Option<&Missing> {
        self.used.missing()
    }

    /// Why a pod of ours is not touched, when another scheduler may bind it.
    fn stands_back_for(&self, pod: &Pod) -> Option<&str> {
        let replaced = self.standing.settings.is_replaced(scheduler_of(pod));
        self.standing.stands_back.as_deref().filter(|_| replaced)
    }

    fn not_ours(&mut self, uid: &str) {
        self.ours.remove(uid);
        self.refused.remove(uid);
    }

    /// How it stands.
    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// A pod that waits for this scheduler, as the queue knows it.
    fn waiting(&self, pod: &Pod) -> Option<Waiting> {
        let spec = pod.spec.as_ref()?;
        let ours = self.standing.settings.places(spec.scheduler_name.as_deref().unwrap_or_default());
        let alive = pod.metadata.deletion_timestamp.is_none();
        (ours && alive).then(|| Waiting {
            uid: uid(pod).to_owned(),
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            priority: spec.priority.unwrap_or_default(),
            seat: self.seat(pod),
            gated: is_gated(pod),
        })
    }
}

fn uid(pod: &Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap_or_default()
}

fn is_gated(pod: &Pod) -> bool {
    pod.spec.iter().filter_map(|spec| spec.scheduling_gates.as_ref()).any(|gates| !gates.is_empty())
}

#[cfg(test)]
mod tests;
