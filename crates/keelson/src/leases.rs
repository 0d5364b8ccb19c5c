//! How long leadership lasts, as the command line has it.

use clap::Args;
use keelson_core::{GoDuration, Span};
use keelson_runtime::elector::{Timing, TimingError};

/// The times of the Leases, under the names and with the defaults of Kubernetes' own components.
#[derive(Debug, Clone, Copy, Args)]
pub struct Leases {
    /// How long a Lease lasts that nobody renews: whoever waits takes it then.
    #[arg(long = "leader-elect-lease-duration", default_value = "15s", value_parser = whole, value_name = "DURATION")]
    pub lease: Span,
    /// How long a leader goes on that cannot renew its Lease.
    #[arg(long = "leader-elect-renew-deadline", default_value = "10s", value_parser = span, value_name = "DURATION")]
    pub renew_deadline: Span,
    /// How often a Lease is renewed, or looked at.
    #[arg(long = "leader-elect-retry-period", default_value = "2s", value_parser = span, value_name = "DURATION")]
    pub retry: Span,
}

impl Leases {
    /// The same as the elector wants them.
    ///
    /// # Errors
    /// When they do not fit together.
    pub fn timing(self) -> Result<Timing, TimingError> {
        let Self { lease, renew_deadline, retry } = self;
        Timing { lease, renew_deadline, retry }.validate()
    }
}

fn span(text: &str) -> Result<Span, String> {
    match text.parse::<GoDuration>().map_err(|error| error.to_string())?.span() {
        span if span > Span::ZERO => Ok(span),
        _ => Err("write a time above 0, like 2s".to_owned()),
    }
}

/// A Lease tells its length in whole seconds.
fn whole(text: &str) -> Result<Span, String> {
    match span(text)? {
        span if span.0 % Span::seconds(1).0 == 0 => Ok(span),
        _ => Err("write whole seconds, like 15s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        leases: Leases,
    }

    fn timing(line: &str) -> Result<Timing, String> {
        let line = Line::try_parse_from(["x"].into_iter().chain(line.split_whitespace())).map_err(|e| e.to_string())?;
        line.leases.timing().map_err(|error| error.to_string())
    }

    #[test]
    fn they_are_those_of_kubernetes_unless_told_otherwise() {
        assert_eq!(timing("").unwrap(), Timing::default());
        assert_eq!(timing("--leader-elect-retry-period=500ms").unwrap().retry, Span::millis(500));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_name() {
        for (line, word) in [
            ("--leader-elect-lease-duration=1500ms", "whole seconds"),
            ("--leader-elect-retry-period=0s", "above 0"),
            ("--leader-elect-retry-period=2", "no unit"),
            ("--leader-elect-lease-duration=5s", "renew deadline"),
        ] {
            let error = timing(line).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
