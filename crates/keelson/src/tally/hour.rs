//! The last words of an hour, and their sums.
//!
//! A busy hour has hundreds of thousands of subjects, and every open page looks at their sums twice a second: these are kept
//! as words come and go, by namespace, because not everybody sees all of them.
//!
//! Promise: the sums are those of the words that are kept, always.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::{ObjectRef, Timestamp};

use super::{STEP, WINDOW, Word};

#[derive(Debug, Default)]
pub(super) struct Hour {
    pub(super) words: BTreeMap<ObjectRef, Word>,
    /// The same by moment, so that forgetting costs only what is forgotten.
    pub(super) ages: BTreeSet<(Timestamp, ObjectRef)>,
    pub(super) sums: BTreeMap<String, Sums>,
}

/// How many subjects of a namespace met which end.
#[derive(Debug, Default)]
pub(super) struct Sums {
    subjects: i64,
    pub(super) placed: i64,
    pub(super) would: i64,
    pub(super) failed: i64,
    /// Those placed or compared, by the minute of their first word.
    pub(super) minutes: BTreeMap<i64, i64>,
}

impl Hour {
    /// Takes in a word, unless there is a newer one.
    pub(super) fn say(&mut self, subject: &ObjectRef, word: Word) {
        if self.words.get(subject).is_some_and(|newer| newer.at > word.at) {
            return;
        }
        self.forget(subject);
        self.add(&subject.namespace, &word, 1);
        self.ages.insert((word.at, subject.clone()));
        self.words.insert(subject.clone(), word);
        if let Some((newest, _)) = self.ages.last() {
            self.pass(*newest);
        }
    }

    /// Forgets what is older than the hour before `now`.
    pub(super) fn pass(&mut self, now: Timestamp) {
        while let Some((at, subject)) = self.ages.first()
            && now.since(*at) >= WINDOW
        {
            let subject = subject.clone();
            self.forget(&subject);
        }
    }

    fn forget(&mut self, subject: &ObjectRef) {
        if let Some(word) = self.words.remove(subject) {
            self.add(&subject.namespace, &word, -1);
            self.ages.remove(&(word.at, subject.clone()));
        }
    }

    fn add(&mut self, namespace: &str, word: &Word, by: i64) {
        let sums = self.sums.entry(namespace.to_owned()).or_default();
        sums.subjects += by;
        sums.placed += by * i64::from(word.is_placed());
        sums.would += by * i64::from(word.is_would());
        sums.failed += by * i64::from(word.is_failed());
        if word.is_placed() || word.is_would() {
            let minute = word.since.0.div_euclid(STEP);
            let many = sums.minutes.entry(minute).or_default();
            *many += by;
            if *many == 0 {
                sums.minutes.remove(&minute);
            }
        }
        if sums.subjects == 0 {
            self.sums.remove(namespace);
        }
    }
}
