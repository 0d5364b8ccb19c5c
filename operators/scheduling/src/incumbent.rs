//! Whether a kube-scheduler still leads where Keelson is to replace it.
//!
//! In layout Replacement the pods of `default-scheduler` are Keelson's, and two schedulers must not bind the same pods. A
//! kube-scheduler that leads renews the Lease [`LEASE`] every two seconds. It is taken to lead until *we* have seen no change
//! of that Lease, on our own clock, for as long as the Lease says it lasts: its stamps are never compared with ours.
//!
//! Promises: a Lease that was just given back or deleted is waited for as well, for another kube-scheduler may stand by; what
//! cannot be read counts as somebody who leads.
//!
//! No promise: a kube-scheduler that was started without leader election has no Lease, and nobody sees it.

use keelson_core::{Span, Timestamp};
use keelson_runtime::Fact;

/// The namespace of kube-scheduler's Lease.
pub const NAMESPACE: &str = "kube-system";
/// Its name.
pub const LEASE: &str = "kube-scheduler";
/// How often it is looked at: half of client-go's retry period, in which a candidate takes over a free Lease.
pub const EVERY: Span = Span::seconds(1);

/// client-go's lease duration: what counts where no Lease says another.
const LASTS: Span = Span::seconds(15);
/// A Lease that was given back says one second; those who stand by look every two.
const LEAST: Span = Span::seconds(5);

/// What the Lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `spec.holderIdentity`; empty when it was given back.
    pub holder: String,
    /// `spec.renewTime` as text.
    pub renewed: String,
    /// `spec.leaseTransitions`.
    pub transitions: i32,
    /// `spec.leaseDurationSeconds`.
    pub lasts: Span,
}

/// An answer of the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The Lease.
    There(Record),
    /// There is none.
    Absent,
    /// It cannot be read.
    Failed(String),
}

/// Whether somebody leads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Incumbent {
    /// Nobody looked yet.
    #[default]
    NotAsked,
    /// This one does.
    Leads {
        /// `spec.holderIdentity`.
        holder: String,
    },
    /// Nobody does, as it seems; it must seem so a little longer.
    Settling,
    /// The Lease cannot be read.
    Unread {
        /// The API server's words.
        why: String,
    },
    /// Nobody does.
    Gone,
}

impl Fact for Incumbent {
    const NAME: &'static str = "Incumbent";

    fn told(&self) -> String {
        self.stands_in_the_way().map_or_else(|| "No kube-scheduler leads.".to_owned(), |why| format!("{why}."))
    }
}

impl Incumbent {
    /// Why nothing of `default-scheduler`'s may be bound; none when it may.
    #[must_use]
    pub fn stands_in_the_way(&self) -> Option<String> {
        let lease = format!("Lease {NAMESPACE}/{LEASE}");
        Some(match self {
            Self::Gone => return None,
            Self::NotAsked => format!("{lease} was not read yet, and a kube-scheduler may lead"),
            Self::Leads { holder } => format!(
                "{holder} holds {lease} and renews it: two schedulers must not bind the same pods. Stop that \
                 kube-scheduler, and Keelson takes over"
            ),
            Self::Settling => {
                format!("{lease} has no holder, and must be without one a little longer, for another may stand by")
            }
            Self::Unread { why } => {
                format!(
                    "{lease} cannot be read, and a kube-scheduler may lead ({why}). The chart grants it with \
                     features.scheduling.settings.layout=Replacement"
                )
            }
        })
    }
}

/// One look after another.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// What was seen last (none is no Lease), and since when it is unchanged.
    seen: Option<(Option<Record>, Timestamp)>,
}

