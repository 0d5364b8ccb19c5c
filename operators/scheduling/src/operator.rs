//! The loop that carries: caches to the mind, its plans to the executor, questions to what it knows.
//!
//! One pod is decided after another; bindings are carried out beside it, a bounded number at once. Everything worth
//! thinking about is in [`crate::mind`].
//!
//! Promises: nothing is decided before nodes, namespaces, budgets, pods, those that select pods, and the kinds of storage and
//! network were read once; what the caches say is taken in before the next pod is decided; a change of mode, name or leader
//! takes effect before the next pod; a stop waits for what was begun.

mod answers;
mod bandwidth;
mod drift;
mod extender;
mod incumbent;
mod kinds;
mod layout;
mod measure;
mod network;
mod pending;
mod proposal;
mod selecting;
mod storage;
mod times;

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use keelson_api::PlatformSpec;
use keelson_api::platform::SchedulingSettings;
use keelson_core::{
    Condition, ConditionStatus, DecisionId, Feature, Metric, Mode, NodeBandwidth, Outcome, PlanId, Reason, Span, Step,
    StepResult, Verb, WorkloadUsage,
};
use keelson_runtime::cache::Delta;
use keelson_runtime::operator::{Listener, Operator, Running};
use keelson_runtime::permissions::{Permissions, Rule};
use keelson_runtime::switch::Switch;
use keelson_runtime::{Answers, Gauge, Meter, Options, Report, Runtime, StartError};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{Instrument, field};

use answers::{Known, Query};
pub use layout::divided;
use network::Networks;
pub(crate) use network::{read_group, read_topology};
use selecting::Selectors;
use storage::Storage;

use crate::decide::{CONTROLLER, Moment, Settings};
use crate::extender::judge::Stands;
use crate::incumbent::Incumbent;
use crate::interfaces;
use crate::mind::{Job, Mind, Pass, Standing};
use crate::queue::{Backoff, Counts};
use crate::times::NetworkTimes;
use crate::told::Telling;
use crate::used::NodeUse;

/// Plans carried out at once. Each binding is two or three requests; the API server is asked by others too.
const AT_ONCE: usize = 64;
/// Questions that may wait; more are turned away.
const QUESTIONS: usize = 64;

/// The scheduling feature.
#[derive(Debug)]
pub struct Scheduling {
    ask: mpsc::Sender<Query>,
    asked: Arc<Mutex<mpsc::Receiver<Query>>>,
}

impl Default for Scheduling {
    fn default() -> Self {
        let (ask, asked) = mpsc::channel(QUESTIONS);
        Self { ask, asked: Arc::new(Mutex::new(asked)) }
    }
}

impl Operator for Scheduling {
    const FEATURE: Feature = Feature::Scheduling;
    const METRICS: &'static [Metric] = &[PENDING, HELD_BACK, SKIPPED, INTERFACES, LAYOUT];

    fn permissions(ceiling: Mode) -> Permissions {
        if ceiling == Mode::Off {
            return Permissions::default();
        }
        let budgets = Rule::follow("policy", &["poddisruptionbudgets"]);
        let mut rules = vec![Rule::follow("", &["namespaces", "nodes", "pods"]), budgets, measure::permission()];
        rules.push(bandwidth::permission());
        rules.extend(selecting::permissions());
        rules.extend(storage::permissions(ceiling == Mode::Enforce));
        rules.extend(network::permissions(ceiling == Mode::Enforce));
        if ceiling == Mode::Enforce {
            // Before a status is patched, and when nobody knows whether a binding arrived.
            rules.push(Rule::new("", &["pods"], &["get"]));
            // To make room for pods of higher priority.
            rules.push(Rule::new("", &["pods"], &["delete"]));
            rules.push(Rule::new("", &["pods/binding"], &["create"]));
            // To move pods of an AppGroup that allows it.
            rules.push(Rule::new("", &["pods/eviction"], &["create"]));
            rules.push(Rule::new("", &["pods/status"], &["patch"]));
        }
        Permissions(rules)
    }

