//! The circuit breaker: a feature whose actions do harm is stopped before it does more.
//!
//! It opens when more than [`FAILURES`] of the last [`WINDOW`] decisions with actions failed, when one subject was acted on
//! more than [`REPEATS`] times within [`REPEAT_WINDOW`] (a loop), or when more than [`HARMED`] workloads within
//! [`HARM_WINDOW`] were left with fewer ready pods than before. After [`COOL_DOWN`] it is half open: actions go again, and
//! the first failure opens it for twice as long, up to [`LONGEST`]; [`PROBES`] successes close it.
//!
//! Promises: pure, the time is handed in; memory is bounded by the windows.

use std::collections::{BTreeMap, VecDeque};

use keelson_core::{ObjectRef, Span, Timestamp};

/// Of the last so many decisions with actions...
pub const WINDOW: usize = 20;
/// ...more than so many failed.
pub const FAILURES: usize = 10;
/// One subject was acted on more often than this...
pub const REPEATS: usize = 10;
/// ...within this.
pub const REPEAT_WINDOW: Span = Span::minutes(10);
/// More workloads than this were left worse...
pub const HARMED: usize = 2;
/// ...within this.
pub const HARM_WINDOW: Span = Span::minutes(30);
/// Acts that are remembered; beyond it the oldest are forgotten early.
const REMEMBERED: usize = 100_000;
/// How long it stays open at first.
pub const COOL_DOWN: Span = Span::minutes(5);
/// How long at most.
pub const LONGEST: Span = Span::hours(1);
/// How many successes close it again.
pub const PROBES: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Timestamp },
    HalfOpen { successes: u32 },
}

/// One feature's breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    state: State,
    cool_down: Span,
    results: VecDeque<bool>,
    /// The acts of the last [`REPEAT_WINDOW`], oldest first, and how many of them each subject had.
    acts: VecDeque<(Timestamp, ObjectRef)>,
    repeats: BTreeMap<ObjectRef, usize>,
    harmed: VecDeque<(Timestamp, String)>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed,
            cool_down: COOL_DOWN,
            results: VecDeque::new(),
            acts: VecDeque::new(),
            repeats: BTreeMap::new(),
            harmed: VecDeque::new(),
        }
    }
}

impl Breaker {
    /// A decision's actions ended. Returns why it opened, when it did.
    pub fn acted(&mut self, subject: &ObjectRef, ok: bool, now: Timestamp) -> Option<String> {
        if let State::Open { .. } = self.state {
            return None;
        }
        if let State::HalfOpen { successes } = &mut self.state {
            if !ok {
                self.cool_down = Span(self.cool_down.0.saturating_mul(2)).min(LONGEST);
                return Some(self.open(now, "the first try after the pause failed"));
            }
            *successes += 1;
            if *successes >= PROBES {
                *self = Self::default();
            }
            return None;
        }
        self.results.push_back(ok);
        if self.results.len() > WINDOW {
            self.results.pop_front();
        }
        let repeats = self.repeat(subject, now);
        let failures = self.results.iter().filter(|ok| !**ok).count();
        if failures > FAILURES {
            let of = self.results.len();
            return Some(self.open(now, &format!("{failures} of the last {of} decisions failed")));
        }
        if repeats > REPEATS {
            let why = format!("{subject} was acted on {repeats} times within {REPEAT_WINDOW}");
            return Some(self.open(now, &why));
        }
        None
    }

    /// Counts an act; how many its subject had lately.
    fn repeat(&mut self, subject: &ObjectRef, now: Timestamp) -> usize {
        self.acts.push_back((now, subject.clone()));
        *self.repeats.entry(subject.clone()).or_default() += 1;
        let over = |(at, _): &(Timestamp, ObjectRef)| now.since(*at) >= REPEAT_WINDOW;
        while self.acts.len() > REMEMBERED || self.acts.front().is_some_and(over) {
            let Some((_, old)) = self.acts.pop_front() else { break };
            let left = self.repeats.get_mut(&old).map_or(0, |count| {
                *count -= 1;
                *count
            });
            if left == 0 {
                self.repeats.remove(&old);
            }
        }
        self.repeats.get(subject).copied().unwrap_or_default()
    }

    /// A workload was left with fewer ready pods than it had. Returns why it opened, when it did.
    pub fn harmed(&mut self, workload: &str, now: Timestamp) -> Option<String> {
        self.harmed.retain(|(at, known)| now.since(*at) < HARM_WINDOW && known != workload);
        self.harmed.push_back((now, workload.to_owned()));
        let harmed = self.harmed.len();
        let open = matches!(self.state, State::Open { .. });
        if harmed <= HARMED || open {
            return None;
        }
        Some(self.open(now, &format!("{harmed} workloads have fewer ready pods than before, the last {workload}")))
    }

    /// When it is half open, if it is open now.
    #[must_use]
    pub const fn opens_until(&self) -> Option<Timestamp> {
        match self.state {
            State::Open { until } => Some(until),
            _ => None,
        }
    }

    /// Becomes half open when its time has come; says whether it did.
    pub fn tick(&mut self, now: Timestamp) -> bool {
        match self.state {
            State::Open { until } if until <= now => {
                self.state = State::HalfOpen { successes: 0 };
                true
            }
            _ => false,
        }
    }

