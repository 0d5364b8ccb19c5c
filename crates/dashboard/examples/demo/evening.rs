//! What happens in the made-up cluster, a minute of its time in a second of ours.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelson_core::{
    Decision, DecisionId, Effect, Feature, IdSource, Mode, ObjectRef, Outcome, Reason, Span, Step, StepResult,
    Timestamp, Trigger, Verb,
};
use keelson_dashboard::view::Point;
use keelson_dashboard::{Change, ChangeLog, EffectChange, OutcomeChange};
use keelson_store::{Filter, MemoryStore, Store, StoreError};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::cluster::{Cluster, Pod, WORKLOADS, ZONES, amount_text};

const MINUTE: Span = Span::minutes(1);

pub struct Evening {
    pub world: Mutex<World>,
    pub store: MemoryStore,
    pub log: Arc<ChangeLog>,
}

pub struct World {
    pub cluster: Cluster,
    pub now: Timestamp,
    pub mode: Mode,
    pub paused: bool,
    pub sparkline: Vec<Point>,
    /// What is still to be told about placed pods: in how many minutes, and what.
    later: Vec<(u32, Change)>,
    /// The newest turn of a switch, and when: a cause of what follows it closely.
    switched: Option<(DecisionId, Timestamp)>,
    rng: SmallRng,
    ids: Ids,
    born: usize,
}

/// Ids that depend on the seed alone.
struct Ids(AtomicU64);

impl IdSource for Ids {
    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        SmallRng::seed_from_u64(self.0.fetch_add(1, Ordering::Relaxed)).fill_bytes(&mut bytes);
        bytes
    }
}

impl Evening {
    pub async fn begin() -> Result<Arc<Self>, Box<dyn std::error::Error>> {
        let mut rng = SmallRng::seed_from_u64(7);
        let world = World {
            cluster: Cluster::new(&mut rng),
            now: Timestamp::parse("2026-11-23T18:30:00Z")?,
            mode: Mode::Enforce,
            paused: false,
            sparkline: vec![],
            later: vec![],
            switched: None,
            rng,
            ids: Ids(AtomicU64::new(0)),
            born: 0,
        };
        let log = ChangeLog::new(wall_clock(), 4_096);
        let evening = Arc::new(Self { world: Mutex::new(world), store: MemoryStore::new(), log });
        for _ in 0..150 {
            evening.minute().await?;
        }
        Ok(evening)
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a minute of the evening pass.
    pub async fn minute(&self) -> Result<(), StoreError> {
        let changes = self.world().minute();
        for change in changes {
            self.tell(change).await?;
        }
        Ok(())
    }

    /// Records a change and tells the pages.
    pub async fn tell(&self, change: Change) -> Result<(), StoreError> {
        match &change {
            Change::Decision(decision) => self.store.record(std::slice::from_ref(decision)).await?,
            Change::Outcome(o) => self.store.set_outcome(o.id, o.outcome, o.steps.clone()).await?,
            Change::Effect(e) => self.store.set_effect(e.id, e.effect.clone()).await?,
        }
        let change = match change {
            Change::Decision(decision) => {
                self.row_of(&decision).await?.map_or(Change::Decision(decision), Change::Decision)
            }
            other => other,
        };
        self.log.push(change);
        Ok(())
    }

    /// The row that a decision was folded into; none when it has its own.
    async fn row_of(&self, decision: &Decision) -> Result<Option<Arc<Decision>>, StoreError> {
        if self.store.decision(decision.id).await?.is_some() {
            return Ok(None);
        }
        let subject = &decision.subject;
        let (namespace, name) = (Some(subject.namespace.clone()), Some(subject.name.clone()));
        let page = self.store.decisions(&Filter { namespace, name, limit: 1, ..Filter::default() }).await?;
        Ok(page.decisions.into_iter().next().map(Arc::new))
    }
}

/// The moment the demonstration began; the one thing in it that is not made up.
#[allow(clippy::disallowed_methods, reason = "a program of its own, whose clock this is")]
fn wall_clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(0))
}

impl World {
    fn minute(&mut self) -> Vec<Change> {
        self.now = self.now + MINUTE;
        let mut told = self.due();
        self.cluster.breathe(&mut self.rng);
        self.leave();
        let arriving = if self.sparkline.len() < 90 { 6 } else { self.rng.random_range(0..=3) };
        for _ in 0..arriving {
            self.arrive();
        }
        if self.mode != Mode::Off {
            for key in self.waiting_for_a_look() {
                told.extend(self.look_at(&key));
            }
        }
        let placed = told.iter().filter(|c| matches!(c, Change::Decision(d) if d.verb == Verb::Place)).count();
        self.sparkline.push(Point { at: self.now, value: i64::try_from(placed).unwrap_or(0) });
        told
    }

    /// Outcomes and effects whose time has come.
    fn due(&mut self) -> Vec<Change> {
        for (minutes, _) in &mut self.later {
            *minutes -= 1;
        }
        self.later.extract_if(.., |(minutes, _)| *minutes == 0).map(|(_, change)| change).collect()
    }