    fn answers(&self) -> Answers {
        answers::answers(&self.ask)
    }

    fn listeners(&self) -> Vec<Listener> {
        vec![extender::listener(&self.ask)]
    }

    fn start(self, runtime: &Runtime) -> Result<Running, StartError> {
        let (rt, ask, asked) = (runtime.clone(), self.ask, self.asked);
        let (measuring, telling, drifting) = (runtime.clone(), runtime.clone(), runtime.clone());
        let looking = runtime.clone();
        let carrying = runtime.clone();
        let timing = runtime.clone();
        let inbox = runtime.run_controller(Telling::new(runtime), Options::default());
        Ok(Running(vec![
            runtime.spawn("scheduling", move || run(rt.clone(), Arc::clone(&asked))),
            runtime.spawn("node use", move || measure::keep(measuring.clone())),
            runtime.spawn("network times", move || times::keep(timing.clone())),
            runtime.spawn("incumbent", move || incumbent::keep(looking.clone())),
            runtime.spawn("interfaces", move || bandwidth::keep(carrying.clone())),
            runtime.spawn("drift", move || drift::keep(drifting.clone(), ask.clone())),
            runtime.spawn("network objects", move || network::tell(telling.clone(), inbox.clone())),
        ]))
    }
}

/// What the controller may ask beside [`Scheduling::permissions`] when it is to replace kube-scheduler.
#[must_use]
pub fn replacing() -> Permissions {
    incumbent::permissions()
}

/// What is under way: the pod of each task, when it waits for the outcome, and of how many actions. What may have been
/// carried out though nobody said so waits to be known beside it: its pod may be on its node, or come there yet.
struct UnderWay {
    tasks: JoinSet<Report>,
    unknown: JoinSet<Report>,
    pods: HashMap<Id, (String, usize)>,
}

impl UnderWay {
    fn new() -> Self {
        Self { tasks: JoinSet::new(), unknown: JoinSet::new(), pods: HashMap::new() }
    }

    /// How a task ended; with the pod it was of, once it is known whether what that waits for was done.
    fn ended(&mut self, ended: Result<(Id, Report), JoinError>) -> Option<(String, bool)> {
        let (id, report) = ended.unwrap_or_else(|error| (error.id(), Report::default()));
        let (uid, actions) = self.pods.remove(&id)?;
        if report.is_settled() {
            return Some((uid, is_done(&report, actions)));
        }
        let waits = self.unknown.spawn(report.settled());
        self.pods.insert(waits.id(), (uid, actions));
        None
    }
}

