//! Following a cache.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use super::{Content, Shared};

/// A follower further behind than this starts again from the whole content.
const LAG: usize = 16_384;

/// A change of a cache.
#[derive(Debug)]
pub enum Delta<K> {
    /// Everything there is, by namespace and name; what is not in it is gone.
    Restarted(Content<K>),
    /// An object is new or changed.
    Applied(Arc<K>),
    /// An object is gone; this is how it last was.
    Deleted(Arc<K>),
}

impl<K> Clone for Delta<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Restarted(all) => Self::Restarted(all.clone()),
            Self::Applied(object) => Self::Applied(Arc::clone(object)),
            Self::Deleted(object) => Self::Deleted(Arc::clone(object)),
        }
    }
}

/// A follower of a cache. Dropping it stops following.
#[derive(Debug)]
pub struct Subscription<K> {
    shared: Arc<Shared<K>>,
    id: u64,
    wake: Arc<Notify>,
}

#[derive(Debug)]
pub(super) struct Followers<K> {
    lines: BTreeMap<u64, Line<K>>,
    next: u64,
}

#[derive(Debug)]
struct Line<K> {
    waiting: VecDeque<Delta<K>>,
    restart: bool,
    wake: Arc<Notify>,
}

impl<K> Default for Followers<K> {
    fn default() -> Self {
        Self { lines: BTreeMap::new(), next: 0 }
    }
}

impl<K> Followers<K> {
    /// Hands a change to every follower that does not start again anyway.
    pub(super) fn tell(&mut self, delta: &Delta<K>) {
        for line in self.lines.values_mut() {
            if line.waiting.len() >= LAG {
                line.waiting = VecDeque::new();
                line.restart = true;
            }
            if !line.restart {
                line.waiting.push_back(delta.clone());
            }
            line.wake.notify_one();
        }
    }

    /// Whether nobody follows.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Wakes every follower: the content may be read now.
    pub(super) fn wake(&self) {
        self.lines.values().for_each(|line| line.wake.notify_one());
    }
}

impl<K> Subscription<K> {
    pub(super) fn new(shared: &Arc<Shared<K>>) -> Self {
        let wake = Arc::new(Notify::new());
        let mut inner = shared.write();
        let id = inner.followers.next;
        inner.followers.next += 1;
        let line = Line { waiting: VecDeque::new(), restart: true, wake: Arc::clone(&wake) };
        inner.followers.lines.insert(id, line);
        drop(inner);
        Self { shared: Arc::clone(shared), id, wake }
    }

    /// The next change. Cancel-safe. Waits for ever once the cache is stopped; select on
    /// [`Runtime::stopping`](crate::Runtime::stopping) beside it.
    pub async fn next(&mut self) -> Delta<K> {
        loop {
            if let Some(delta) = self.try_next() {
                return delta;
            }
            self.wake.notified().await;
        }
    }

    /// The next change, if there is one now: to take a batch without waiting.
    pub fn try_next(&mut self) -> Option<Delta<K>> {
        if self.shared.listed.borrow().is_none() {
            return None;
        }
        let mut inner = self.shared.write();
        let inner = &mut *inner;
        let line = inner.followers.lines.get_mut(&self.id)?;
        if line.restart {
            line.restart = false;
            return Some(Delta::Restarted(inner.objects.content()));
        }
        line.waiting.pop_front()
    }
}

impl<K> Drop for Subscription<K> {
    fn drop(&mut self) {
        self.shared.write().followers.lines.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_as_far_behind_as_may_be_loses_nothing_and_who_is_further_starts_again() {
        let (mut followers, delta) = (Followers::default(), Delta::Applied(Arc::new(7_u8)));
        followers.lines.insert(0, Line { waiting: VecDeque::new(), restart: false, wake: Arc::default() });
        let state = |followers: &Followers<u8>| followers.lines.get(&0).map(|line| (line.waiting.len(), line.restart));
        (0..LAG).for_each(|_| followers.tell(&delta));
        assert_eq!(state(&followers), Some((LAG, false)));
        followers.tell(&delta);
        assert_eq!(state(&followers), Some((0, true)));
    }
}
