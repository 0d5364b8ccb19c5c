//! One day: the world, the replicas, what happens to them, the report.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use keelson::cluster::QUIET;
use keelson::platform::{Parts, Platform};
use keelson::simulated::{NAMESPACE, install};
use keelson::store::Opened;
use keelson_api::names;
use keelson_core::{Decision, Feature, Mode, Span, Timestamp};
use keelson_runtime::Calls;
use keelson_runtime::config::Election;
use keelson_runtime::elector::Timing;
use keelson_sim::api::{Api, Config};
use keelson_sim::face::{
    Shared,
    faults::{Faults, Rates},
    tower::Face,
};
use keelson_sim::objects::Event;
use keelson_sim::world::chance::Chance;
use keelson_sim::world::drive::Simulation;
use keelson_sim::world::invariants::{Invariant, Invariants};
use keelson_sim::world::kinds::LEASES;
use keelson_sim::world::scenario::Scenario;
use keelson_sim::world::{Settings, World};
use keelson_store::{Filter, Journal, JournalOptions, Retention, Store};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use crate::books::Books;
use crate::budgets::Budgets;
use crate::intermittent::Intermittent;
use crate::order::Order;
use crate::patience::Patience;
use crate::report::Report;
use crate::room::Room;
use crate::units::Units;
use crate::weather::{Blow, forecast};

/// When every day begins.
const MIDNIGHT: &str = "2026-05-20T00:00:00Z";
/// Without faults, at the end, so that what should come about can.
const CALM: Span = Span::minutes(15);
/// How many changes of a resource the API server remembers: a watch that was cut for longer has to list again.
const HISTORY: usize = 1_000;
/// How many replicas there are.
const REPLICAS: usize = 2;

/// How old what a replica knows may be: as long as a watch may be silent before the client gives it up, and the way back.
pub const GRACE: Span = Span::seconds(180);
/// Machines and pods of a day, unless it is asked for another size.
pub const MACHINES: usize = 200;
/// See [`MACHINES`].
pub const PODS_ABOUT: usize = 3_000;

/// What a day is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Changes and decisions that mention this are printed, to see what a failing seed did.
    pub show: Option<String>,
    /// Everything that is left to chance.
    pub seed: u64,
    /// How long it is; the last quarter of an hour is calm.
    pub length: Span,
    /// Machines.
    pub nodes: usize,
    /// Pods, about.
    pub pods: usize,
    /// How leadership is decided; anything but [`Election::Lease`] puts a fault back on purpose.
    pub election: Election,
}

impl Plan {
    /// The day of the soak: 24 hours, 200 machines, about 3,000 pods, two replicas, every fault.
    #[must_use]
    pub const fn full(seed: u64) -> Self {
        Self { show: None, seed, length: Span::hours(24), nodes: MACHINES, pods: PODS_ABOUT, election: Election::Lease }
    }
}

/// The names of everything that can go wrong; a run in which one never did proves nothing about it.
///
/// A stale list is on, too, but cannot strike: the caches never ask for a list of any age.
pub const FAULTS: [&str; 17] = [
    "latency",
    "conflict",
    "too_many",
    "error_before",
    "error_after",
    "gone",
    "dropped",
    "stalled",
    "duplicate",
    "late",
    "api outage",
    "partition",
    "crash",
    "database outage",
    "lost_lease",
    "skew",
    "lost node",
];

/// The names of everything that must hold.
#[must_use]
pub fn invariants() -> Vec<String> {
    let cluster = Invariant::ALL.iter().map(|invariant| format!("{invariant:?}"));
    let ours =
        [&crate::books::ALL[..], &crate::order::ALL, &crate::budgets::ALL, &crate::units::ALL, &crate::patience::ALL];
    cluster.chain(ours.concat().into_iter().map(str::to_owned)).collect()
}

/// Lives a day, on a runtime of its own, on virtual time.
///
/// # Errors
/// What kept it from beginning.
pub fn live(plan: &Plan) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(async { Day::begin(plan).await?.run(plan).await })
}

/// What looks on.
struct Witness {
    show: Option<String>,
    invariants: Invariants,
    books: Books,
    order: Order,
    room: Room,
    budgets: Budgets,
    units: Units,
    patience: Patience,
    trace: Sha256,
    events: u64,
}

impl Default for Witness {
    fn default() -> Self {
        let (show, books, order, room, budgets) = Default::default();
        let (units, patience, trace, events) = Default::default();
        let invariants = Invariants::with_grace(GRACE);
        Self { show, invariants, books, order, room, budgets, units, patience, trace, events }
    }
}

