//! Who leads.
//!
//! A Lease says who holds it and until when, in the holder's own wall clock. Clocks of two machines may be an hour apart,
//! so that stamp is never compared with ours: a lease has expired when *we* have seen no change of it, on our own
//! monotonic clock, for as long as it says it lasts (client-go's rule, `leaderelection.go`).
//!
//! A leader carries a fence: the number of times the lease changed hands. Whoever acts shows it, and whoever is acted on
//! may refuse a lower one.
//!
//! This is the thinking; whoever owns the client reads the Lease, calls [`Elector::next`], and writes what it says,
//! guarded by the resourceVersion it read.
//!
//! Promises: a live holder is never robbed, whatever its clock says and even when its Lease is deleted; a dead one is
//! replaced after one duration; a leader that cannot renew stops before another may start; no number that this candidate has
//! seen or was told of is used again, though the Lease be deleted or restored from a backup.

use keelson_core::{Span, Timestamp};

/// How long is how long. See [`Timing::validate`] for what fits together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a lease lasts without a change.
    pub lease: Span,
    /// How long a leader keeps leading without a successful renewal.
    pub renew_deadline: Span,
    /// How often everybody looks.
    pub retry: Span,
}

impl Default for Timing {
    /// client-go's 15 s, 10 s and 2 s.
    fn default() -> Self {
        Self { lease: Span::seconds(15), renew_deadline: Span::seconds(10), retry: Span::seconds(2) }
    }
}

/// Times that do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// A new leader could start while the old one still leads.
    #[error(
        "lease {lease} must be longer than the renew deadline {renew_deadline}, or two could lead; raise the lease"
    )]
    LeaseTooShort {
        /// The lease's length.
        lease: Span,
        /// The deadline.
        renew_deadline: Span,
    },
    /// One slow look would end a leadership.
    #[error("renew deadline {renew_deadline} must be above 1.2 × retry {retry}; raise the deadline or lower the retry")]
    DeadlineTooShort {
        /// The deadline.
        renew_deadline: Span,
        /// The retry period.
        retry: Span,
    },
}

impl Timing {
    /// client-go's constraints: lease > renew deadline > 1.2 · retry.
    ///
    /// # Errors
    /// Which of the two does not hold.
    pub fn validate(self) -> Result<Self, TimingError> {
        let Self { lease, renew_deadline, retry } = self;
        if lease <= renew_deadline {
            return Err(TimingError::LeaseTooShort { lease, renew_deadline });
        }
        if renew_deadline.0.saturating_mul(5) <= retry.0.saturating_mul(6) {
            return Err(TimingError::DeadlineTooShort { renew_deadline, retry });
        }
        Ok(self)
    }
}

/// What a Lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `spec.holderIdentity`; empty when released.
    pub holder: String,
    /// `spec.leaseDurationSeconds`, as the holder set it.
    pub lease: Span,
    /// `spec.leaseTransitions`: the fence.
    pub transitions: u64,
    /// `spec.renewTime` as text. Compared for change, never read as a time.
    pub renewed: String,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Write the lease as ours with this fence. When the write succeeds, call [`Elector::acquired`].
    Acquire {
        /// Above every fence this candidate has seen.
        fence: u64,
    },
    /// Write the lease again with the same fence. When the write succeeds, call [`Elector::renewed`].
    Renew {
        /// Ours.
        fence: u64,
    },
    /// Somebody else leads; look again after the retry period.
    Follow,
    /// We led and may not any more: stop every worker, cancel what is in flight.
    Lost,
}

/// One candidate. `now` is monotonic and local: its zero means nothing, only differences do.
#[derive(Debug, Clone)]
pub struct Elector {
    identity: String,
    timing: Timing,
    observed: Option<(Option<Record>, Timestamp)>,
    leading: Option<Leading>,
    highest: u64,
    /// The newest version of the lease that was seen, in the cluster's own count.
    version: u64,
    /// Whether the cluster went back in time since the last look.
    went_back: bool,
}

#[derive(Debug, Clone, Copy)]
struct Leading {
    fence: u64,
    renewed_at: Timestamp,
}

impl Elector {
    /// A candidate that does not lead yet. `identity` must be unique in time as well: pod name and uid.
    #[must_use]
    pub fn new(identity: &str, timing: Timing) -> Self {
        Self {
            identity: identity.to_owned(),
            timing,
            observed: None,
            leading: None,
            highest: 0,
            version: 0,
            went_back: false,
        }
    }

    /// Takes note of a number under which somebody has led, as a history tells that outlives the lease.
    pub fn at_least(&mut self, fence: u64) {
        self.highest = self.highest.max(fence);
    }

