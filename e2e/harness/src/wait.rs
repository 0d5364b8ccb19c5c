//! Waiting for something outside this process to become true, and saying what was waited for when it does not.
//!
//! Promises: asks at least once, every 50 ms, and stops asking at the limit with an error that names the wish and the
//! last reason it was not granted; says on stderr what it waits for when that takes longer than two seconds.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Time between two looks.
const STEP: Duration = Duration::from_millis(50);

/// Time after which people are told.
const QUIET: Duration = Duration::from_secs(2);

/// Repeats `look` until it returns `Ok`, for at most `limit`.
///
/// # Errors
/// After `limit`, names `what` and the last error `look` gave.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T>) -> Result<T> {
    let start = now();
    let mut told = false;
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(reason) if now().duration_since(start) >= limit => {
                bail!("waited {} s for {what}: {reason:#}", limit.as_secs())
            }
            Err(_) => std::thread::sleep(STEP),
        }
        if !told && now().duration_since(start) >= QUIET {
            eprintln!("keelson: waiting for {what}");
            told = true;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the harness waits for real processes, which follow the real clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_wish_granted_at_the_third_look_is_returned() {
        let mut looks = 0;
        let found = until("three", Duration::from_secs(5), || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { bail!("only {looks}") }
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn giving_up_names_the_wish_and_the_last_reason() {
        let error = until::<()>("rain", Duration::ZERO, || bail!("the sky is blue")).unwrap_err();
        assert_eq!(error.to_string(), "waited 0 s for rain: the sky is blue");
    }
}
