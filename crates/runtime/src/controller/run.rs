//! The workers of a controller.
//!
//! They work while this process leads and the feature is not off; until then keys gather, so that a standby is warm. A
//! reconcile that panics, fails or runs past its deadline costs its own key a back-off and nobody else anything.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use keelson_core::{Mode, Plan, Reason, Requeue, Span, StepResult, Timestamp, Verb};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::Instrument;

use super::{Controller, Options};
use crate::Runtime;
use crate::backoff::Backoff;
use crate::executor::Remark;
use crate::metrics::Metrics;
use crate::queue::{LOW, NORMAL, Queue, Wish};
use crate::shutdown::Phase;
use crate::spawn::panic_text;
use crate::switch::Switch;

/// Where keys are asked for; clones share it.
pub struct Inbox<C: Controller>(Arc<Line<C>>);

struct Line<C: Controller> {
    controller: C,
    options: Options,
    runtime: Runtime,
    state: Mutex<State<C::Key>>,
    wake: Notify,
    /// Whether keys are worked on now, and its turning. Not a `watch`: that one wakes its receivers by lot, and the order
    /// of workers shows in the order of calls.
    open: AtomicBool,
    turned: Notify,
}

struct State<K> {
    queue: Queue<K>,
    backoff: Backoff<K>,
    asked: BTreeMap<K, Timestamp>,
    working: BTreeMap<K, Instant>,
}

/// How one reconcile ended.
enum Ended {
    Settled(Requeue),
    /// Nothing is wrong with the key; somebody or something stood in the way.
    Held,
    Failed,
    /// The plan itself is wrong, and would be again.
    Terminal,
    Panicked(String),
    Overdue,
}

impl<C: Controller> Clone for Inbox<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Controller> Inbox<C> {
    /// Asks for a key to be reconciled as soon as it is its turn.
    pub fn add(&self, key: C::Key) {
        self.add_with(key, NORMAL);
    }

    /// The same with a priority of [`crate::queue`].
    pub fn add_with(&self, key: C::Key, priority: i32) {
        self.0.add(key, priority, self.0.runtime.clock().now());
    }

    /// How many keys wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().queue.len()
    }

    pub(crate) fn start(runtime: &Runtime, controller: C, options: Options) -> Self {
        let state = State {
            queue: Queue::default(),
            backoff: Backoff::default(),
            asked: BTreeMap::new(),
            working: BTreeMap::new(),
        };
        let line = Line {
            controller,
            options,
            runtime: runtime.clone(),
            state: Mutex::new(state),
            wake: Notify::new(),
            open: AtomicBool::new(false),
            turned: Notify::new(),
        };
        let line = Arc::new(line);
        runtime.0.lines.add(Arc::clone(&line) as Arc<dyn AnyLine>);
        runtime.0.metrics.begins(C::NAME, options.workers);
        let resync = Arc::clone(&line);
        runtime.spawn(&format!("{} resync", C::NAME), move || resync_on_change(Arc::clone(&resync)));
        for worker in 0..options.workers.max(1) {
            let line = Arc::clone(&line);
            runtime.spawn(&format!("{} worker {worker}", C::NAME), move || work(Arc::clone(&line)));
        }
        Self(line)
    }
}