    /// Takes note of the version that the lease to be looked at has in the cluster's count. That count only grows, unless
    /// the cluster is restored from a backup: then what was done since is undone, and whoever led does so no more, even
    /// when the restored lease says so. Returns whether it went back.
    pub fn at_version(&mut self, version: u64) -> bool {
        let went_back = version < self.version;
        self.went_back |= went_back;
        self.version = version;
        went_back
    }

    /// The fence, while we lead.
    #[must_use]
    pub fn fence(&self) -> Option<u64> {
        self.leading.map(|leading| leading.fence)
    }

    /// When leading ends unless the lease is renewed before; none while we do not lead.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.leading.map(|leading| leading.renewed_at + self.timing.renew_deadline)
    }

    /// What to do, having read the lease (`None`: it does not exist).
    pub fn next(&mut self, lease: Option<Record>, now: Timestamp) -> Next {
        // A lease may be deleted, or restored from a backup: the fence still only rises, as far as we have seen.
        self.highest = self.highest.max(lease.as_ref().map_or(0, |record| record.transitions));
        let went_back = std::mem::take(&mut self.went_back);
        if self.leading.is_some() {
            return if went_back { self.lose() } else { self.keep(lease.as_ref(), now) };
        }
        let fence = self.highest.saturating_add(1);
        // Whoever held a Lease that is gone now may not know it yet, and leads for as long as it said. (client-go takes it
        // at once: then two lead until the first tries to renew.)
        let lease = lease.or_else(|| self.observed.as_ref().and_then(|(held, _)| held.clone()));
        let since = match &self.observed {
            Some((seen, since)) if *seen == lease => *since,
            _ => now,
        };
        let next = match &lease {
            None => Next::Acquire { fence },
            Some(record) if record.holder.is_empty() => Next::Acquire { fence },
            Some(record) if since + record.lease < now => Next::Acquire { fence },
            Some(_) => Next::Follow,
        };
        self.observed = Some((lease, since));
        next
    }

    /// The API server could not be reached: a leader holds on until its deadline, a candidate keeps waiting.
    pub fn unreachable(&mut self, now: Timestamp) -> Next {
        match self.leading {
            Some(leading) if self.overdue(leading, now) => self.lose(),
            Some(leading) => Next::Renew { fence: leading.fence },
            None => Next::Follow,
        }
    }

    /// The write of [`Next::Acquire`] succeeded; `asked_at` is when it was sent, not when the answer came.
    pub fn acquired(&mut self, fence: u64, asked_at: Timestamp) {
        self.highest = self.highest.max(fence);
        self.leading = Some(Leading { fence, renewed_at: asked_at });
    }

    /// The write of [`Next::Renew`] succeeded.
    pub fn renewed(&mut self, asked_at: Timestamp) {
        if let Some(leading) = &mut self.leading {
            leading.renewed_at = asked_at;
        }
    }

    fn keep(&mut self, lease: Option<&Record>, now: Timestamp) -> Next {
        let Some(leading) = self.leading else { return Next::Follow };
        let ours = lease.is_some_and(|record| record.holder == self.identity && record.transitions == leading.fence);
        if !ours || self.overdue(leading, now) { self.lose() } else { Next::Renew { fence: leading.fence } }
    }

    fn overdue(&self, leading: Leading, now: Timestamp) -> bool {
        now.since(leading.renewed_at) >= self.timing.renew_deadline
    }

    fn lose(&mut self) -> Next {
        self.leading = None;
        self.observed = None;
        Next::Lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(0) + Span::seconds(seconds)
    }

    fn held_by(holder: &str, renewed: &str) -> Option<Record> {
        Some(Record { holder: holder.into(), lease: Span::seconds(15), transitions: 3, renewed: renewed.into() })
    }

    fn candidate() -> Elector {
        Elector::new("b", Timing::default())
    }

    #[test]
    fn a_holder_whose_clock_is_an_hour_ahead_or_behind_is_never_robbed() {
        for hour in ["19", "21"] {
            let mut elector = candidate();
            for tick in 0..1_000 {
                let renewed = format!("2026-11-23T{hour}:00:{tick}");
                assert_eq!(elector.next(held_by("a", &renewed), at(tick * 2)), Next::Follow);
            }
        }
    }

    #[test]
    fn a_frozen_holder_is_replaced_after_one_duration_even_if_its_stamp_is_in_the_future() {
        let mut elector = candidate();
        let frozen = || held_by("a", "2099-01-01T00:00:00Z");
        for second in (0..=14).step_by(2) {
            assert_eq!(elector.next(frozen(), at(second)), Next::Follow);
        }
        assert_eq!(elector.next(frozen(), at(15)), Next::Follow, "exactly one duration is not past it");
        assert_eq!(elector.next(frozen(), at(16)), Next::Acquire { fence: 4 });
    }

    #[test]
    fn a_newcomer_waits_a_whole_duration_of_its_own_watching() {
        let mut elector = candidate();
        assert_eq!(elector.next(held_by("a", "1970-01-01T00:00:00Z"), at(1_000_000)), Next::Follow);
    }

    #[test]
    fn who_led_before_the_cluster_was_restored_leads_no_more_and_again_under_a_higher_number() {
        let mut elector = candidate();
        assert_eq!(elector.next(None, at(0)), Next::Acquire { fence: 1 });
        elector.acquired(7, at(0));
        let ours = || Some(Record { transitions: 7, ..held_by("b", "x").unwrap_or_else(|| unreachable!()) });
        assert!(!elector.at_version(900));
        assert_eq!(elector.next(ours(), at(2)), Next::Renew { fence: 7 });
        assert!(elector.at_version(300), "the count went back, and the lease of then says what it said");
        assert_eq!(elector.next(ours(), at(4)), Next::Lost);
        assert!(!elector.at_version(300));
        assert_eq!(elector.next(ours(), at(6)), Next::Follow);
        assert_eq!(elector.next(ours(), at(22)), Next::Acquire { fence: 8 });
    }

    #[test]
    fn what_a_history_knows_of_is_not_used_again() {
        let mut elector = candidate();
        elector.at_least(8);
        assert_eq!(elector.next(None, at(0)), Next::Acquire { fence: 9 });
    }

    #[test]
    fn a_released_or_missing_lease_is_taken_at_once() {
        assert_eq!(candidate().next(None, at(0)), Next::Acquire { fence: 1 });
        assert_eq!(candidate().next(held_by("", ""), at(0)), Next::Acquire { fence: 4 });
    }

    #[test]
    fn a_lease_that_is_deleted_under_its_holder_ends_nothing_and_does_not_lower_the_fence() {
        let mut elector = candidate();
        assert_eq!(elector.next(held_by("a", "x"), at(0)), Next::Follow);
        for second in (2..=15).step_by(2) {
            assert_eq!(elector.next(None, at(second)), Next::Follow, "it may not know yet");
        }
        assert_eq!(elector.next(None, at(16)), Next::Acquire { fence: 4 });

        let mut holder = Elector::new("a", Timing::default());
        holder.acquired(3, at(0));
        assert_eq!(holder.next(None, at(1)), Next::Lost);
        assert_eq!(holder.next(None, at(2)), Next::Acquire { fence: 4 }, "it knows that it stopped");
    }

    #[test]
    fn a_restarted_holder_of_the_same_name_gets_a_new_fence() {
        let mut elector = Elector::new("a", Timing::default());
        assert_eq!(elector.next(held_by("a", "x"), at(0)), Next::Follow, "it may still be running");
        assert_eq!(elector.next(held_by("a", "x"), at(16)), Next::Acquire { fence: 4 });
    }

    #[test]
    fn a_leader_that_cannot_renew_stops_before_another_may_start() {
        let mut elector = candidate();
        elector.acquired(4, at(0));
        assert_eq!(elector.unreachable(at(9)), Next::Renew { fence: 4 });
        assert_eq!(elector.unreachable(at(10)), Next::Lost);
        assert_eq!(elector.fence(), None);
    }

    #[test]
    fn a_leader_whose_lease_was_taken_or_deleted_stops() {
        for lease in [None, held_by("a", "x"), held_by("b", "x")] {
            let mut elector = candidate();
            elector.acquired(4, at(0));
            assert_eq!(elector.next(lease, at(1)), Next::Lost);
        }
    }

    #[test]
    fn times_that_could_let_two_lead_are_refused() {
        let timing = Timing { lease: Span::seconds(10), ..Timing::default() };
        let error = timing.validate().map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("lease 10 s must be longer than the renew deadline 10 s, or two could lead; raise the lease".into())
        );
        assert!(Timing { retry: Span::seconds(9), ..Timing::default() }.validate().is_err());
        let just = Timing { renew_deadline: Span::seconds(12), retry: Span::seconds(10), ..Timing::default() };
        assert!(just.validate().is_err(), "1.2 times is not above 1.2 times");
        assert!(Timing::default().validate().is_ok());
    }
}
