//! Which comparisons with another scheduler's choice are to be made.
//!
//! Each kind of object is watched by itself, so that a binding may be heard before the volume that the pod got: judged then,
//! the pod would be said to go nowhere. Such a comparison waits until the volumes are heard, or for [`PATIENCE`].
//!
//! Promise: no more than [`MOST`] wait; beyond that the oldest is dropped, because it says least, and counted.

use std::collections::VecDeque;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use keelson_core::{Span, Timestamp};

/// Comparisons that may wait to be made.
pub(super) const MOST: usize = 1_000;
/// How long a watch may be behind another before that is taken for the truth.
pub(super) const PATIENCE: Span = Span::seconds(1);

/// A pod that was bound, and since when that is known.
type Bound = (Timestamp, Arc<Pod>);

/// The pods that were bound by others.
#[derive(Debug, Clone, Default)]
pub(super) struct Comparisons {
    ready: VecDeque<Bound>,
    /// Those of which a volume is not heard yet, the oldest first.
    unheard: VecDeque<Bound>,
    skipped: u64,
}

impl Comparisons {
    /// One more; `heard` says whether everything is known of its volumes.
    pub(super) fn add(&mut self, pod: Arc<Pod>, heard: bool, now: Timestamp) {
        if self.ready.len() + self.unheard.len() >= MOST {
            _ = self.ready.pop_front().or_else(|| self.unheard.pop_front());
            self.skipped += 1;
        }
        let line = if heard { &mut self.ready } else { &mut self.unheard };
        line.push_back((now, pod));
    }

    /// Something of storage was heard: perhaps what one of them waits for.
    pub(super) fn heard(&mut self, is_heard: impl Fn(&Pod) -> bool) {
        let (heard, unheard) = std::mem::take(&mut self.unheard).into_iter().partition(|(_, pod)| is_heard(pod));
        self.unheard = unheard;
        self.ready.extend::<VecDeque<Bound>>(heard);
    }

    /// The next to be made.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Bound> {
        let overdue = self.due().is_some_and(|due| due <= now);
        self.ready.pop_front().or_else(|| if overdue { self.unheard.pop_front() } else { None })
    }

    /// Whether one is to be made now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        !self.ready.is_empty() || self.due().is_some_and(|due| due <= now)
    }

    /// When the oldest that waits is made whatever is heard.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.unheard.front().map(|(since, _)| *since + PATIENCE)
    }

    pub(super) fn clear(&mut self) {
        self.ready.clear();
        self.unheard.clear();
    }

    /// How many were dropped since the start.
    pub(super) const fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pod(name: &str) -> Arc<Pod> {
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.to_owned());
        Arc::new(pod)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp(millis * 1_000)
    }

    fn name(next: Option<Bound>) -> Option<String> {
        next.and_then(|(_, pod)| pod.metadata.name.clone())
    }

    #[test]
    fn a_pod_whose_volume_is_not_heard_waits_for_it_and_no_longer_than_patience() {
        let mut all = Comparisons::default();
        all.add(pod("waits"), false, at(0));
        all.add(pod("ready"), true, at(1));
        assert_eq!(name(all.next(at(2))).as_deref(), Some("ready"));
        assert!(!all.is_due(at(999)) && all.next(at(999)).is_none());
        assert_eq!(all.due(), Some(at(1_000)), "nothing is lost by asking too early");
        assert!(all.is_due(at(1_000)));
        assert_eq!(name(all.next(at(1_000))).as_deref(), Some("waits"));
        all.add(pod("heard"), false, at(2_000));
        all.heard(|pod| pod.metadata.name.as_deref() == Some("heard"));
        assert_eq!(name(all.next(at(2_001))).as_deref(), Some("heard"));
        assert!(all.due().is_none() && !all.is_due(at(9_000)));
    }

    #[test]
    fn no_more_wait_than_the_bound_and_what_is_dropped_is_counted() {
        let mut all = Comparisons::default();
        (0..MOST + 5).for_each(|number| all.add(pod(&number.to_string()), number % 2 == 0, at(0)));
        assert_eq!((all.ready.len() + all.unheard.len(), all.skipped()), (MOST, 5));
    }
}
