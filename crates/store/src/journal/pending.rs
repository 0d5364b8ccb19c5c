//! What the database does not have yet: which entries, in which order, and where they lie.
//!
//! Only places are kept in memory, about a hundred bytes an entry; what they hold is read when it is wanted.
//!
//! Promises: entries leave in the order they came; those about one decision are found without reading others, and without
//! its recording, which may be long and is no part of what a page shows.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::ops::Bound;
use std::sync::Arc;

use keelson_core::DecisionId;

use crate::Entry;

/// Where an entry lies.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a segment.
    Disk { segment: u64, file: Arc<File>, offset: u64, length: usize },
    /// Here.
    Memory { entry: Arc<Entry>, length: usize },
}

impl Place {
    pub(super) fn length(&self) -> u64 {
        let (Self::Disk { length, .. } | Self::Memory { length, .. }) = self;
        u64::try_from(*length).unwrap_or(u64::MAX)
    }
}

#[derive(Debug)]
struct Waiting {
    id: DecisionId,
    place: Place,
    is_recording: bool,
}

/// The entries in order.
#[derive(Debug, Default)]
pub(super) struct Pending {
    order: VecDeque<Waiting>,
    about: BTreeMap<DecisionId, VecDeque<Place>>,
    recordings: BTreeMap<DecisionId, VecDeque<Place>>,
    in_segment: BTreeMap<u64, usize>,
}

impl Pending {
    pub(super) fn push(&mut self, id: DecisionId, place: Place, is_recording: bool) {
        if let Place::Disk { segment, .. } = place {
            *self.in_segment.entry(segment).or_default() += 1;
        }
        self.places(is_recording).entry(id).or_default().push_back(place.clone());
        self.order.push_back(Waiting { id, place, is_recording });
    }

    /// Takes the oldest entry away; true when its segment holds nothing else that waits.
    pub(super) fn pop(&mut self) -> Option<(Place, bool)> {
        let Waiting { id, place, is_recording } = self.order.pop_front()?;
        let about = self.places(is_recording);
        if let Some(places) = about.get_mut(&id) {
            places.pop_front();
            if places.is_empty() {
                about.remove(&id);
            }
        }
        let mut last = false;
        if let Place::Disk { segment, .. } = place
            && let Some(left) = self.in_segment.get_mut(&segment)
        {
            *left -= 1;
            last = *left == 0;
            if last {
                self.in_segment.remove(&segment);
            }
        }
        Some((place, last))
    }

    fn places(&mut self, is_recording: bool) -> &mut BTreeMap<DecisionId, VecDeque<Place>> {
        if is_recording { &mut self.recordings } else { &mut self.about }
    }

    /// The newest recording of one decision.
    pub(super) fn recording(&self, id: DecisionId) -> Option<Place> {
        self.recordings.get(&id)?.back().cloned()
    }

    pub(super) fn holds_segment(&self, segment: u64) -> bool {
        self.in_segment.contains_key(&segment)
    }

    /// The oldest entries, at most `most` of them and, after the first, at most `bytes` together.
    pub(super) fn oldest(&self, most: usize, bytes: u64) -> Vec<Place> {
        let mut total = 0_u64;
        let within = self.order.iter().take(most).take_while(|Waiting { place, .. }| {
            let first = total == 0;
            total = total.saturating_add(place.length());
            first || total <= bytes
        });
        within.map(|waiting| waiting.place.clone()).collect()
    }

    /// The entries about one decision, in order.
    pub(super) fn about(&self, id: DecisionId) -> Vec<Place> {
        self.about.get(&id).into_iter().flatten().cloned().collect()
    }

    /// The newest `most` decisions below `before` that have entries.
    pub(super) fn newest(&self, before: Option<DecisionId>, most: usize) -> Vec<DecisionId> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        self.about.range((Bound::Unbounded, end)).rev().take(most).map(|(id, _)| *id).collect()
    }
}