impl<C: Controller> Line<C> {
    fn lock(&self) -> MutexGuard<'_, State<C::Key>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn metrics(&self) -> &Metrics {
        &self.runtime.0.metrics
    }

    fn add(&self, key: C::Key, priority: i32, ready_at: Timestamp) {
        let flow = C::flow(&key);
        let mut state = self.lock();
        let asked = state.asked.entry(key.clone()).or_insert(ready_at);
        *asked = ready_at.min(*asked);
        state.queue.add(key, Wish { priority, ready_at, flow });
        drop(state);
        self.metrics().added(C::NAME);
        self.wake.notify_one();
    }

    /// Returns when keys are worked on, or when they are not any more.
    async fn until(&self, open: bool) {
        loop {
            let turned = self.turned.notified();
            if self.open.load(Ordering::SeqCst) == open {
                return;
            }
            turned.await;
        }
    }

    /// The next key, as soon as there is one, and since when it was due.
    async fn next(&self) -> (C::Key, Timestamp) {
        let clock = self.runtime.clock();
        loop {
            let now = clock.now();
            let next_ready = {
                let mut state = self.lock();
                if let Some(key) = state.queue.pop(now) {
                    let asked = state.asked.remove(&key).unwrap_or(now);
                    state.working.insert(key.clone(), Instant::now());
                    let more = !state.queue.is_empty();
                    drop(state);
                    self.metrics().taken(C::NAME, now.since(asked));
                    if more {
                        self.wake.notify_one();
                    }
                    return (key, asked);
                }
                state.queue.next_ready()
            };
            match next_ready {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.wake.notified() => {}
                        () = clock.sleep_until(at) => {}
                    }
                }
                None => self.wake.notified().await,
            }
        }
    }

    /// Reconciles a key and puts it back where it belongs.
    async fn handle(&self, key: C::Key, asked: Timestamp) {
        let began = Instant::now();
        let started = self.runtime.clock().now();
        let reconciling = AssertUnwindSafe(self.reconcile(&key, asked)).catch_unwind();
        let ended = match tokio::time::timeout(self.options.deadline.to_std(), reconciling).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(panic)) => Ended::Panicked(panic_text(&*panic)),
            Err(_) => Ended::Overdue,
        };
        match &ended {
            Ended::Panicked(text) => {
                self.remark(&key, Reason::Panicked, format!("Deciding panicked: {text}. It is tried again later."));
            }
            Ended::Overdue => {
                let text = format!("Reconciling took longer than {}. It is tried again later.", self.options.deadline);
                self.remark(&key, Reason::DeadlineExceeded, text);
            }
            _ => {}
        }
        self.metrics().reconciled(C::NAME, ended.result(), began.elapsed());
        self.settle(key, started, &ended);
    }

    async fn reconcile(&self, key: &C::Key, asked: Timestamp) -> Ended {
        let Some(snapshot) = self.controller.snapshot(key) else { return Ended::Settled(Requeue::OnChange) };
        let (clock, now) = (self.runtime.clock(), self.runtime.clock().now());
        self.metrics().stage(C::FEATURE, "observe", clock.to_process(now.since(asked)));
        let began = Instant::now();
        let mut plan: Plan = C::decide(&snapshot, now);
        let took = Span(i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX));
        plan.decisions.iter_mut().for_each(|decision| decision.took = took);
        self.metrics().decided(C::FEATURE, began.elapsed());
        let requeue = plan.requeue;
        let recording = if plan.actions.is_empty() { None } else { serde_json::to_vec(&snapshot).ok() };
        let report = self.runtime.executor().run(C::FEATURE, plan, recording).await;
        self.controller.ended(&snapshot, now, &report);
        if report.has(StepResult::Failed) {
            Ended::Failed
        } else if report.has(StepResult::Held) || report.has(StepResult::Conflict) {
            Ended::Held
        } else if report.orphans > 0 {
            Ended::Terminal
        } else {
            Ended::Settled(requeue)
        }
    }

    fn settle(&self, key: C::Key, started: Timestamp, ended: &Ended) {
        let now = self.runtime.clock().now();
        let mut state = self.lock();
        state.working.remove(&key);
        state.queue.done(&key);
        let ready_at = match ended {
            Ended::Settled(requeue) => {
                state.backoff.forget(&key);
                match requeue {
                    Requeue::OnChange => None,
                    Requeue::After(span) => Some(now + *span),
                    Requeue::At(at) => Some(*at),
                }
            }
            Ended::Terminal => {
                state.backoff.forget(&key);
                None
            }
            Ended::Held | Ended::Failed | Ended::Panicked(_) | Ended::Overdue => {
                Some(state.backoff.failed(key.clone(), started, now))
            }
        };
        drop(state);
        if let Some(at) = ready_at {
            if !matches!(ended, Ended::Settled(_)) {
                self.metrics().retried(C::NAME);
            }
            self.add(key, NORMAL, at);
        } else {
            self.wake.notify_one();
        }
    }

    /// Says in the history that a key could not be reconciled.
    fn remark(&self, key: &C::Key, reason: Reason, sentence: String) {
        tracing::error!(controller = C::NAME, key = %key, "{sentence}");
        let remark =
            Remark { id: None, controller: C::NAME, subject: C::subject(key), verb: Verb::Wait, reason, sentence };
        self.runtime.executor().remark(C::FEATURE, remark);
    }
}

