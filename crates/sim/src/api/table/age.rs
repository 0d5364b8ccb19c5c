//! How long ago, as people say it.

use keelson_core::Timestamp;

/// The age of a time as upstream's tables print it; `<unknown>` when there is no time.
pub(super) fn since(time: &str, now: Timestamp) -> String {
    match Timestamp::parse(time) {
        Ok(then) => span(now.as_seconds() - then.as_seconds()),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// Two units where the smaller one still says something (upstream's `HumanDuration`).
pub(super) fn span(seconds: i64) -> String {
    let two = |big: i64, unit: char, small: i64, other: char| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{other}") }
    };
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, 'd', hours % 24, 'h'),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_upstream_prints_it() {
        let hour = 3600;
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (600, "10m"),
            (10_799, "179m"),
            (3 * hour, "3h"),
            (3 * hour + 60, "3h1m"),
            (8 * hour, "8h"),
            (47 * hour, "47h"),
            (48 * hour, "2d"),
            (49 * hour, "2d1h"),
            (192 * hour, "8d"),
            (730 * 24 * hour, "2y"),
            (-5, "<invalid>"),
            (-1, "0s"),
        ] {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }
}
