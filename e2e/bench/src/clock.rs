//! Stopwatch, quantiles, and what the kernel says of a process.

use std::path::Path;
use std::time::{Duration, Instant};

/// Now, for measuring.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "time is the thing measured here")]
pub fn now() -> Instant {
    Instant::now()
}

/// The smallest value that is no less than `percent` of all.
#[must_use]
pub fn quantile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or_default()
}

/// The value in the middle.
#[must_use]
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Milliseconds.
#[must_use]
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// How long this thread has had a processor: what others do at the same time does not count.
#[must_use]
pub fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

/// How long all threads of this process but the first have had a processor; what ended meanwhile is not counted.
#[must_use]
pub fn of_others() -> Duration {
    let first = std::process::id().to_string();
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let others = threads.filter(|thread| thread.file_name().to_str() != Some(first.as_str()));
    let nanos = others.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// The resident memory of a process in megabytes (10⁶ bytes); `self` is this one.
#[must_use]
pub fn resident(process: &str) -> f64 {
    let text = std::fs::read_to_string(Path::new("/proc").join(process).join("status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kibibytes: f64 = line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default();
    kibibytes * 1_024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_occurred() {
        let mut times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(quantile(&mut times, 99), Duration::from_millis(198));
        assert_eq!(quantile(&mut times, 50), Duration::from_millis(100));
        assert_eq!(quantile(&mut [], 50), Duration::ZERO);
    }

    #[test]
    fn the_kernel_says_how_long_a_thread_ran_and_what_a_process_holds() {
        assert!(resident("self") > 1.0);
        let began = now();
        // A thread that has just begun is not yet on the books.
        while on_processor().is_zero() {
            assert!(began.elapsed() < Duration::from_secs(30), "no /proc/thread-self/schedstat");
        }
    }
}