    /// Pods without a node: new ones at once, the others again now and then.
    fn waiting_for_a_look(&self) -> Vec<(String, String)> {
        let minute = self.sparkline.len();
        let due = |pod: &Pod| pod.created == self.now || minute.is_multiple_of(if pod.unsupported { 20 } else { 3 });
        let waiting = self.cluster.pods.iter().filter(|(_, pod)| pod.node.is_none() && due(pod));
        waiting.map(|(key, _)| key.clone()).take(12).collect()
    }

    fn leave(&mut self) {
        let full = self.cluster.pods.len();
        let going = if full > 520 { 3 } else { usize::from(full > 480) };
        for _ in 0..going {
            let at = self.rng.random_range(0..full);
            if let Some(key) = self.cluster.pods.keys().nth(at).cloned() {
                self.cluster.remove(&key);
            }
        }
        // A node is drained now and then, and comes back after a while.
        if self.rng.random_range(0..15) == 0 {
            let at = self.rng.random_range(0..self.cluster.nodes.len());
            self.cluster.drain(at, self.now);
        }
        if let Some(node) = self.cluster.nodes.iter_mut().find(|node| node.cordoned)
            && self.rng.random_range(0..10) == 0
        {
            node.cordoned = false;
        }
    }

    fn arrive(&mut self) {
        self.born += 1;
        let workload = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5][self.rng.random_range(0..14)];
        let (namespace, name, _) = WORKLOADS[workload];
        let zone = (workload == 2 || workload == 0).then(|| self.rng.random_range(0..3));
        let unsupported = self.rng.random_range(0..40) == 0;
        let name = format!("{name}-{}", self.born);
        let (node, created, decision) = (None, self.now, None);
        let pod = Pod { namespace, name: name.clone(), workload, zone, node, created, decision, unsupported };
        self.cluster.pods.insert((namespace.to_owned(), name), pod);
    }

    fn look_at(&mut self, key: &(String, String)) -> Vec<Change> {
        let Some(pod) = self.cluster.pods.get(key).cloned() else { return vec![] };
        let (candidates, best, feasible) = self.cluster.candidates(&pod);
        let mut decision = self.decision(&pod);
        decision.inputs.insert("nodes".into(), self.cluster.nodes.len().to_string());
        decision.inputs.insert("feasible".into(), feasible.to_string());
        for (index, amount) in Cluster::requests(&pod).into_iter().enumerate().filter(|(_, amount)| *amount > 0) {
            let name = format!("requested {}", crate::cluster::RESOURCES[index]);
            decision.inputs.insert(name, amount_text(index, amount));
        }
        decision.candidates = candidates;
        let node = match best {
            _ if pod.unsupported => return vec![self.refused(decision, &pod)],
            None => return vec![self.waits(decision, &pod)],
            Some(node) => node,
        };
        let name = self.cluster.nodes[node].name.clone();
        let zone = ZONES[self.cluster.nodes[node].zone];
        decision.chosen = Some(name.clone());
        decision.reason = if feasible == 1 { Reason::OnlyFeasibleNode } else { Reason::PodPlaced };
        decision.sentence = match (feasible, pod.zone) {
            (1, _) => format!("Placed {}/{} on {name}: the only node that can hold it.", key.0, key.1),
            (n, Some(_)) => format!(
                "Placed {}/{} on {name}: of {n} nodes in {zone}, where its volume is, the one with the most to spare.",
                key.0, key.1
            ),
            (n, None) => format!("Placed {}/{} on {name}: the best of {n} nodes that can hold it.", key.0, key.1),
        };
        if let Some(pod) = self.cluster.pods.get_mut(key) {
            pod.decision = Some(decision.id);
        }
        self.cluster.bind(key, node);
        self.acted(decision, &name)
    }

    /// What follows a choice: in Enforce it is done and measured, below or paused it would be.
    fn acted(&mut self, mut decision: Decision, node: &str) -> Vec<Change> {
        if self.mode == Mode::Observe {
            let same = self.rng.random_range(0..3) > 0;
            decision.verb = Verb::Compare;
            decision.reason = if same { Reason::SameChoice } else { Reason::OtherChoice };
            decision.outcome = Outcome::Would;
            let other = if same { "chose it as well" } else { "chose a node with 21 points less" };
            decision.sentence =
                format!("Would place {} on {node}; default-scheduler {other}.", decision.subject.path());
            return vec![Change::Decision(Arc::new(decision))];
        }
        let (id, at) = (decision.id, self.now + Span::millis(40));
        let action = format!("bind {} to {node}", decision.subject);
        let step = |result, detail: &str| Step { at, action: action.clone(), result, detail: detail.to_owned() };
        let (outcome, step) = match self.rng.random_range(0..25) {
            _ if self.paused => (Outcome::Would, step(StepResult::Held, "scheduling is paused")),
            0 => (Outcome::Failed, step(StepResult::Conflict, "pod is being deleted, cannot be assigned to a host")),
            _ => (Outcome::Done, step(StepResult::Done, "")),
        };
        self.later.push((1, Change::Outcome(OutcomeChange { id, outcome, steps: vec![step] })));
        if outcome == Outcome::Done {
            let tenths = self.rng.random_range(9..45);
            let (said, found) = (self.rng.random_range(40..80), self.rng.random_range(-4..=9));
            let as_predicted = found < 6;
            let seconds = format!("{}.{} s", tenths / 10, tenths % 10);
            let effect = Effect {
                at: self.now + MINUTE + MINUTE,
                sentence: format!("Running after {seconds}; {node} cpu at {} % (said {said} %).", said + found),
                as_predicted: Some(as_predicted),
                figures: [
                    ("to Running", seconds),
                    ("cpu predicted", format!("{said} %")),
                    ("cpu measured", format!("{} %", said + found)),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            };
            self.later.push((2, Change::Effect(EffectChange { id, effect })));
        }
        vec![Change::Decision(Arc::new(decision))]
    }

    fn refused(&mut self, mut decision: Decision, pod: &Pod) -> Change {
        decision.verb = Verb::Refuse;
        decision.reason = Reason::UnsupportedFeature;
        decision.outcome = Outcome::NoAction;
        decision.candidates = vec![];
        decision.sentence = format!(
            "{}/{} asks for spec.resourceClaims, which this version does not implement; it stays Pending until it is changed.",
            pod.namespace, pod.name
        );
        self.repeated(decision, pod)
    }

    fn waits(&mut self, mut decision: Decision, pod: &Pod) -> Change {
        decision.verb = Verb::Wait;
        decision.reason = Reason::Unschedulable;
        decision.outcome = Outcome::NoAction;
        let zone = pod.zone.map(|zone| format!(" in {}", ZONES[zone])).unwrap_or_default();
        decision.sentence = format!("{}/{} waits: no node{zone} has room for it.", pod.namespace, pod.name);
        self.repeated(decision, pod)
    }

    /// The same verdict again goes under the first one's id, as the store folds it.
    fn repeated(&mut self, mut decision: Decision, pod: &Pod) -> Change {
        if let Some(pod) = self.cluster.pods.get_mut(&(pod.namespace.to_owned(), pod.name.clone())) {
            decision.causes.retain(|cause| Some(*cause) != pod.decision);
            decision.cause_count = u32::try_from(decision.causes.len()).unwrap_or(0);
            pod.decision.get_or_insert(decision.id);
        }
        Change::Decision(Arc::new(decision))
    }

    fn decision(&mut self, pod: &Pod) -> Decision {
        let at = self.now + Span::micros(self.rng.random_range(0..900_000));
        let subject = ObjectRef::namespaced("Pod", pod.namespace, &pod.name).with_uid(&format!("uid-{}", pod.name));
        let switched = self.switched.filter(|(_, at)| self.now.since(*at) < Span::minutes(3)).map(|(id, _)| id);
        let causes: Vec<_> = pod.decision.into_iter().chain(switched).collect();
        let trigger = if pod.decision.is_some() { Trigger::Timer } else { Trigger::Watch(subject.clone()) };
        Decision {
            id: self.ids.decision_id(at),
            at,
            feature: Feature::Scheduling,
            controller: "scheduler".into(),
            mode: self.mode,
            subject,
            trigger,
            cause_count: u32::try_from(causes.len()).unwrap_or(0),
            related: Vec::new(),
            causes,
            verb: Verb::Place,
            reason: Reason::PodPlaced,
            sentence: String::new(),
            chosen: None,
            candidates: vec![],
            inputs: [].into(),
            plan: self.ids.plan_id(at),
            outcome: Outcome::Pending,
            actions: Vec::new(),
            steps: vec![],
            effect: None,
            fence: 7,
            trace_id: format!("{:032x}", self.rng.random::<u128>()),
            took: Span::micros(self.rng.random_range(48..140)),
            count: 1,
            last_at: at,
        }
    }

    /// A person turned a switch; what follows names it as its cause for a while.
    pub fn configured(&mut self, reason: Reason, sentence: String) -> Change {
        let subject = ObjectRef::cluster("Platform", "default").in_group("keelson.dev");
        let pod = Pod {
            namespace: "",
            name: String::new(),
            workload: 0,
            zone: None,
            node: None,
            created: self.now,
            decision: None,
            unsupported: false,
        };
        let decision = self.decision(&pod);
        self.switched = Some((decision.id, self.now));
        let (verb, outcome, trigger, causes) = (Verb::Configure, Outcome::Done, Trigger::Request, vec![]);
        let decision =
            Decision { subject, verb, reason, outcome, trigger, causes, cause_count: 0, sentence, ..decision };
        Change::Decision(Arc::new(decision))
    }
}