impl Witness {
    fn see(&mut self, event: &Event, now: Timestamp) {
        self.events += 1;
        if let Some(what) = &self.show {
            show(what, event, now);
        }
        self.trace.update(now.0.to_le_bytes());
        // A hash takes everything it is given.
        let _ = serde_json::to_writer(&mut self.trace, &event.object);
        self.invariants.see(event, now);
        self.books.see(event, now);
        self.order.see(event, now);
        self.room.see(event, now);
        self.budgets.see(event, now, &self.room);
        self.units.see(event, now, &self.room);
        self.patience.see(event, now, &self.room);
    }

    /// Something happened to the replicas, or is over.
    fn disturb(&mut self, now: Timestamp) {
        self.budgets.disturb(now);
        self.patience.disturb();
    }
}

struct Replica {
    platform: Platform,
    faults: Faults,
}

struct Day {
    begin: Timestamp,
    store: Arc<Intermittent>,
    simulation: Simulation,
    witness: Arc<Mutex<Witness>>,
    replicas: Vec<Replica>,
    gone: Vec<Replica>,
    fired: BTreeMap<String, u64>,
}

impl Day {
    async fn begin(plan: &Plan) -> Result<Self> {
        let begin = Timestamp::parse(MIDNIGHT)?;
        let clock = keelson_sim::clock::Clock::start(begin, 1);
        let shared = Shared::new(Api::new(Config { seed: plan.seed, history: HISTORY, ..Config::default() }), clock);
        let simulation = Simulation::new(shared.clone(), World::new(plan.seed, Settings::default()));
        let witness = Arc::new(Mutex::new(Witness { show: plan.show.clone(), ..Witness::default() }));
        let looking = Arc::clone(&witness);
        tokio::spawn(simulation.clone().run(move |event, now| {
            looking.lock().unwrap_or_else(PoisonError::into_inner).see(event, now);
        }));
        install(&kube::Client::new(Face::new(shared), "default"), Mode::Enforce).await?;
        let mut scenario = Scenario::churn(plan.seed, plan.nodes, plan.pods, names::SCHEDULER);
        crate::cast::join(&mut scenario, plan.nodes, plan.length);
        simulation
            .act(|world, cluster| world.follow(scenario, cluster))
            .map_err(|refusal| anyhow::anyhow!("the day cannot begin: {refusal}"))?;
        let (replicas, gone, fired) = Default::default();
        let mut day = Self { begin, store: Arc::default(), simulation, witness, replicas, gone, fired };
        for number in 0..REPLICAS {
            let replica = day.replica(plan, number)?;
            day.replicas.push(replica);
        }
        Ok(day)
    }

    /// Starts a replica, on a machine whose clock is wrong; `number` counts all that ever were.
    fn replica(&self, plan: &Plan, number: usize) -> Result<Replica> {
        let shared = self.simulation.shared();
        let number = u64::try_from(number)?;
        let seed = Chance::new(plan.seed).draw("replica", &number.to_string());
        let faults = Faults::new(seed, Rates { silent_seconds: QUIET.as_secs(), ..Rates::rough() });
        let client = kube::Client::new(Face::new(shared.clone()).with_faults(faults.clone()), "default");
        let now = shared.clock().now();
        let platform = Platform::start(Parts {
            lease_client: client.clone(),
            client,
            calls: Calls::default(),
            clock: keelson_runtime::Clock::start(now, 1).with_offset(faults.skew()),
            seed,
            identity: format!("keelson-{number}"),
            namespace: NAMESPACE.to_owned(),
            owner: None,
            ceilings: BTreeMap::from([(Feature::Scheduling, Mode::Enforce)]),
            election: plan.election,
            timing: Timing::default(),
            mode_file: None,
            trace_id: String::new,
            store: Opened { store: Arc::clone(&self.store) as Arc<dyn Store>, changes: None },
            retention: Retention::default(),
            journal: Journal::in_memory(JournalOptions::default()),
        })?;
        Ok(Replica { platform, faults })
    }

    async fn run(mut self, plan: &Plan) -> Result<Report> {
        let chance = Chance::new(plan.seed);
        for (pause, blow) in forecast(chance, plan.length, u64::try_from(self.replicas.len())?) {
            sleep(pause.to_std()).await;
            *self.fired.entry(blow.name().to_owned()).or_default() += 1;
            self.disturb();
            self.strike(plan, blow).await?;
            self.disturb();
        }
        let clock = self.simulation.shared().clock();
        clock.sleep_until(self.begin + Span(plan.length.0 - CALM.0)).await;
        self.replicas.iter().for_each(|replica| replica.faults.set(Rates::default()));
        clock.sleep_until(self.begin + plan.length).await;
        self.end(plan.seed).await
    }

