//! Retention in memory, by the same rules as in the databases.

use std::cmp::Reverse;

use keelson_core::{DecisionId, Feature, Timestamp};
use uuid::Uuid;

use super::Rows;
use crate::fold::subject_key;
use crate::retention::{cut_to_stub, first_id, horizon};
use crate::{Resolution, Retention, SWEEP_ROWS, StoreError, Swept};

const NIL: DecisionId = DecisionId(Uuid::nil());

impl Rows {
    pub(super) fn sweep(&mut self, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for (stub, age) in [(true, retention.stub_age), (false, retention.age)] {
            let old = (stub, Timestamp(i64::MIN), NIL)..(stub, horizon(now, age), NIL);
            let old: Vec<_> = self.index.ages.range(old).map(|(.., id)| *id).take(room(&swept)).collect();
            for id in old {
                self.forget(id, &mut swept)?;
                swept.by_age += 1;
            }
        }
        let keep = usize::try_from(retention.per_subject).unwrap_or(usize::MAX);
        for id in self.crowding(keep).into_iter().take(room(&swept)) {
            self.forget(id, &mut swept)?;
            swept.by_count += 1;
        }
        self.sweep_features(retention, &mut swept)?;

        let passing = self.recordings.range(..first_id(horizon(now, retention.recordings)));
        let passing: Vec<_> = passing.filter(|(_, r)| !r.kept).map(|(id, _)| *id).take(recordings(&swept)).collect();
        for id in passing {
            self.forget_recording(id);
            swept.recordings += 1;
        }
        let most = usize::try_from(SWEEP_ROWS).unwrap_or(usize::MAX);
        for resolution in Resolution::ALL {
            let horizon = horizon(now, resolution.kept());
            for steps in self.samples.values_mut() {
                let left = most.saturating_sub(usize::try_from(swept.samples).unwrap_or(most));
                let old = (resolution, Timestamp(i64::MIN))..(resolution, horizon);
                let old: Vec<_> = steps.range(old).map(|(at, _)| *at).take(left).collect();
                for at in old {
                    steps.remove(&at);
                    swept.samples += 1;
                }
            }
        }
        self.samples.retain(|_, steps| !steps.is_empty());
        Ok(swept)
    }

    /// The oldest decisions of each subject beyond the number that is kept.
    fn crowding(&self, keep: usize) -> Vec<DecisionId> {
        let mut crowded: Vec<_> = self.index.full.iter().filter(|(_, full)| **full > keep).collect();
        // The most crowded first, as the databases do.
        crowded.sort_unstable_by_key(|(key, full)| Reverse((**full, *key)));
        let is_full = |id: &&DecisionId| self.decisions.get(id).is_some_and(|row| !row.stub);
        let beyond = |(key, full): &(&String, &usize)| {
            let ids = self.by_subject.get(*key).into_iter().flatten().filter(is_full);
            ids.take(**full - keep).copied().collect::<Vec<_>>()
        };
        crowded.iter().flat_map(beyond).collect()
    }

    fn sweep_features(&mut self, retention: &Retention, swept: &mut Swept) -> Result<(), StoreError> {
        let quota = retention.per_feature;
        for (feature, (rows, bytes)) in self.index.taken.clone() {
            let mut rows = rows.saturating_sub(quota.decisions);
            let mut bytes = self.sweep_recordings(feature, bytes.saturating_sub(quota.bytes), swept);
            if rows == 0 && bytes == 0 {
                continue;
            }
            let of_feature = self.decisions.values().filter(|row| row.decision.feature == feature);
            let oldest: Vec<_> = of_feature.map(|row| (row.decision.id, row.bytes)).take(room(swept)).collect();
            for (id, size) in oldest {
                if rows == 0 && bytes == 0 {
                    break;
                }
                let left = self.forget(id, swept)?;
                rows = rows.saturating_sub(u64::from(left == 0));
                bytes = bytes.saturating_sub(size.saturating_sub(left));
                swept.by_quota += 1;
            }
        }
        Ok(())
    }

    /// A recording goes before a decision does. Returns the bytes that decisions must make room for.
    fn sweep_recordings(&mut self, feature: Feature, mut bytes: u64, swept: &mut Swept) -> u64 {
        if bytes == 0 {
            return 0;
        }
        let room = recordings(swept);
        let of_feature = self.recordings.iter().filter(|(_, recording)| recording.feature == Some(feature));
        let mut oldest: Vec<_> = of_feature.map(|(id, recording)| (recording.kept, *id)).collect();
        oldest.sort_unstable();
        let may_be_more = oldest.len() >= room;
        for (_, id) in oldest.into_iter().take(room) {
            if bytes == 0 {
                break;
            }
            bytes = bytes.saturating_sub(self.forget_recording(id));
            swept.recordings += 1;
        }
        if may_be_more { 0 } else { bytes }
    }

    /// Returns the bytes it took.
    fn forget_recording(&mut self, id: DecisionId) -> u64 {
        let Some(recording) = self.recordings.remove(&id) else { return 0 };
        let size = super::long(recording.bytes.len());
        self.index.recorded(recording.feature, size, 0);
        size
    }

    /// Cuts a decision that others name to a stub, and deletes a stub and any other. Returns the bytes left.
    fn forget(&mut self, id: DecisionId, swept: &mut Swept) -> Result<u64, StoreError> {
        self.forget_recording(id);
        let named = self.causes.range((id, NIL)..).next().is_some_and(|(cause, _)| *cause == id);
        if named && self.decisions.get(&id).is_some_and(|row| !row.stub) {
            self.alter(id, |row| {
                row.stub = true;
                row.change(cut_to_stub)
            })?;
            swept.stubs += 1;
            return Ok(self.decisions.get(&id).map_or(0, |row| row.bytes));
        }
        let Some(row) = self.decisions.remove(&id) else { return Ok(0) };
        self.index.remove(&row);
        for cause in &row.decision.causes {
            self.causes.remove(&(*cause, id));
        }
        let key = subject_key(&row.decision);
        if let Some(subject) = self.by_subject.get_mut(&key) {
            subject.remove(&id);
            if subject.is_empty() {
                self.by_subject.remove(&key);
            }
        }
        Ok(0)
    }
}

fn room(swept: &Swept) -> usize {
    usize::try_from(swept.room()).unwrap_or(0)
}

/// How many recordings this call may still delete.
fn recordings(swept: &Swept) -> usize {
    usize::try_from(u64::from(SWEEP_ROWS).saturating_sub(swept.recordings)).unwrap_or(0)
}