async fn run(rt: Runtime, asked: Arc<Mutex<mpsc::Receiver<Query>>>) {
    let clock = rt.clock();
    let mut asked = asked.lock().await;
    let (mut switch, mut settings) = (rt.switch(Feature::Scheduling), rt.settings());
    let (mut nodes, mut pods) = (rt.cache::<Node>().subscribe(), rt.cache::<Pod>().subscribe());
    let mut namespaces = rt.cache::<Namespace>().subscribe();
    let mut budgets = rt.cache::<PodDisruptionBudget>().subscribe();
    let mut selectors = Selectors::follow(&rt);
    let mut storage = Storage::follow(&rt);
    let mut networks = Networks::follow(&rt, &settings.borrow().features.scheduling.settings);
    let mut measured = rt.facts().changes::<NodeUse>();
    let mut incumbent = rt.facts().changes::<Incumbent>();
    let mut carried = rt.facts().changes::<NodeBandwidth>();
    let mut used = rt.facts().changes::<WorkloadUsage>();
    let mut timed = rt.facts().changes::<NetworkTimes>();
    let meter = rt.meter(Feature::Scheduling, CONTROLLER, 1);
    let gauges = Gauges::new(&meter);
    let mut mind = Mind::new(standing(&rt, &switch.borrow(), &settings.borrow()));
    let wanted = settings.borrow().features.scheduling.settings.clone();
    networks.configure(&wanted, &mut mind, clock.now());
    mind.bandwidth_limit(limit(&wanted), clock.now());
    let (mut told, mut interfaces_read) = (None, false);
    let mut under_way = UnderWay::new();
    let (mut nodes_read, mut namespaces_read, mut budgets_read, mut pods_read) = (false, false, false, false);
    let mut stopping = std::pin::pin!(rt.stopping());
    loop {
        let looked = clock.now();
        let objects_read = nodes_read && namespaces_read && budgets_read && pods_read && selectors.is_read();
        let ready = objects_read && interfaces_read && storage.is_read() && networks.is_read();
        let free = ready && under_way.tasks.len() < AT_ONCE;
        let due = free && mind.is_due(looked);
        // Effects that are overdue are looked for once in a while, whatever else happens.
        let wake = mind.due().filter(|_| free).map_or(looked + Span::minutes(1), |due| due.max(looked));
        tokio::select! {
            biased;
            () = &mut stopping => break,
            Ok(()) = switch.changed() => {}
            Ok(()) = settings.changed() => {
                let settings = settings.borrow_and_update().features.scheduling.settings.clone();
                networks.configure(&settings, &mut mind, clock.now());
                mind.bandwidth_limit(limit(&settings), clock.now());
                mind.usage(usage(&rt, &settings), clock.now());
            }
            Ok(()) = carried.changed() => {
                if let Some(known) = rt.facts().read::<NodeBandwidth>() {
                    interfaces_read = true;
                    mind.bandwidth(known.value, clock.now());
                }
            }
            Ok(()) = used.changed() => {
                mind.usage(usage(&rt, &settings.borrow().features.scheduling.settings), clock.now());
            }
            Ok(()) = measured.changed() => {
                if let Some(used) = rt.facts().read::<NodeUse>() {
                    mind.node_use(used.value, clock.now());
                }
            }
            Ok(()) = timed.changed() => {
                if let Some(times) = rt.facts().read::<NetworkTimes>() {
                    networks.timed(&times.value, &mut mind, clock.now());
                }
            }
            Ok(()) = incumbent.changed() => {}
            delta = nodes.next() => {
                nodes_read |= matches!(delta, Delta::Restarted(_));
                match delta {
                    Delta::Restarted(all) => mind.nodes(all, clock.now()),
                    Delta::Applied(node) => mind.node(&node, clock.now()),
                    Delta::Deleted(node) => mind.node_gone(node.metadata.name.as_deref().unwrap_or_default(), clock.now()),
                }
            }
            delta = namespaces.next() => {
                namespaces_read |= matches!(delta, Delta::Restarted(_));
                match delta {
                    Delta::Restarted(all) => mind.namespaces(all, clock.now()),
                    Delta::Applied(namespace) => mind.namespace(&namespace, clock.now()),
                    Delta::Deleted(gone) => {
                        mind.namespace_gone(gone.metadata.name.as_deref().unwrap_or_default(), clock.now());
                    }
                }
            }
            delta = budgets.next() => {
                budgets_read |= matches!(delta, Delta::Restarted(_));
                match delta {
                    Delta::Restarted(all) => mind.budgets(all),
                    Delta::Applied(budget) => _ = mind.budget(&budget),
                    Delta::Deleted(gone) => mind.budget_gone(keelson_cluster::read::budget(&gone).key()),
                }
            }
            heard = selectors.next() => heard.told(&mut mind),
            heard = storage.next() => heard.told(&mut mind, clock.now()),
            heard = networks.next() => networks.heard(heard, &mut mind, clock.now()),
            delta = pods.next() => {
                pods_read |= matches!(delta, Delta::Restarted(_));
                match delta {
                    Delta::Restarted(all) => mind.pods(all, clock.now()),
                    Delta::Applied(pod) => mind.pod(&pod, clock.now()),
                    Delta::Deleted(pod) => mind.pod_gone(&pod, clock.now()),
                }
            }
            Some(ended) = under_way.tasks.join_next_with_id() => {
                if let Some((uid, done)) = under_way.ended(ended) {
                    mind.ended(&uid, done, clock.now());
                }
            }
            Some(known) = under_way.unknown.join_next_with_id() => {
                if let Some((uid, done)) = under_way.ended(known) {
                    mind.ended(&uid, done, clock.now());
                }
            }
            Some(query) = asked.recv() => {
                let now = switch.borrow().clone();
                take_up(&rt, query, &mut mind, (&mut under_way, &meter), (ready, &now));
            }
            () = std::future::ready(()), if due => {
                let fence = switch.borrow().fence;
                decide(&rt, &mut mind, &mut under_way, &meter, fence);
            }
            () = clock.sleep_until(wake), if !due => {}
        }
        // Not when it was looked: it may have waited since.
        let now = clock.now();
        let next = standing(&rt, &switch.borrow(), &settings.borrow());
        if next != *mind.standing() {
            mind.configure(next, now);
            told = None;
        }
        for (decision, effect) in mind.measured(now) {
            rt.history().effect(decision, effect);
        }
        gauges.set(&mind);
        let interfaces = mind.interface_condition().cloned();
        let telling = (pods_held_back(&mind), mind.missing().cloned(), mind.pool().changes(), interfaces);
        if told.as_ref() != Some(&telling) {
            let layout = layout::condition(&settings.borrow().features.scheduling.settings, &mind);
            gauges.layout(&layout);
            let conditions = [held_back(&mind), measure::condition(mind.missing()), layout];
            rt.report(Feature::Scheduling, conditions.into_iter().chain(telling.3.clone()).collect());
            told = Some(telling);
        }
    }
    while under_way.tasks.join_next().await.is_some() {}
}

