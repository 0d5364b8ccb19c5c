//! When a cron schedule is due: five fields of numbers, `*`, ranges, steps and lists, or one of the `@` names, in UTC.
//!
//! As in cron, a day matches when either the day of the month or the day of the week does, unless one of them is `*`.

use std::collections::BTreeSet;

use keelson_core::Timestamp;

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    minutes: BTreeSet<i64>,
    hours: BTreeSet<i64>,
    days: BTreeSet<i64>,
    months: BTreeSet<i64>,
    weekdays: BTreeSet<i64>,
    any_day: bool,
    any_weekday: bool,
}

/// A day in seconds.
const DAY: i64 = 86_400;
/// How many days are searched: leap days come at most eight years apart.
const HORIZON: i64 = 8 * 366;

impl Schedule {
    /// Reads a schedule; none when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
        Some(Self {
            minutes: field(minute, 0, 59)?,
            hours: field(hour, 0, 23)?,
            days: field(day, 1, 31)?,
            months: field(month, 1, 12)?,
            weekdays: field(weekday, 0, 7)?.into_iter().map(|day| day % 7).collect(),
            any_day: day.starts_with('*'),
            any_weekday: weekday.starts_with('*'),
        })
    }

    /// The first moment after `now` that is due; none when there is none in years.
    #[must_use]
    pub fn after(&self, now: Timestamp) -> Option<Timestamp> {
        let next_minute = now.as_seconds().div_euclid(60) + 1;
        let today = (next_minute * 60).div_euclid(DAY);
        let days = (today..today + HORIZON).filter(|day| self.includes_day(*day));
        let times = days.flat_map(|day| self.times().map(move |minute| day * DAY / 60 + minute));
        times.into_iter().find(|minute| *minute >= next_minute).map(|minute| Timestamp(minute * 60_000_000))
    }

    fn times(&self) -> impl Iterator<Item = i64> {
        self.hours.iter().flat_map(|hour| self.minutes.iter().map(move |minute| hour * 60 + minute))
    }

    fn includes_day(&self, day: i64) -> bool {
        let Ok(moment) = jiff::Timestamp::from_second(day * DAY) else { return false };
        let date = moment.to_zoned(jiff::tz::TimeZone::UTC).date();
        let in_month = self.days.contains(&i64::from(date.day()));
        let in_week = self.weekdays.contains(&i64::from(date.weekday().to_sunday_zero_offset()));
        let day = if self.any_day || self.any_weekday { in_month && in_week } else { in_month || in_week };
        self.months.contains(&i64::from(date.month())) && day
    }
}

/// `*`, `5`, `1-5`, `*/15`, `10-40/10`, or a list of these.
fn field(text: &str, first: i64, last: i64) -> Option<BTreeSet<i64>> {
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (first, last),
            Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
            None => {
                let number = range.parse().ok()?;
                (number, if step.is_some() { last } else { number })
            }
        };
        if from < first || to > last || from > to {
            return None;
        }
        numbers.extend((from..=to).step_by(step.unwrap_or(1)));
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn schedules_are_due_when_cron_says() {
        for (schedule, now, next) in [
            ("*/15 * * * *", "2026-05-20T17:00:00Z", "2026-05-20T17:15:00Z"),
            ("5 4 * * *", "2026-05-20T17:00:00Z", "2026-05-21T04:05:00Z"),
            ("0 9-17/4 * * 1-5", "2026-05-22T17:30:00Z", "2026-05-25T09:00:00Z"),
            ("0 0 29 2 *", "2026-05-20T17:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 1 * 0", "2026-05-20T17:00:00Z", "2026-05-24T00:00:00Z"),
            ("@hourly", "2026-05-20T17:59:59Z", "2026-05-20T18:00:00Z"),
        ] {
            let after = Schedule::parse(schedule).unwrap().after(Timestamp::parse(now).unwrap());
            assert_eq!(after.map(|time| time.to_string()), Some(next.to_owned()), "{schedule}");
        }
        assert_eq!(Schedule::parse("0 0 30 2 *").unwrap().after(Timestamp(0)), None);
    }

    #[test]
    fn what_is_no_schedule_is_none() {
        for text in ["", "* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "a * * * *", "1,,2 * * * *"] {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
    }
}