impl Ended {
    const fn result(&self) -> &'static str {
        match self {
            Self::Settled(Requeue::OnChange) => "success",
            Self::Settled(_) => "requeue_after",
            Self::Held => "requeue",
            Self::Failed => "error",
            Self::Terminal => "terminal",
            Self::Panicked(_) => "panic",
            Self::Overdue => "timeout",
        }
    }
}

/// One worker, until the process stops.
async fn work<C: Controller>(line: Arc<Line<C>>) {
    let stopping = line.runtime.0.stages.reached(Phase::Stopping);
    let mut stopping = std::pin::pin!(stopping);
    loop {
        tokio::select! {
            biased;
            () = &mut stopping => return,
            () = line.until(true) => {}
        }
        let (key, asked) = tokio::select! {
            biased;
            () = &mut stopping => return,
            () = line.until(false) => continue,
            next = line.next() => next,
        };
        let object = C::subject(&key);
        let span = tracing::info_span!(
            "reconcile",
            controller = C::NAME,
            %object,
            "keelson.feature" = %C::FEATURE,
            "k8s.namespace.name" = object.namespace,
            "k8s.object.name" = object.name,
        );
        line.handle(key, asked).instrument(span).await;
    }
}

/// Whether keys are worked on: deciding goes on below Enforce and through a pause, but never on a standby.
fn works(switch: &Switch) -> bool {
    switch.leading && switch.effective != Mode::Off
}

/// Lets the workers work or wait, and queues every key when this process begins to lead or what the feature may do has
/// changed.
async fn resync_on_change<C: Controller>(line: Arc<Line<C>>) {
    let mut switch = line.runtime.switch(C::FEATURE);
    let stopping = line.runtime.0.stages.reached(Phase::Stopping);
    let mut stopping = std::pin::pin!(stopping);
    let mut before = None;
    loop {
        let now = switch.borrow_and_update().clone();
        if line.open.swap(works(&now), Ordering::SeqCst) != works(&now) {
            line.turned.notify_waiters();
        }
        if works(&now) && before.as_ref() != Some(&now) {
            match catch_unwind(AssertUnwindSafe(|| line.controller.keys())) {
                Ok(keys) => keys.into_iter().for_each(|key| line.add(key, LOW, line.runtime.clock().now())),
                Err(panic) => tracing::error!(controller = C::NAME, "listing keys panicked: {}", panic_text(&*panic)),
            }
        }
        before = Some(now);
        tokio::select! {
            biased;
            () = &mut stopping => return,
            changed = switch.changed() => if changed.is_err() { return },
        }
    }
}

/// A controller's line, whatever its keys are.
pub(crate) trait AnyLine: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// How many keys wait, by priority.
    fn depths(&self) -> BTreeMap<i32, usize>;
    /// How long each reconcile under way has taken, in seconds.
    fn working(&self) -> Vec<f64>;
}

impl<C: Controller> AnyLine for Line<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }
    fn depths(&self) -> BTreeMap<i32, usize> {
        self.lock().queue.depths()
    }
    fn working(&self) -> Vec<f64> {
        self.lock().working.values().map(|began| began.elapsed().as_secs_f64()).collect()
    }
}

/// Every controller's line.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<Arc<dyn AnyLine>>>>);

impl Lines {
    fn add(&self, line: Arc<dyn AnyLine>) {
        self.lock().push(line);
    }

    /// Each of them, in the order they were started.
    pub(crate) fn all(&self) -> Vec<Arc<dyn AnyLine>> {
        self.lock().clone()
    }

    /// Lets go of them: a line holds the runtime, and the runtime its lines.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<dyn AnyLine>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