    fn disturb(&self) {
        let now = self.simulation.shared().clock().now();
        self.witness.lock().unwrap_or_else(PoisonError::into_inner).disturb(now);
    }

    async fn strike(&mut self, plan: &Plan, blow: Blow) -> Result<()> {
        let cut = |day: &Self, which: Option<usize>, off: bool| {
            let struck = day.replicas.iter().enumerate().filter(|(number, _)| which.is_none_or(|one| one == *number));
            struck.for_each(|(_, replica)| replica.faults.outage(off));
        };
        match blow {
            Blow::Outage | Blow::Partition(_) => {
                let which = if let Blow::Partition(one) = blow { Some(one) } else { None };
                cut(self, which, true);
                sleep(blow.lasts().to_std()).await;
                cut(self, which, false);
            }
            Blow::NoDatabase => {
                self.store.switch_off(true);
                sleep(blow.lasts().to_std()).await;
                self.store.switch_off(false);
            }
            Blow::Crash(one) => {
                // Its net goes first and never comes back: nothing it still wants to do reaches the cluster.
                cut(self, Some(one), true);
                let number = self.replicas.len() + self.gone.len();
                let fresh = self.replica(plan, number)?;
                let place = self.replicas.get_mut(one).context("no such replica")?;
                let old = std::mem::replace(place, fresh);
                let platform = old.platform.clone();
                tokio::spawn(async move { platform.stop().await });
                self.gone.push(old);
            }
        }
        Ok(())
    }

    async fn end(mut self, seed: u64) -> Result<Report> {
        for replica in &self.replicas {
            replica.platform.stop().await;
        }
        let decisions = everything(self.store.as_ref()).await?;
        let mut dropped = 0;
        for replica in self.replicas.iter().chain(&self.gone) {
            dropped += replica.platform.recorder.health().dropped;
            for (fault, count) in replica.faults.fired() {
                *self.fired.entry(fault.to_owned()).or_default() += count;
            }
        }
        let now = self.simulation.shared().clock().now();
        let witness = std::mem::take(&mut *self.witness.lock().unwrap_or_else(PoisonError::into_inner));
        let Witness { show, invariants, mut books, order, room, mut budgets, mut units, patience, mut trace, events } =
            witness;
        for decision in decisions.iter().rev().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()? {
            if show.as_ref().is_some_and(|what| decision.contains(what)) {
                println!("{decision}");
            }
        }
        books.close(&decisions, dropped, &room, &patience, now);
        budgets.close(&decisions);
        units.close(&decisions);
        *self.fired.entry("lost node".to_owned()).or_default() += books.lost_nodes();
        for decision in &decisions {
            trace.update(serde_json::to_vec(decision)?);
        }
        let mut found = books.verdict();
        for other in [order.verdict(), budgets.verdict(), units.verdict(), patience.verdict()] {
            found.add(other);
        }
        found
            .at_stake
            .extend(invariants.at_stake().iter().map(|(invariant, count)| (format!("{invariant:?}"), *count)));
        let cluster = invariants.broken().iter();
        let cluster = cluster.map(|breach| format!("{:?} at {}: {}", breach.invariant, breach.at, breach.what));
        Ok(Report {
            seed,
            events,
            decisions: u64::try_from(decisions.len())?,
            fired: self.fired,
            at_stake: found.at_stake,
            breaches: cluster.chain(found.breaches).collect(),
            trace: trace.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

/// Prints a change that mentions `what`, and every change of the Leases of leaders.
fn show(what: &str, event: &Event, now: Timestamp) {
    let object = event.object.to_string();
    if object.contains(what) || event.resource == LEASES && !object.contains("kube-node-lease") {
        let verb = if event.deleted { "deleted" } else { "written" };
        println!("{now} {verb} {object}");
    }
}

/// Every decision there is, newest first.
async fn everything(store: &dyn Store) -> Result<Vec<Decision>> {
    let mut filter = Filter { limit: keelson_store::MAX_PAGE, ..Filter::default() };
    let mut all = Vec::new();
    loop {
        let page = store.decisions(&filter).await?;
        all.extend(page.decisions);
        filter.before = page.next;
        if filter.before.is_none() {
            return Ok(all);
        }
    }
}
