//! How busy the streaming service is: a synthetic day, minute by minute.

use keelson_core::Timestamp;

/// One day of traffic.
#[derive(Debug, Clone)]
pub struct Day {
    rows: Vec<Minute>,
}

/// One minute of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Minute {
    /// People watching.
    pub viewers: i64,
    /// Players opened.
    pub app_opens: i64,
    /// What the edge sends, in Mbit/s.
    pub edge_egress_mbps: i64,
    /// What the origin sends, in Mbit/s.
    pub origin_egress_mbps: i64,
    /// Requests to the player API, in thousandths a second.
    pub player_api_milli_rps: i64,
    /// Requests for licences, in thousandths a second.
    pub license_milli_rps: i64,
    /// Beacons, in thousandths a second.
    pub beacon_milli_rps: i64,
    /// Channels on air.
    pub live_channels: i64,
}

/// What a workload's size follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// [`Minute::app_opens`].
    AppOpens,
    /// [`Minute::edge_egress_mbps`].
    EdgeEgress,
    /// [`Minute::player_api_milli_rps`].
    PlayerApi,
    /// [`Minute::license_milli_rps`].
    License,
    /// [`Minute::beacon_milli_rps`].
    Beacons,
    /// [`Minute::live_channels`].
    Channels,
}

impl Minute {
    /// The number a driver stands for.
    #[must_use]
    pub const fn of(&self, driver: Driver) -> i64 {
        match driver {
            Driver::AppOpens => self.app_opens,
            Driver::EdgeEgress => self.edge_egress_mbps,
            Driver::PlayerApi => self.player_api_milli_rps,
            Driver::License => self.license_milli_rps,
            Driver::Beacons => self.beacon_milli_rps,
            Driver::Channels => self.live_channels,
        }
    }
}

impl Day {
    /// The bundled weekday with a football match at 21:00.
    #[must_use]
    pub fn streaming() -> Self {
        Self::read(include_str!("../../data/traffic/streaming-day.csv"))
    }

    /// Reads a day; columns are found by name, and what cannot be read is zero.
    #[must_use]
    pub fn read(csv: &str) -> Self {
        let mut lines = csv.lines();
        let columns: Vec<&str> = lines.next().unwrap_or("").split(',').collect();
        let row = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            let field =
                |name: &str| columns.iter().position(|column| *column == name).and_then(|at| fields.get(at)).copied();
            let whole = |name: &str| field(name).map_or(0, |text| milli(text) / 1_000);
            Minute {
                viewers: whole("viewers"),
                app_opens: whole("app_opens"),
                edge_egress_mbps: whole("edge_egress_mbps"),
                origin_egress_mbps: whole("origin_egress_mbps"),
                player_api_milli_rps: field("player_api_rps").map_or(0, milli),
                license_milli_rps: field("license_rps").map_or(0, milli),
                beacon_milli_rps: field("beacon_rps").map_or(0, milli),
                live_channels: whole("live_channels"),
            }
        };
        Self { rows: lines.map(row).collect() }
    }

    /// The traffic at a moment; days repeat.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Minute {
        let minute = now.as_seconds().rem_euclid(86_400) / 60;
        usize::try_from(minute).ok().and_then(|minute| self.rows.get(minute)).copied().unwrap_or_default()
    }
}

/// A decimal number in thousandths.
fn milli(text: &str) -> i64 {
    text.parse::<keelson_core::Quantity>().map_or(0, |quantity| quantity.milli())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_match_brings_the_peak() {
        let day = Day::streaming();
        let at = |time: &str| day.at(Timestamp::parse(&format!("2026-05-20T{time}:00Z")).unwrap_or_default());
        assert_eq!(at("17:00").viewers, 1_937);
        assert_eq!(at("17:00").license_milli_rps, 900);
        assert_eq!((at("21:00").edge_egress_mbps, at("21:00").live_channels), (42_644, 24));
        assert_eq!(day.rows.len(), 1_440);
    }
}
