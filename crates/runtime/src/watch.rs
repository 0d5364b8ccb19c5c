//! A value whose changes are waited for, as in tokio's `watch`.
//!
//! That one wakes whoever waits in an order drawn by lot. What they do next reaches the API server in that order, and a
//! simulated day would not be the same twice. Here who has waited longest is woken first.
//!
//! Promises: a change is never missed, though several may be seen as one; whoever has not seen the latest does not wait.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::Notify;

/// A value that receivers wait for.
pub(crate) fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let shared = Shared { state: RwLock::new(State { value, version: 0, closed: false }), changed: Notify::new() };
    let sender = Sender(Arc::new(shared));
    let receiver = sender.subscribe();
    (sender, receiver)
}

#[derive(Debug)]
struct Shared<T> {
    state: RwLock<State<T>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    version: u64,
    closed: bool,
}

impl<T> Shared<T> {
    fn read(&self) -> RwLockReadGuard<'_, State<T>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes whoever waits when it says so.
    fn write<R>(&self, change: impl FnOnce(&mut State<T>) -> (R, bool)) -> R {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let (answer, changed) = change(&mut state);
        drop(state);
        if changed {
            self.changed.notify_waiters();
        }
        answer
    }
}

/// Changes the value.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// A receiver that has seen the value as it is.
    pub(crate) fn subscribe(&self) -> Receiver<T> {
        Receiver { seen: self.0.read().version, shared: Arc::clone(&self.0) }
    }

    /// The value; nothing can change it while this is held.
    pub(crate) fn borrow(&self) -> Ref<'_, T> {
        Ref(self.0.read())
    }

    /// Puts another in its place.
    pub(crate) fn send_replace(&self, value: T) -> T {
        self.0.write(|state| {
            state.version += 1;
            (std::mem::replace(&mut state.value, value), true)
        })
    }

    /// Changes it.
    pub(crate) fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// Changes it, and says whether that is worth telling.
    pub(crate) fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        self.0.write(|state| {
            let changed = change(&mut state.value);
            state.version += u64::from(changed);
            (changed, changed)
        })
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.write(|state| {
            state.closed = true;
            ((), true)
        });
    }
}

/// Nothing will change any more: the sender is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing will change any more: the sender is gone")]
pub struct Closed;

/// Waits for changes.
#[derive(Debug)]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), seen: self.seen }
    }
}

impl<T> Receiver<T> {
    /// The value, without taking it as seen.
    #[must_use]
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.shared.read())
    }

    /// The value, which counts as seen.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let state = self.shared.read();
        self.seen = state.version;
        Ref(state)
    }

    /// Takes the value as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.read().version;
    }

    /// Whether there is a value that was not seen.
    ///
    /// # Errors
    /// [`Closed`] when there will not be another.
    pub fn has_changed(&self) -> Result<bool, Closed> {
        let state = self.shared.read();
        if state.closed { Err(Closed) } else { Ok(state.version != self.seen) }
    }

    /// Returns when there is a value that was not seen, and takes it as seen. May be given up at any point.
    ///
    /// # Errors
    /// [`Closed`] when there will not be another.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        loop {
            // Before the value is looked at: a change in between would be missed.
            let changed = self.shared.changed.notified();
            let State { version, closed, .. } = *self.shared.read();
            if version != self.seen {
                self.seen = version;
                return Ok(());
            }
            if closed {
                return Err(Closed);
            }
            changed.await;
        }
    }

    /// Returns when the value is as wanted, which it may be already.
    ///
    /// # Errors
    /// [`Closed`] when it never will be.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Result<Ref<'_, T>, Closed> {
        let Self { shared, seen } = self;
        loop {
            let changed = shared.changed.notified();
            {
                let state = shared.read();
                if wanted(&state.value) {
                    *seen = state.version;
                    return Ok(Ref(state));
                }
                if state.closed {
                    return Err(Closed);
                }
            }
            changed.await;
        }
    }
}

/// The value, read.
#[derive(Debug)]
pub struct Ref<'a, T>(RwLockReadGuard<'a, State<T>>);

impl<T> Deref for Ref<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.value
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn who_has_waited_longest_is_woken_first() {
        let (sender, receiver) = channel(0);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let waiting: Vec<_> = (0..100)
            .map(|number| {
                let (mut receiver, woken) = (receiver.clone(), Arc::clone(&woken));
                tokio::spawn(async move {
                    receiver.changed().await.unwrap();
                    woken.lock().unwrap().push(number);
                })
            })
            .collect();
        // One yield lets some 60 of them begin.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        sender.send_replace(1);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*woken.lock().unwrap(), (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_change_is_seen_once_by_whoever_came_before_it_and_the_end_by_everybody() {
        let (sender, mut before) = channel(0);
        sender.send_modify(|value| *value = 1);
        let after = sender.subscribe();
        assert_eq!((before.has_changed(), after.has_changed()), (Ok(true), Ok(false)));
        before.changed().await.unwrap();
        assert_eq!((before.has_changed(), *before.borrow()), (Ok(false), 1));
        assert!(!sender.send_if_modified(|_| false));
        assert_eq!(before.has_changed(), Ok(false));
        assert_eq!(*before.wait_for(|value| *value == 1).await.unwrap(), 1);
        sender.send_replace(2);
        drop(sender);
        assert_eq!(before.changed().await, Ok(()), "the last value is told before the end");
        assert_eq!(before.changed().await, Err(Closed));
        assert_eq!(before.wait_for(|value| *value == 3).await.err(), Some(Closed));
    }
}
