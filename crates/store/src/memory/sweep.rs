//! Retention in memory, by the same rules as in the databases.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use keelson_core::{DecisionId, Feature, Timestamp};

use super::Rows;
use crate::fold::subject_key;
use crate::retention::{cut_to_stub, first_id, horizon};
use crate::{Resolution, Retention, SWEEP_ROWS, StoreError, Swept};

impl Rows {
    pub(super) fn sweep(&mut self, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for (stub, age) in [(true, retention.stub_age), (false, retention.age)] {
            let horizon = horizon(now, age);
            let rows = self.decisions.values().filter(|row| row.stub == stub && row.decision.last_at < horizon);
            let mut old: Vec<_> = rows.map(|row| (row.decision.last_at, row.decision.id)).collect();
            old.sort_unstable();
            for (_, id) in old.into_iter().take(room(&swept)) {
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

        let most = usize::try_from(SWEEP_ROWS).unwrap_or(usize::MAX);
        let passing = self.recordings.range(..first_id(horizon(now, retention.recordings)));
        let passing: Vec<_> = passing.filter(|(_, r)| !r.kept).map(|(id, _)| *id).take(most).collect();
        for id in passing {
            self.recordings.remove(&id);
            swept.recordings += 1;
        }
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
        let full = |id: &&DecisionId| self.decisions.get(id).is_some_and(|row| !row.stub);
        let subjects = self.by_subject.iter().map(|(key, ids)| (key, ids.iter().filter(full).collect::<Vec<_>>()));
        let mut crowded: Vec<_> = subjects.filter(|(_, ids)| ids.len() > keep).collect();
        // The most crowded first, as the databases do.
        crowded.sort_unstable_by_key(|(key, ids)| Reverse((ids.len(), *key)));
        let beyond =
            |(_, ids): &(_, Vec<&DecisionId>)| ids.iter().take(ids.len() - keep).map(|id| **id).collect::<Vec<_>>();
        crowded.iter().flat_map(beyond).collect()
    }

    fn sweep_features(&mut self, retention: &Retention, swept: &mut Swept) -> Result<(), StoreError> {
        let quota = retention.per_feature;
        let mut taken: BTreeMap<Feature, (u64, u64)> = BTreeMap::new();
        for row in self.decisions.values() {
            let (rows, bytes) = taken.entry(row.decision.feature).or_default();
            (*rows, *bytes) = (*rows + 1, *bytes + row.bytes);
        }
        for (feature, (mut rows, mut bytes)) in taken {
            let of_feature = self.decisions.values().filter(|row| row.decision.feature == feature);
            let oldest: Vec<_> = of_feature.map(|row| (row.decision.id, row.bytes)).take(room(swept)).collect();
            for (id, size) in oldest {
                if rows <= quota.decisions && bytes <= quota.bytes {
                    break;
                }
                let left = self.forget(id, swept)?;
                rows -= u64::from(left == 0);
                bytes -= size.saturating_sub(left);
                swept.by_quota += 1;
            }
        }
        Ok(())
    }

    /// Cuts a decision that others name to a stub, and deletes a stub and any other. Returns the bytes left.
    fn forget(&mut self, id: DecisionId, swept: &mut Swept) -> Result<u64, StoreError> {
        self.recordings.remove(&id);
        let named =
            self.causes.range((id, DecisionId(uuid::Uuid::nil()))..).next().is_some_and(|(cause, _)| *cause == id);
        if let Some(row) = self.decisions.get_mut(&id).filter(|row| named && !row.stub) {
            row.stub = true;
            row.change(cut_to_stub)?;
            swept.stubs += 1;
            return Ok(row.bytes);
        }
        let Some(row) = self.decisions.remove(&id) else { return Ok(0) };
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
