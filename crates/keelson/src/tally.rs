//! What was last said about each subject in the last hour, for the cards of the page and the preview of a switch.
//!
//! Fed with every decision and outcome as it happens, and at the start with those of the hour before, in any order. A pod
//! that was looked at a hundred times is one pod, and one that waited and was placed is a placed one.
//!
//! Promises: memory grows with the subjects of an hour and with nothing else; time is the decisions' own; the same
//! decisions give the same counts in whatever order and however often they are told.

mod hour;

use std::collections::{BTreeMap, BTreeSet};

use hour::{Hour, Sums};
use keelson_core::{Decision, DecisionId, Feature, ObjectRef, Outcome, Reason, Span, Timestamp, Verb};
use keelson_dashboard::Seen;
use keelson_dashboard::view::{Counts, Point};

/// How far back is counted.
pub const WINDOW: Span = Span::seconds(3_600);
/// The width of one point of the sparkline.
const STEP: i64 = 60_000_000;

/// The last word about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// When it was said last.
    pub at: Timestamp,
    /// When it was said first.
    since: Timestamp,
    /// What is done.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// Whether a candidate was chosen.
    pub chosen: bool,
    /// How it ended.
    pub outcome: Outcome,
}

impl Word {
    fn of(decision: &Decision) -> Self {
        Self {
            at: decision.last_at,
            since: decision.at,
            verb: decision.verb,
            reason: decision.reason,
            chosen: decision.chosen.is_some(),
            outcome: decision.outcome,
        }
    }

    fn is_placed(&self) -> bool {
        (self.verb, self.outcome) == (Verb::Place, Outcome::Done)
    }

    fn is_failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }

    /// Said, not done: below Enforce, and of what others did.
    fn is_would(&self) -> bool {
        !self.is_failed() && (self.outcome == Outcome::Would || self.verb == Verb::Compare)
    }
}

/// The last words about the subjects of every feature.
#[derive(Debug, Default)]
pub struct Tally {
    features: BTreeMap<Feature, Hour>,
    /// Decisions whose actions are under way.
    open: BTreeMap<DecisionId, (Feature, ObjectRef, Word)>,
}

impl Tally {
    /// Takes in a decision that was made or repeated.
    pub fn decision(&mut self, decision: &Decision) {
        let word = Word::of(decision);
        if decision.outcome == Outcome::Pending {
            self.open.insert(decision.id, (decision.feature, decision.subject.clone(), word));
        } else {
            self.open.remove(&decision.id);
            self.say(decision.feature, &decision.subject, word);
        }
    }

    /// Takes in the end of a decision's actions.
    pub fn outcome(&mut self, id: DecisionId, outcome: Outcome, at: Timestamp) {
        if outcome != Outcome::Pending
            && let Some((feature, subject, word)) = self.open.remove(&id)
        {
            self.say(feature, &subject, Word { at, outcome, ..word });
        }
    }

    fn say(&mut self, feature: Feature, subject: &ObjectRef, word: Word) {
        let now = word.at;
        // What never ended was cut off. Ids are in the order of their time: only what goes is looked at.
        while self.open.first_key_value().is_some_and(|(_, (.., open))| now.since(open.at) >= WINDOW) {
            self.open.pop_first();
        }
        self.features.entry(feature).or_default().say(subject, word);
    }

