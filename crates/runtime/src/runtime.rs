//! The one object that operators hold.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use keelson_api::PlatformSpec;
use keelson_core::{Condition, DecisionId, Feature, IdSource, PlanId};
use tokio::sync::watch;

use crate::cache::{AnyCache, Cache, Cached, Source, reflect};
use crate::chance::Chance;
use crate::executor::Executor;
use crate::facts::Facts;
use crate::health::Health;
use crate::history::History;
use crate::reach::Reach;
use crate::shutdown::{Phase, Stages};
use crate::spawn::{Task, Tasks};
use crate::switch::{Switch, Switches};
use crate::{Clock, Config, StartError};

/// The runtime; clones share it.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) chance: Chance,
    pub(crate) reach: Reach,
    pub(crate) switches: Arc<Switches>,
    pub(crate) settings: watch::Sender<Arc<PlatformSpec>>,
    pub(crate) caches: Caches,
    pub(crate) executor: Executor,
    pub(crate) facts: Facts,
    pub(crate) tasks: Tasks,
    pub(crate) sources: Tasks,
    pub(crate) stages: Stages,
}

/// The caches, by kind and Rust type.
#[derive(Clone, Default)]
pub(crate) struct Caches(Arc<Mutex<BTreeMap<(String, &'static str), Held>>>);

#[derive(Clone)]
struct Held {
    typed: Arc<dyn Any + Send + Sync>,
    any: Arc<dyn AnyCache>,
}

impl Caches {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, &'static str), Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every cache, by kind.
    pub(crate) fn all(&self) -> Vec<Arc<dyn AnyCache>> {
        self.lock().values().map(|held| Arc::clone(&held.any)).collect()
    }
}

impl Runtime {
    /// Starts following the Platform and standing for leadership. Needs a tokio runtime.
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
        let chance = Chance::new(config.seed);
        let reach = Reach::new(config.clock);
        let switches = Arc::new(Switches::new(&config.ceilings));
        let executor = Executor::new(&config, &chance, &switches);
        let shared = Shared {
            chance,
            reach,
            switches,
            settings: watch::channel(Arc::default()).0,
            caches: Caches::default(),
            executor,
            facts: Facts::default(),
            tasks: Tasks::default(),
            sources: Tasks::default(),
            stages: Stages::default(),
            config,
        };
        Ok(Self(Arc::new(shared)))
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.0.config.clock
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

    /// The last good settings.
    #[must_use]
    pub fn settings(&self) -> watch::Receiver<Arc<PlatformSpec>> {
        self.0.settings.subscribe()
    }

    /// The shared copy of a kind, started on first use.
    #[must_use]
    pub fn cache<K: Cached>(&self) -> Cache<K> {
        self.open(false)
    }

    /// The shared copy of a kind that the API server may not have; looked for again every minute.
    #[must_use]
    pub fn optional_cache<K: Cached>(&self) -> Cache<K> {
        self.open(true)
    }

    fn open<K: Cached>(&self, optional: bool) -> Cache<K> {
        let kind = format!("{}.{}", K::kind(&()), K::api_version(&()));
        let mut caches = self.0.caches.lock();
        let key = (kind, type_name::<K>());
        if let Some(held) = caches.get(&key)
            && let Some(cache) = held.typed.downcast_ref::<Cache<K>>()
        {
            return cache.clone();
        }
        let cache = Cache::new(self.clock());
        caches.insert(key, Held { typed: Arc::new(cache.clone()), any: Arc::new(cache.clone()) });
        let source = Source {
            client: self.0.config.client.clone(),
            clock: self.clock(),
            chance: self.0.chance.clone(),
            reach: self.0.reach.clone(),
            optional,
        };
        let name = format!("cache {}", K::plural(&()));
        let kept = cache.clone();
        self.0.sources.spawn(&self.0.chance, &name, move || reflect(kept.clone(), source.clone()));
        cache
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

    /// Says how a feature is doing, in the Platform's status; written only when it changes.
    pub fn report(&self, feature: Feature, conditions: Vec<Condition>) {
        tracing::debug!(%feature, ?conditions, "reported");
    }

    /// Runs a task that is looked after: what `make` makes is run, and made again after a panic.
    pub fn spawn<F, Fut>(&self, name: &str, make: F) -> Task
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.0.tasks.spawn(&self.0.chance, name, make)
    }

    /// Returns when the process begins to stop.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.0.stages.reached(Phase::Stopping)
    }

    /// Stops in order.
    pub async fn shutdown(&self) {
        self.0.stages.enter(Phase::Stopping);
        self.0.config.history.flush().await;
    }

    /// How everything is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let caches: Vec<_> = self.0.caches.all().iter().map(|cache| cache.health()).collect();
        let synced = caches.iter().all(|cache| cache.synced);
        Health { live: true, ready: synced, caches, api: Some(self.0.reach.now()), ..Health::default() }
    }
}
