//! What happens to the replicas and to the database, drawn from the seed.

use keelson_core::Span;
use keelson_sim::world::chance::Chance;

/// Something that happens to Keelson itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// Nobody reaches the API server for a minute.
    Outage,
    /// One replica does not reach it, for longer than its Lease lasts.
    Partition(usize),
    /// One replica dies and is replaced.
    Crash(usize),
    /// The database is away for a minute.
    NoDatabase,
}

impl Blow {
    /// One of each.
    pub const ALL: [Self; 4] = [Self::Outage, Self::Partition(0), Self::Crash(0), Self::NoDatabase];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outage => "api outage",
            Self::Partition(_) => "partition",
            Self::Crash(_) => "crash",
            Self::NoDatabase => "database outage",
        }
    }

    /// How long it lasts.
    #[must_use]
    pub const fn lasts(self) -> Span {
        match self {
            Self::Outage | Self::NoDatabase => Span::seconds(60),
            Self::Partition(_) => Span::seconds(90),
            Self::Crash(_) => Span::ZERO,
        }
    }
}

/// The blows of a day that is `length` long, for `replicas` replicas, with the pause before each: one every half an hour
/// or so. The last quarter of an hour is calm.
#[must_use]
pub fn forecast(chance: Chance, length: Span, replicas: u64) -> Vec<(Span, Blow)> {
    let mut blows = Vec::new();
    let mut at = Span::ZERO;
    for number in 0_u64.. {
        let key = number.to_string();
        let pause = chance.span("pause", &key, Span::minutes(15), Span::minutes(45));
        let replica = usize::try_from(chance.below("replica", &key, replicas)).unwrap_or(0);
        let blow = match chance.below("blow", &key, 4) {
            0 => Blow::Outage,
            1 => Blow::Partition(replica),
            2 => Blow::Crash(replica),
            _ => Blow::NoDatabase,
        };
        at = Span(at.0 + pause.0 + blow.lasts().0);
        if Span(at.0 + Span::minutes(15).0) > length {
            break;
        }
        blows.push((pause, blow));
    }
    blows
}
