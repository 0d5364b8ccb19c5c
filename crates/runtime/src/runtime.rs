//! The one object that operators hold.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use keelson_api::{Platform, PlatformSpec};
use keelson_core::{Condition, DecisionId, Feature, IdSource, PlanId};
use kube::Client;
use serde::de::DeserializeOwned;

use crate::bounded::bounded;
use crate::cache::{Cache, Cached, Caches};
use crate::chance::Chance;
use crate::controller::{Controller, Inbox, Lines, Options};
use crate::executor::{Executor, keep_settled, look_after};
use crate::facts::Facts;
use crate::health::LeaseHealth;
use crate::history::History;
use crate::lease::{Candidate, stand};
use crate::mandate::introduced;
use crate::metrics::Metrics;
use crate::platform::{self, Verdict};
use crate::reach::Reach;
use crate::shutdown::Stages;
use crate::spawn::{Task, Tasks};
use crate::switch::{Switch, Switches};
use crate::{Clock, Config, StartError, status, watch};

/// The runtime; clones share it.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    /// For watches and the Platform's status: its calls end.
    pub(crate) client: Client,
    pub(crate) chance: Chance,
    pub(crate) reach: Reach,
    pub(crate) metrics: Metrics,
    pub(crate) switches: Arc<Switches>,
    pub(crate) settings: watch::Sender<Arc<PlatformSpec>>,
    pub(crate) verdict: watch::Sender<Verdict>,
    /// Whether a Platform was read, or is known to be absent.
    pub(crate) known: watch::Sender<bool>,
    pub(crate) reported: watch::Sender<BTreeMap<Feature, Vec<Condition>>>,
    pub(crate) leases: BTreeMap<Feature, Arc<Mutex<LeaseHealth>>>,
    pub(crate) caches: Caches,
    pub(crate) executor: Executor,
    pub(crate) facts: Facts,
    pub(crate) lines: Lines,
    /// Watches and what follows them: stopped first.
    pub(crate) sources: Tasks,
    /// Workers and loops: drained.
    pub(crate) tasks: Tasks,
    /// Lease holders: the last to go.
    pub(crate) candidates: Tasks,
    pub(crate) stages: Stages,
}

impl Runtime {
    /// Starts following the Platform and standing for leadership. Needs a tokio runtime.
    ///
    /// ```
    /// use std::{collections::BTreeMap, sync::Arc};
    /// use keelson_core::{Feature, Mode};
    /// use keelson_runtime::config::{Config, Election};
    /// use keelson_runtime::{Calls, Clock, MemoryHistory, Runtime, elector::Timing};
    /// # use keelson_sim::{api::Api, clock::Clock as Time, face::{Shared, tower::Face}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), keelson_runtime::StartError> {
    /// let calls = Calls::default();
    /// # let cluster = Face::new(Shared::new(Api::new(Default::default()), Time::start(Default::default(), 1)));
    /// # let client = kube::client::ClientBuilder::new(cluster, "default").with_layer(&calls.to("api:6443")).build();
    /// // `client`: of a cluster, built with `calls` around it.
    /// let runtime = Runtime::start(Config {
    ///     clock: Clock::system(),
    ///     seed: 7,
    ///     identity: "keelson-0-8e1f".into(),
    ///     namespace: "keelson".into(),
    ///     owner: None,
    ///     ceilings: BTreeMap::from([(Feature::Scheduling, Mode::Observe)]),
    ///     timing: Timing::default(),
    ///     election: Election::Lease,
    ///     trace_id: String::new,
    ///     history: Arc::new(MemoryHistory::default()),
    ///     lease_client: client.clone(),
    ///     client,
    ///     calls,
    ///     mode_file: None,
    /// })?;
    /// assert!(!runtime.switch(Feature::Scheduling).borrow().acts(), "nobody leads yet");
    /// // Operators are started here.
    /// runtime.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What the configuration lacks.
    pub fn start(config: Config) -> Result<Self, StartError> {
        config.timing.validate()?;
        if config.identity.is_empty() {
            return Err(StartError::Identity);
        }
        if config.namespace.is_empty() {
            return Err(StartError::Namespace);
        }
        let config = Arc::new(config);
        let (clock, client) = (config.clock, bounded(config.client.clone()));
        let (chance, reach, metrics) = (Chance::new(config.seed), Reach::new(clock), Metrics::new(config.trace_id));
        let (switches, sources) = (Arc::new(Switches::new(&config.ceilings)), Tasks::default());
        let caches = Caches::new(client.clone(), clock, chance.clone(), reach.clone(), sources.clone());
        let executor = Executor::new(&config, &chance, &reach, &metrics, &switches, &caches);
        let runtime = Self(Arc::new(Shared {
            config,
            client,
            chance,
            reach,
            metrics,
            switches,
            settings: watch::channel(Arc::default()).0,
            verdict: watch::channel(Verdict::default()).0,
            known: watch::channel(false).0,
            reported: watch::channel(BTreeMap::new()).0,
            leases: Feature::ALL.into_iter().map(|feature| (feature, Arc::default())).collect(),
            caches,
            executor,
            facts: Facts::default(),
            lines: Lines::default(),
            sources,
            tasks: Tasks::default(),
            candidates: Tasks::default(),
            stages: Stages::default(),
        }));
        runtime.start_own_tasks();
        Ok(runtime)
    }