/// Answers from what is known, or has carried out what another scheduler is told or wants.
fn take_up(
    rt: &Runtime,
    query: Query,
    mind: &mut Mind,
    (under_way, meter): (&mut UnderWay, &Meter),
    (ready, switch): (bool, &Switch),
) {
    let (now, fence) = (rt.clock().now(), switch.fence);
    match query {
        Query::Known { pod, pending, records, reply } => {
            let (nobody, none) = (DecisionId(Default::default()), PlanId(Default::default()));
            let (decision, plan) = if records { (rt.decision_id(), rt.plan_id()) } else { (nobody, none) };
            let stands = Stands { leading: switch.leading, held: switch.paused || switch.breaker.is_some() };
            // Whoever asked may have gone away.
            let asked = (pod.as_ref(), pending.as_deref());
            let _ = reply.send(Known::of(mind, asked, (ready, stands), Moment { decision, plan, now }));
        }
        Query::Grounds(reply) => _ = reply.send(proposal::Grounds::of(rt, mind)),
        Query::Groups(reply) => _ = reply.send((mind.view(), mind.waiting_groups())),
        Query::Told(note) => {
            if let Some(job) = mind.told(note) {
                carry_out(rt, under_way, meter, Made { job, span: span("request"), took: Span::ZERO, fence }, None);
            }
        }
        Query::Bind { binding, reply } => {
            let job = mind.binds(*binding, now);
            carry_out(rt, under_way, meter, Made { job, span: span("request"), took: Span::ZERO, fence }, Some(reply));
        }
    }
}

fn span(trigger: &'static str) -> tracing::Span {
    tracing::info_span!(
        "reconcile",
        controller = CONTROLLER,
        object = field::Empty,
        "keelson.feature" = %Feature::Scheduling,
        "keelson.trigger" = trigger,
        "k8s.namespace.name" = field::Empty,
        "k8s.pod.name" = field::Empty,
        "k8s.pod.uid" = field::Empty,
    )
}