impl Watch {
    /// What the answer means at `now`, on a clock of ours.
    pub fn look(&mut self, answer: Answer, now: Timestamp) -> Incumbent {
        let record = match answer {
            Answer::Failed(why) => return Incumbent::Unread { why },
            Answer::There(record) => Some(record),
            Answer::Absent => None,
        };
        let since = match &self.seen {
            Some((before, since)) if *before == record => *since,
            _ => now,
        };
        let lasts = record.as_ref().map_or(LASTS, |record| record.lasts.clamp(LEAST, Span::hours(1)));
        let holder = record.as_ref().map(|record| record.holder.clone()).filter(|holder| !holder.is_empty());
        self.seen = Some((record, since));
        match holder {
            _ if now.since(since) > lasts => Incumbent::Gone,
            Some(holder) => Incumbent::Leads { holder },
            None => Incumbent::Settling,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn lease(holder: &str, renewed: u32) -> Answer {
        let renewed = format!("2026-11-29T22:00:{renewed:02}.000000Z");
        Answer::There(Record { holder: holder.into(), renewed, transitions: 1, lasts: Span::seconds(15) })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(0) + Span::seconds(seconds)
    }

    fn leads(holder: &str) -> Incumbent {
        Incumbent::Leads { holder: holder.into() }
    }

    #[test]
    fn who_renews_leads_and_who_stopped_has_led_once_the_lease_has_run_out() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(lease("node-1_a", 0), at(0)), leads("node-1_a"));
        assert_eq!(watch.look(lease("node-1_a", 2), at(10)), leads("node-1_a"));
        assert_eq!(watch.look(lease("node-1_a", 2), at(25)), leads("node-1_a"));
        assert_eq!(watch.look(lease("node-1_a", 2), at(26)), Incumbent::Gone);
        assert_eq!(watch.look(lease("node-2_b", 30), at(27)), leads("node-2_b"), "another took over");
    }

    #[test]
    fn a_lease_that_is_old_when_it_is_first_seen_is_waited_for_all_the_same() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(lease("gone-for-years", 0), at(0)), leads("gone-for-years"));
        assert_eq!(watch.look(lease("gone-for-years", 0), at(16)), Incumbent::Gone);
    }

    #[test]
    fn one_that_was_given_back_or_deleted_is_left_to_those_who_stand_by_first() {
        let mut watch = Watch::default();
        let mut released =
            Record { holder: String::new(), renewed: String::new(), transitions: 2, lasts: Span::seconds(1) };
        assert_eq!(watch.look(Answer::There(released.clone()), at(0)), Incumbent::Settling);
        assert_eq!(watch.look(Answer::There(released.clone()), at(5)), Incumbent::Settling);
        assert_eq!(watch.look(Answer::There(released.clone()), at(6)), Incumbent::Gone);
        assert_eq!(watch.look(Answer::Absent, at(7)), Incumbent::Settling, "deleted");
        assert_eq!(watch.look(Answer::Absent, at(22)), Incumbent::Settling);
        assert_eq!(watch.look(Answer::Absent, at(23)), Incumbent::Gone);
        released.transitions = 3;
        assert_eq!(watch.look(Answer::There(released), at(24)), Incumbent::Settling);
    }

    #[test]
    fn what_cannot_be_read_counts_as_somebody_who_leads() {
        let mut watch = Watch::default();
        watch.look(Answer::Absent, at(0));
        assert_eq!(watch.look(Answer::Absent, at(20)), Incumbent::Gone);
        let unread = watch.look(Answer::Failed("leases is forbidden".into()), at(21));
        assert!(unread.stands_in_the_way().unwrap().contains("leases is forbidden"));
        assert!(Incumbent::default().stands_in_the_way().is_some());
        assert!(
            leads("node-1_a")
                .stands_in_the_way()
                .unwrap()
                .starts_with("node-1_a holds Lease kube-system/kube-scheduler")
        );
    }

    proptest! {
        /// However it is renewed, deleted and looked at: nobody is said to be gone who renewed within the last 15 s.
        #[test]
        fn nobody_who_renews_in_time_is_said_to_be_gone(
            steps in prop::collection::vec((1..15_i64, 0..4_u8), 1..60),
        ) {
            let (mut watch, mut now, mut renewed) = (Watch::default(), at(0), 0);
            for (pause, kind) in steps {
                now = now + Span::seconds(pause);
                renewed += 1;
                let (answer, free) = match kind {
                    0 => (Answer::Failed("no".into()), false),
                    1 => (Answer::Absent, true),
                    _ => (lease("a", renewed % 60), false),
                };
                let said = watch.look(answer, now);
                prop_assert!(free || said != Incumbent::Gone, "{said:?}");
            }
        }
    }
}