    /// The namespaces of all subjects.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.features.values().flat_map(|hour| hour.sums.keys()).cloned().collect()
    }

    /// The sums over the hour before `now` of each namespace that is seen.
    fn sums(&mut self, feature: Feature, now: Timestamp, seen: &Seen) -> impl Iterator<Item = &Sums> {
        let hour = self.features.entry(feature).or_default();
        hour.pass(now);
        hour.sums.iter().filter(|(namespace, _)| seen.has(namespace)).map(|(_, sums)| sums)
    }

    /// The last word about each subject of the hour before `now`, of those that are seen.
    pub fn words(&self, feature: Feature, now: Timestamp, seen: &Seen) -> impl Iterator<Item = &Word> {
        let words = self.features.get(&feature).into_iter().flat_map(|hour| &hour.words);
        let words = words.filter(move |(subject, word)| now.since(word.at) < WINDOW && seen.has(&subject.namespace));
        words.map(|(_, word)| word)
    }

    /// How many subjects met which end in the hour before `now`. Who waits now, the feature knows.
    #[must_use]
    pub fn counts(&mut self, feature: Feature, now: Timestamp, seen: &Seen) -> Counts {
        let mut counts = Counts::default();
        for sums in self.sums(feature, now, seen) {
            counts.placed += sums.placed.unsigned_abs();
            counts.would += sums.would.unsigned_abs();
            counts.failed += sums.failed.unsigned_abs();
        }
        counts
    }

    /// Subjects that were placed or compared, per minute over the hour before `now`, oldest first, zero where there were
    /// none.
    #[must_use]
    pub fn sparkline(&mut self, feature: Feature, now: Timestamp, seen: &Seen) -> Vec<Point> {
        let last = now.0.div_euclid(STEP);
        let mut minutes: BTreeMap<i64, i64> = (last - 59..=last).map(|minute| (minute, 0)).collect();
        for (minute, many) in self.sums(feature, now, seen).flat_map(|sums| &sums.minutes) {
            if let Some(count) = minutes.get_mut(minute) {
                *count += many;
            }
        }
        minutes.into_iter().map(|(minute, value)| Point { at: Timestamp(minute * STEP), value }).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keelson_core::{IdSource, Mode};

    use super::*;

    const MINUTE: i64 = 60_000_000;
    const SCHEDULING: Feature = Feature::Scheduling;

    struct Fixed(u8);
    impl IdSource for Fixed {
        fn random(&self) -> [u8; 16] {
            [self.0; 16]
        }
    }

    fn decision(name: &str, minute: i64, verb: Verb, outcome: Outcome) -> Decision {
        let at = Timestamp(minute * MINUTE);
        let ids = Fixed(name.bytes().next().unwrap_or(0));
        let (subject, what) = (ObjectRef::namespaced("Pod", "shop", name), (verb, Reason::PodPlaced));
        let new = Decision::new((SCHEDULING, "scheduler"), 0, subject, what, "", at);
        Decision { id: ids.decision_id(at), mode: Mode::Enforce, outcome, fence: 1, ..new }
    }

    fn counts(tally: &mut Tally, now: Timestamp) -> Counts {
        tally.counts(SCHEDULING, now, &Seen::Everything)
    }

    fn sum(tally: &mut Tally, minute: i64) -> i64 {
        tally.sparkline(SCHEDULING, Timestamp(minute * MINUTE), &Seen::Everything).iter().map(|point| point.value).sum()
    }

    #[test]
    fn a_pod_that_is_compared_often_is_one_pod_and_is_forgotten_after_an_hour() {
        let mut tally = Tally::default();
        for minute in 0..30 {
            tally.decision(&decision("a", minute, Verb::Compare, Outcome::NoAction));
        }
        let at = |minute: i64| Timestamp(minute * MINUTE);
        assert_eq!(counts(&mut tally, at(30)).would, 1);
        assert_eq!(counts(&mut tally, at(88)).would, 1, "last seen at 29");
        assert_eq!(counts(&mut tally, at(89)).would, 0);
        tally.decision(&decision("b", 95, Verb::Refuse, Outcome::NoAction));
        let kept: usize = tally.features.values().map(|hour| hour.words.len() + hour.ages.len()).sum();
        assert_eq!(kept, 2, "only b is kept");
    }

    #[test]
    fn a_placement_counts_when_its_actions_are_done_and_ends_the_waiting() {
        let mut tally = Tally::default();
        tally.decision(&decision("a", 1, Verb::Wait, Outcome::Failed));
        let placed = decision("a", 2, Verb::Place, Outcome::Pending);
        tally.decision(&placed);
        assert_eq!(counts(&mut tally, placed.at), Counts { failed: 1, ..Counts::default() });
        tally.outcome(placed.id, Outcome::Done, placed.at);
        tally.outcome(placed.id, Outcome::Done, placed.at);
        assert_eq!(counts(&mut tally, placed.at), Counts { placed: 1, ..Counts::default() });
        assert_eq!((tally.sparkline(SCHEDULING, placed.at, &Seen::Everything).len(), sum(&mut tally, 2)), (60, 1));
        assert!(tally.open.is_empty());
        tally.decision(&decision("b", 3, Verb::Place, Outcome::Pending));
        tally.decision(&decision("c", 70, Verb::Wait, Outcome::NoAction));
        assert!(tally.open.is_empty(), "what never ends is forgotten");
    }

    #[test]
    fn what_is_told_again_or_backwards_counts_the_same() {
        let told = [
            decision("a", 1, Verb::Wait, Outcome::NoAction),
            decision("a", 4, Verb::Place, Outcome::Done),
            decision("b", 2, Verb::Compare, Outcome::NoAction),
            decision("c", 3, Verb::Place, Outcome::Failed),
        ];
        let (mut once, mut again) = (Tally::default(), Tally::default());
        told.iter().for_each(|decision| once.decision(decision));
        told.iter().rev().chain(&told).for_each(|decision| again.decision(decision));
        let now = Timestamp(5 * MINUTE);
        assert_eq!(counts(&mut once, now), Counts { placed: 1, would: 1, failed: 1, ..Counts::default() });
        assert_eq!(counts(&mut once, now), counts(&mut again, now));
        assert_eq!(
            once.sparkline(SCHEDULING, now, &Seen::Everything),
            again.sparkline(SCHEDULING, now, &Seen::Everything)
        );
    }

    #[test]
    fn sums_are_those_of_the_words_that_are_kept() {
        let (mut tally, mut chance) = (Tally::default(), 7_u32);
        for _ in 0..3_000 {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let of = |n: u32| i64::from((chance >> 8) / n % 97);
            let verb = if of(3) % 2 == 0 { Verb::Place } else { Verb::Compare };
            let outcome = match of(7) % 3 {
                0 => Outcome::Done,
                1 => Outcome::Failed,
                _ => Outcome::Would,
            };
            let mut said = decision(&format!("p{}", of(11) % 40), of(13) * 2, verb, outcome);
            said.subject.namespace = format!("team-{}", of(17) % 3);
            tally.decision(&said);
            let now = Timestamp(of(19) * 2 * MINUTE);
            let seen = Seen::Only(Arc::new(["team-1".to_owned(), "team-2".to_owned()].into()));
            let (counts, line) = (tally.counts(SCHEDULING, now, &seen), tally.sparkline(SCHEDULING, now, &seen));
            let words: Vec<_> = tally.words(SCHEDULING, now, &seen).collect();
            let many = |is: fn(&Word) -> bool| words.iter().filter(|word| is(word)).count() as u64;
            assert_eq!(counts.placed, many(Word::is_placed));
            assert_eq!(counts.would, many(Word::is_would));
            assert_eq!(counts.failed, many(Word::is_failed));
            let first = now.0.div_euclid(STEP) - 59;
            let drawn = |word: &&&Word| {
                let minute = word.since.0.div_euclid(STEP);
                (word.is_placed() || word.is_would()) && (first..first + 60).contains(&minute)
            };
            let drawn = words.iter().filter(drawn).map(|_| 1).sum::<i64>();
            assert_eq!(line.iter().map(|point| point.value).sum::<i64>(), drawn);
        }
    }

    #[test]
    fn what_is_not_seen_is_not_counted() {
        let mut tally = Tally::default();
        tally.decision(&decision("a", 1, Verb::Place, Outcome::Done));
        let mut hidden = decision("b", 1, Verb::Place, Outcome::Done);
        hidden.subject.namespace = "secret".to_owned();
        tally.decision(&hidden);
        assert_eq!(tally.namespaces(), ["secret".to_owned(), "shop".to_owned()].into());
        let (now, shop) = (Timestamp(2 * MINUTE), Seen::Only(Arc::new(["shop".to_owned()].into())));
        assert_eq!(counts(&mut tally, now).placed, 2);
        assert_eq!(tally.counts(SCHEDULING, now, &shop).placed, 1);
        assert_eq!(tally.sparkline(SCHEDULING, now, &shop).iter().map(|point| point.value).sum::<i64>(), 1);
        assert_eq!(tally.words(SCHEDULING, now, &Seen::Only(Arc::default())).count(), 0);
    }
}
