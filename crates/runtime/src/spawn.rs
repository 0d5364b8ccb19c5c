//! Tasks that are looked after.
//!
//! A task that panics is started again, after a wait that doubles up to a minute; a task that returns has ended. A task
//! that nobody joins is how programs lose half of themselves unnoticed, so every one has a name, a count of panics and a
//! place in `/statusz`.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use keelson_core::Span;
use tokio::task::AbortHandle;
use tokio::time::{Duration, Instant};

use crate::chance::Chance;

/// The first wait after a panic.
const FIRST: Span = Span::millis(100);
/// The longest.
const LONGEST: Span = Span::seconds(60);
/// A task that ran this long before it panicked starts anew from the first wait.
const HEALTHY: Duration = Duration::from_secs(120);

/// A task; dropping this does not stop it.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its name.
    pub name: Arc<str>,
    handle: AbortHandle,
}

impl Task {
    /// Stops it where it waits.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

/// Every task of a runtime.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    running: Vec<Task>,
    panics: BTreeMap<Arc<str>, u64>,
}

impl Tasks {
    /// Runs what `make` makes, again after every panic.
    pub(crate) fn spawn<F, Fut>(&self, chance: &Chance, name: &str, make: F) -> Task
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let name: Arc<str> = name.into();
        let task = tokio::spawn(supervise(self.clone(), chance.clone(), Arc::clone(&name), make));
        let task = Task { name, handle: task.abort_handle() };
        let mut held = self.lock();
        held.running.retain(|task| !task.is_finished());
        held.running.push(task.clone());
        task
    }

    /// How often each task has panicked, by name; those that never did are left out.
    pub(crate) fn panics(&self) -> BTreeMap<Arc<str>, u64> {
        self.lock().panics.clone()
    }

    /// The tasks that run.
    pub(crate) fn running(&self) -> Vec<Task> {
        self.lock().running.iter().filter(|task| !task.is_finished()).cloned().collect()
    }

    fn panicked(&self, name: &Arc<str>) {
        *self.lock().panics.entry(Arc::clone(name)).or_default() += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn supervise<F, Fut>(tasks: Tasks, chance: Chance, name: Arc<str>, make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = ()>,
{
    let mut wait = FIRST;
    loop {
        let began = Instant::now();
        let Err(panic) = AssertUnwindSafe(async { make().await }).catch_unwind().await else { return };
        tasks.panicked(&name);
        if began.elapsed() >= HEALTHY {
            wait = FIRST;
        }
        tracing::error!(task = &*name, "panicked, starting it again in {wait}: {}", panic_text(&*panic));
        tokio::time::sleep(chance.jitter(wait).to_std()).await;
        wait = Span(wait.0.saturating_mul(2)).min(LONGEST);
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_counted_and_started_again() {
        let (tasks, runs) = (Tasks::default(), Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&runs);
        let task = tasks.spawn(&Chance::new(1), "fragile", move || {
            let run = counter.fetch_add(1, Ordering::Relaxed);
            async move { assert!(run >= 3, "run {run}") }
        });
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!((runs.load(Ordering::Relaxed), task.is_finished()), (4, true));
        assert_eq!(tasks.panics().get("fragile"), Some(&3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_always_panics_does_not_spin() {
        let (tasks, runs) = (Tasks::default(), Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&runs);
        let task = tasks.spawn(&Chance::new(1), "broken", move || {
            counter.fetch_add(1, Ordering::Relaxed);
            async { panic!("always") }
        });
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!((60..200).contains(&runs.load(Ordering::Relaxed)), "{runs:?}");
        task.abort();
    }
}