    fn start_own_tasks(&self) {
        let shared = &self.0;
        let runtime = self.clone();
        shared.sources.spawn(&shared.chance, "platform", move || platform::follow(runtime.clone()));
        let runtime = self.clone();
        shared.sources.spawn(&shared.chance, "platform status", move || status::keep(runtime.clone()));
        let executor = shared.executor.clone();
        shared.sources.spawn(&shared.chance, "breakers", move || look_after(executor.clone()));
        let executor = shared.executor.clone();
        shared.sources.spawn(&shared.chance, "settling", move || keep_settled(executor.clone()));
        for (feature, seen) in &shared.leases {
            let candidate = Candidate {
                feature: *feature,
                config: Arc::clone(&shared.config),
                chance: shared.chance.fork(&format!("lease {feature}")),
                reach: shared.reach.clone(),
                metrics: shared.metrics.clone(),
                caches: shared.caches.clone(),
                switches: Arc::clone(&shared.switches),
                stages: shared.stages.clone(),
                known: shared.known.subscribe(),
                seen: Arc::clone(seen),
            };
            let name = format!("lease {feature}");
            shared.candidates.spawn(&shared.chance, &name, move || stand(candidate.clone()));
        }
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.0.config.clock
    }

    /// Seeded randomness: ids and jitter.
    #[must_use]
    pub fn chance(&self) -> &Chance {
        &self.0.chance
    }

    /// A fresh id for a decision made now.
    #[must_use]
    pub fn decision_id(&self) -> DecisionId {
        self.0.chance.decision_id(self.clock().now())
    }

    /// A fresh id for a plan made now.
    #[must_use]
    pub fn plan_id(&self) -> PlanId {
        self.0.chance.plan_id(self.clock().now())
    }

    /// What a feature may do, now and whenever it changes.
    #[must_use]
    pub fn switch(&self, feature: Feature) -> watch::Receiver<Switch> {
        self.0.switches.subscribe(feature)
    }

    /// Sends a request as the leader of a feature: it shows the leader's number, and is not sent once the Lease has run out.
    /// None while another leads.
    ///
    /// # Errors
    /// When it cannot be built, is refused or gets no answer.
    pub async fn send_as_leader<T: DeserializeOwned>(
        &self,
        feature: Feature,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Option<Result<T, kube::Error>> {
        let Switch { leading, fence, .. } = self.0.switches.now(feature);
        let send = async { self.0.client.request(introduced(request)?).await };
        if leading { Some(self.0.switches.mandate(feature, fence).act(send).await) } else { None }
    }

    /// The last good settings.
    #[must_use]
    pub fn settings(&self) -> watch::Receiver<Arc<PlatformSpec>> {
        self.0.settings.subscribe()
    }

    /// The Platform as it is in the cluster.
    #[must_use]
    pub fn platform(&self) -> Cache<Platform> {
        self.optional_cache()
    }

    /// The shared copy of a kind, started on first use.
    #[must_use]
    pub fn cache<K: Cached>(&self) -> Cache<K> {
        self.0.caches.open(false)
    }

    /// The shared copy of a kind that the API server may not have; looked for again every minute.
    #[must_use]
    pub fn optional_cache<K: Cached>(&self) -> Cache<K> {
        self.0.caches.open(true)
    }

    /// Carries out plans.
    #[must_use]
    pub fn executor(&self) -> &Executor {
        &self.0.executor
    }

    /// Where decisions go.
    #[must_use]
    pub fn history(&self) -> &Arc<dyn History> {
        &self.0.config.history
    }

    /// What features tell one another.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// Says how a feature is doing, in the Platform's status: the whole list, in place of what was said before. Written
    /// only when it changes.
    pub fn report(&self, feature: Feature, conditions: Vec<Condition>) {
        self.0.reported.send_if_modified(|reported| {
            let before = reported.insert(feature, conditions);
            before.as_ref() != reported.get(&feature)
        });
    }

    /// Runs a task that is looked after: what `make` makes is run, and made again after a panic.
    pub fn spawn<F, Fut>(&self, name: &str, make: F) -> Task
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.0.tasks.spawn(&self.0.chance, name, make)
    }

    /// Runs a controller; the inbox is where its sources ask for keys.
    #[must_use]
    pub fn run_controller<C: Controller>(&self, controller: C, options: Options) -> Inbox<C> {
        Inbox::start(self, controller, options)
    }

    pub(crate) fn lease_health(&self, feature: Feature) -> LeaseHealth {
        let seen = self.0.leases.get(&feature);
        seen.map(|seen| seen.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
    }
}
