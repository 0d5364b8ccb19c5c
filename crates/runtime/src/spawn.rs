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
use crate::watch;

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

/// Tasks that end together; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Tasks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    held: Mutex<Held>,
    running: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Held {
    tasks: BTreeMap<u64, Task>,
    next: u64,
    panics: BTreeMap<Arc<str>, u64>,
}

/// Takes a task off the list, however it ended.
struct Entry(Tasks, u64);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.lock().tasks.remove(&self.1);
        self.0.0.running.send_modify(|running| *running -= 1);
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self(Arc::new(Inner { held: Mutex::default(), running: watch::channel(0).0 }))
    }
}

impl Tasks {
    /// Runs what `make` makes, again after every panic.
    pub(crate) fn spawn<F, Fut>(&self, chance: &Chance, name: &str, make: F) -> Task
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let name: Arc<str> = name.into();
        // Held until the task is on its list: it may end on another thread before that.
        let mut held = self.lock();
        let id = held.next;
        held.next += 1;
        self.0.running.send_modify(|running| *running += 1);
        let entry = Entry(self.clone(), id);
        let supervised = supervise(self.clone(), chance.fork(&name), Arc::clone(&name), make);
        let running = tokio::spawn(async move {
            let _entry = entry;
            supervised.await;
        });
        let task = Task { name, handle: running.abort_handle() };
        held.tasks.insert(id, task.clone());
        task
    }

    /// How often each task has panicked, by name; those that never did are left out.
    pub(crate) fn panics(&self) -> BTreeMap<Arc<str>, u64> {
        self.lock().panics.clone()
    }

    /// The tasks that run.
    pub(crate) fn running(&self) -> Vec<Task> {
        self.lock().tasks.values().cloned().collect()
    }

    /// Cancels every one of them where it waits.
    pub(crate) fn abort(&self) {
        self.running().iter().for_each(Task::abort);
    }

    /// Returns when every one has ended.
    pub(crate) async fn ended(&self) {
        let mut running = self.0.running.subscribe();
        // The sender lives as long as `self`.
        let _ = running.wait_for(|running| *running == 0).await;
    }

    fn panicked(&self, name: &Arc<str>) {
        *self.lock().panics.entry(Arc::clone(name)).or_default() += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
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
    async fn a_task_that_ran_for_two_minutes_is_started_again_at_once() {
        // How long it is away after it ran for so many seconds, the tenth time.
        let away = async |runs_for: u64| {
            let (tasks, began) = (Tasks::default(), Arc::new(Mutex::new(Vec::new())));
            let note = Arc::clone(&began);
            let task = tasks.spawn(&Chance::new(1), "moody", move || {
                note.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                async move {
                    tokio::time::sleep(Duration::from_secs(runs_for)).await;
                    panic!("again");
                }
            });
            tokio::time::sleep(Duration::from_secs(10_000)).await;
            assert_eq!((task.is_finished(), tasks.running().len()), (false, 1));
            task.abort();
            tasks.ended().await;
            assert_eq!((task.is_finished(), tasks.running().len()), (true, 0));
            let began = began.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let (Some(tenth), Some(next)) = (began.get(10), began.get(11)) else { panic!("{began:?}") };
            *next - *tenth - Duration::from_secs(runs_for)
        };
        assert!(away(120).await <= Duration::from_millis(101));
        assert!(away(119).await >= Duration::from_secs(30));
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