/// Decides one pod or makes one comparison, and has it carried out.
fn decide(rt: &Runtime, mind: &mut Mind, under_way: &mut UnderWay, meter: &Meter, fence: u64) {
    let span = span("watch");
    let moment = Moment { decision: rt.decision_id(), plan: rt.plan_id(), now: rt.clock().now() };
    let began = Instant::now();
    let decided = span.in_scope(|| mind.next(moment).or_else(|| mind.next_comparison(moment)));
    let Some(job) = decided else { return };
    let took = Span(i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX));
    carry_out(rt, under_way, meter, Made { job, span, took, fence }, None);
}

/// A job, and how it came to be.
struct Made {
    job: Job,
    span: tracing::Span,
    took: Span,
    fence: u64,
}

/// Has a job carried out beside the loop; `tell` is told how it ended.
fn carry_out(
    rt: &Runtime,
    under_way: &mut UnderWay,
    meter: &Meter,
    Made { job, span, took, fence }: Made,
    tell: Option<oneshot::Sender<Report>>,
) {
    let Job { uid, mut plan, recording, awaits, pass, waited } = job;
    span.in_scope(|| meter.observed(rt.clock().to_process(waited)));
    for decision in &mut plan.decisions {
        let is_pod = decision.subject.kind == "Pod";
        if is_pod {
            span.record("object", field::display(&decision.subject));
            span.record("k8s.namespace.name", &decision.subject.namespace);
            span.record("k8s.pod.name", &decision.subject.name);
            span.record("k8s.pod.uid", &decision.subject.uid);
        }
        // Who is not the leader of this number any more must not act on what was decided under it.
        decision.fence = fence;
        decision.took = took;
        let result = match decision.reason {
            Reason::Panicked => "panic",
            _ if matches!(decision.verb, Verb::Wait | Verb::Preempt) => "requeue",
            _ => "success",
        };
        span.in_scope(|| meter.reconciled(result, took.to_std()));
    }
    let executor = rt.executor().clone();
    let run = async move {
        let overtaken = || pass.as_ref().and_then(Pass::overtaken);
        let report = executor.run_unless(Feature::Scheduling, plan, recording, &overtaken).await;
        // Whoever asked may have gone away.
        let _ = tell.map(|tell| tell.send(report.clone()));
        report
    };
    let task = under_way.tasks.spawn(run.instrument(span));
    under_way.pods.extend(awaits.map(|actions| (task.id(), (uid, actions))));
}

/// kube-scheduler's name for it.
const PENDING: Metric = Metric::gauge("scheduler_pending_pods", &["queue"], "pods that wait");
const HELD_BACK: Metric = Metric::gauge(
    "keelson_scheduling_pods_held_back",
    &[],
    "pods that name Keelson as their scheduler while scheduling is not enforced",
);
const SKIPPED: Metric = Metric::gauge(
    "keelson_scheduling_comparisons_skipped",
    &[],
    "comparisons with other schedulers left out since the start, because they came too fast",
);

const INTERFACES: Metric = Metric::gauge(
    "keelson_scheduling_interfaces",
    &["state"],
    "network interfaces of nodes; only what pods reserved counts for those that are not measured",
);

const LAYOUT: Metric = Metric::gauge(
    "keelson_scheduling_layout_unsound",
    &["reason"],
    "1 while nodes are not divided as the layout wants them to be, and why; see the condition `LayoutSound`",
);

/// What is told of the loop at every moment.
struct Gauges {
    queues: [Gauge; 4],
    held_back: Gauge,
    skipped: Gauge,
    interfaces: [Gauge; 4],
    layout: [Gauge; 4],
}