    fn open(&mut self, now: Timestamp, why: &str) -> String {
        let until = now + self.cool_down;
        *self = Self { state: State::Open { until }, cool_down: self.cool_down, ..Self::default() };
        format!("{why}; actions are held for {}, then tried again", self.cool_down)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pod(n: i64) -> ObjectRef {
        ObjectRef::namespaced("Pod", "a", &n.to_string())
    }
    fn at(seconds: i64) -> Timestamp {
        Timestamp(0) + Span::seconds(seconds)
    }

    #[test]
    fn it_opens_when_most_actions_fail() {
        let mut breaker = Breaker::default();
        let opened: Vec<_> = (0..11).filter_map(|n| breaker.acted(&pod(n), false, at(n))).collect();
        assert_eq!(opened, ["11 of the last 11 decisions failed; actions are held for 5 min, then tried again"]);
    }

    #[test]
    fn half_failing_keeps_it_closed() {
        let mut breaker = Breaker::default();
        assert!((0..1_000).all(|n| breaker.acted(&pod(n), n % 2 == 0, at(n)).is_none()));
    }

    #[test]
    fn it_opens_on_a_loop_around_one_subject_however_well_it_goes() {
        let mut breaker = Breaker::default();
        let why = (0..11).find_map(|n| breaker.acted(&pod(7), true, at(n * 10)));
        assert!(why.unwrap().starts_with("Pod a/7 was acted on 11 times within 10 min"));
        let mut slow = Breaker::default();
        assert!((0..100).all(|n| slow.acted(&pod(7), true, at(n * 60)).is_none()), "once a minute is no loop");
        assert!(slow.acted(&pod(7), true, at(99 * 60 + 59)).is_some(), "an eleventh within ten minutes is one");
    }

    #[test]
    fn what_is_remembered_of_acts_is_bounded_by_the_window() {
        let mut breaker = Breaker::default();
        assert!((0..2_000).all(|n| breaker.acted(&pod(n), true, at(n)).is_none()));
        assert_eq!((breaker.acts.len(), breaker.repeats.len()), (600, 600));
        assert!((0..100_001).all(|n| breaker.acted(&pod(n), true, at(2_600)).is_none()));
        assert_eq!(breaker.acts.len(), REMEMBERED, "however many there are at once");
    }

    #[test]
    fn a_failure_counts_among_the_last_twenty_and_not_after() {
        let mut breaker = Breaker::default();
        let results = [vec![false; 10], vec![true; 10], vec![false; 10]].concat();
        assert!(results.into_iter().zip(0..).all(|(ok, n)| breaker.acted(&pod(n), ok, at(n)).is_none()));
        assert!(breaker.acted(&pod(31), false, at(31)).unwrap().starts_with("11 of the last 20"));
    }

    #[test]
    fn what_is_open_takes_no_notice_and_says_until_when() {
        let mut breaker = Breaker::default();
        (0..11).for_each(|n| drop(breaker.acted(&pod(n), false, at(0))));
        assert_eq!(breaker.opens_until(), Some(at(300)));
        assert!((0..50).all(|n| breaker.acted(&pod(n), false, at(1)).is_none()));
        assert!(["a", "b", "c", "d"].into_iter().all(|name| breaker.harmed(name, at(1)).is_none()));
        assert_eq!(breaker.opens_until(), Some(at(300)), "it is not put off");
        assert_eq!((breaker.tick(at(299)), breaker.tick(at(300)), breaker.tick(at(300))), (false, true, false));
        assert_eq!(breaker.opens_until(), None);
    }

    #[test]
    fn the_pause_doubles_up_to_an_hour() {
        let mut breaker = Breaker::default();
        (0..11).for_each(|n| drop(breaker.acted(&pod(n), false, at(0))));
        for minutes in [10, 20, 40, 60, 60] {
            let until = breaker.opens_until().unwrap();
            assert!(breaker.tick(until));
            assert!(breaker.acted(&pod(1), false, until).is_some());
            assert_eq!(breaker.opens_until(), Some(until + Span::minutes(minutes)));
        }
    }

    #[test]
    fn harm_counts_for_half_an_hour() {
        let mut breaker = Breaker::default();
        assert_eq!((breaker.harmed("a", at(0)), breaker.harmed("b", at(1))), (None, None));
        assert_eq!(breaker.harmed("c", at(1_800)), None, "the first is forgotten");
        assert!(breaker.harmed("d", at(1_800)).unwrap().starts_with("3 workloads"));
    }

    #[test]
    fn four_good_tries_do_not_close_it() {
        let mut breaker = Breaker::default();
        (0..11).for_each(|n| drop(breaker.acted(&pod(n), false, at(0))));
        assert!(breaker.tick(at(300)));
        (0..4).for_each(|n| assert_eq!(breaker.acted(&pod(n), true, at(301)), None));
        assert!(breaker.acted(&pod(5), false, at(302)).unwrap().contains("first try after the pause"));
    }

    #[test]
    fn it_opens_when_workloads_do_not_recover() {
        let mut breaker = Breaker::default();
        assert_eq!((breaker.harmed("a", at(0)), breaker.harmed("b", at(1))), (None, None));
        assert_eq!(breaker.harmed("b", at(2)), None, "the same one again is not a third");
        assert!(breaker.harmed("c", at(2)).is_some());
    }

    #[test]
    fn after_the_pause_one_failure_doubles_it_and_a_few_successes_close_it() {
        let mut breaker = Breaker::default();
        ["a", "b", "c"].into_iter().zip(0..).for_each(|(name, n)| drop(breaker.harmed(name, at(n))));
        assert!(!breaker.tick(at(300)));
        assert!(breaker.tick(at(302)));
        assert!(breaker.acted(&pod(1), false, at(303)).unwrap().contains("held for 10 min"));
        assert!(breaker.tick(at(303 + 600)));
        (0..5).for_each(|n| assert_eq!(breaker.acted(&pod(n), true, at(1_000)), None));
        assert_eq!(breaker.acted(&pod(1), false, at(1_001)), None, "closed: one failure is no harm");
    }
}