impl Gauges {
    fn new(meter: &Meter) -> Self {
        Self {
            queues: ["active", "backoff", "unschedulable", "gated"].map(|name| meter.gauge(&PENDING, &[name])),
            held_back: meter.gauge(&HELD_BACK, &[]),
            skipped: meter.gauge(&SKIPPED, &[]),
            interfaces: interfaces::STATES.map(|state| meter.gauge(&INTERFACES, &[state])),
            layout: layout::UNSOUND.map(|reason| meter.gauge(&LAYOUT, &[reason])),
        }
    }

    fn layout(&self, condition: &Condition) {
        for (gauge, reason) in self.layout.iter().zip(layout::UNSOUND) {
            gauge.set(i64::from(condition.reason == reason));
        }
    }

    fn set(&self, mind: &Mind) {
        let Counts { active, in_flight, backing_off, waiting, gated } = mind.counts();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for (gauge, count) in self.queues.iter().zip([active + in_flight, backing_off, waiting, gated]) {
            gauge.set(number(count));
        }
        for (gauge, count) in self.interfaces.iter().zip(mind.interface_counts()) {
            gauge.set(number(count));
        }
        self.held_back.set(number(pods_held_back(mind)));
        self.skipped.set(i64::try_from(mind.skipped()).unwrap_or(i64::MAX));
    }
}

/// Whether what the pod waits for was done: its binding, or every write that goes before one. These are the first actions
/// of its decision; of one whose answer was lost a later step tells.
fn is_done(report: &Report, actions: usize) -> bool {
    let done = |step: &&Step| matches!(step.result, StepResult::Done | StepResult::Unchanged);
    let done = |(outcome, steps): &(Outcome, Vec<Step>)| {
        *outcome != Outcome::Failed && steps.iter().filter(done).count() >= actions
    };
    actions > 0 && report.decisions.values().any(done)
}

fn standing(rt: &Runtime, switch: &Switch, platform: &Arc<PlatformSpec>) -> Standing {
    let settings = &platform.features.scheduling.settings;
    let seconds = |seconds: i32| Span::seconds(i64::from(seconds));
    Standing {
        stands_back: incumbent::stands_in_the_way(rt, settings),
        settings: layout::settings(settings, switch.effective),
        backoff: Backoff {
            initial: seconds(settings.pod_initial_backoff_seconds),
            max: seconds(settings.pod_max_backoff_seconds),
        },
        group_wait: seconds(settings.group_wait_seconds),
        leading: switch.leading,
        held: switch.held().is_some(),
        moved_by: switch.moved_by,
    }
}

/// The share of interfaces that pods may ask for, in thousandths.
fn limit(settings: &SchedulingSettings) -> i64 {
    i64::from(settings.bandwidth_limit_percent) * 10
}

/// What workloads were seen to use, where it is to be learned from.
fn usage(rt: &Runtime, settings: &SchedulingSettings) -> Arc<WorkloadUsage> {
    let known = rt.facts().read::<WorkloadUsage>().filter(|_| settings.learn_bandwidth);
    known.map(|known| known.value).unwrap_or_default()
}

fn pods_held_back(mind: &Mind) -> usize {
    if mind.standing().settings.mode < Mode::Enforce { mind.pods_of_ours() } else { 0 }
}

/// Whether pods wait for a scheduler that does not place them: the thing to know before and after a switch.
fn held_back(mind: &Mind) -> Condition {
    let Settings { scheduler, mode, .. } = &mind.standing().settings;
    let waiting = pods_held_back(mind);
    let (status, reason, message) = match waiting {
        0 => (ConditionStatus::False, "NoPods", format!("No pod waits for {scheduler} in vain.")),
        1 => (
            ConditionStatus::True,
            "SchedulerNotEnforcing",
            format!("1 pod names {scheduler} and stays Pending: scheduling is in mode {mode}."),
        ),
        count => (
            ConditionStatus::True,
            "SchedulerNotEnforcing",
            format!("{count} pods name {scheduler} and stay Pending: scheduling is in mode {mode}."),
        ),
    };
    Condition { kind: "PodsHeldBack".into(), status, reason: reason.into(), message }
}
