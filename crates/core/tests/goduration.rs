//! Go durations: vectors by hand, laws by generated cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use keelson_core::{GoDuration, Span};
use proptest::prelude::*;

const S: i64 = 1_000_000_000;

#[test]
fn durations_are_read_as_go_reads_them() {
    for (text, nanos) in [
        ("0", 0),
        ("-0", 0),
        ("+0", 0),
        ("0s", 0),
        ("5s", 5 * S),
        ("+5s", 5 * S),
        ("1h30m", 5_400 * S),
        ("-1.5h", -5_400 * S),
        (".5s", S / 2),
        ("-.5s", -S / 2),
        ("5.s", 5 * S),
        ("1µs", 1_000),
        ("1μs", 1_000),
        ("1us", 1_000),
        ("1.004s", 1_004_000_000),
        ("100.00100s", 100_001_000_000),
        ("1h1m1s1ms1us1ns", 3_661 * S + 1_001_001),
        ("10.5s4m", 250 * S + S / 2),
        ("-2m3.4s", -123_400_000_000),
        ("52763797000ns", 52_763_797_000),
        ("0.3333333333333333333h", 1_200 * S),
        ("9007199254740993ns", 9_007_199_254_740_993),
        ("9223372036854775807ns", i64::MAX),
        ("-9223372036854775808ns", i64::MIN),
        ("9223372036s854ms775us807ns", i64::MAX),
        ("0.100000000000000000000h", 360 * S),
        ("0.830103483285477580700h", 2_988_372_539_827),
    ] {
        assert_eq!(text.parse::<GoDuration>().unwrap().0, nanos, "{text}");
    }
}

#[test]
fn what_go_refuses_is_refused_with_the_fix() {
    for (text, message) in [
        ("", "\"\" is not a duration: write numbers with units, such as 1h30m, 1.5s or 250ms"),
        ("3", "\"3\" is not a duration: a number has no unit; add one of ns us µs ms s m h"),
        ("1d", "\"1d\" is not a duration: unit d is unknown; use one of ns us µs ms s m h"),
        (
            "9223372036854775808ns",
            "\"9223372036854775808ns\" is not a duration: it is longer than the limit of \
             2562047h47m16.854775807s; write a shorter one",
        ),
    ] {
        assert_eq!(text.parse::<GoDuration>().unwrap_err().to_string(), message);
    }
    for text in ["-", "s", ".", "-.", ".s", "+.s", "1h ", " 1h", "1 h", "3000000h", "9223372036854775.808us", "--1s"] {
        assert!(text.parse::<GoDuration>().is_err(), "{text:?}");
    }
}

#[test]
fn durations_print_as_go_prints_them() {
    for (nanos, text) in [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (-S / 2, "-500ms"),
        (60 * S, "1m0s"),
        (245 * S, "4m5s"),
        (245 * S + 1_000_000, "4m5.001s"),
        (3_600 * S, "1h0m0s"),
        (18_367 * S + 1_000_000, "5h6m7.001s"),
        (480 * S + 1, "8m0.000000001s"),
        (i64::MAX, "2562047h47m16.854775807s"),
        (i64::MIN, "-2562047h47m16.854775808s"),
    ] {
        assert_eq!(GoDuration(nanos).to_string(), text);
    }
}

#[test]
fn a_duration_travels_as_a_string_and_as_a_span() {
    let duration: GoDuration = serde_json::from_str("\"1m30s\"").unwrap();
    assert_eq!(duration.span(), Span::seconds(90));
    assert_eq!(serde_json::to_string(&duration).unwrap(), "\"1m30s\"");
    assert_eq!(GoDuration::from(Span::millis(5)), GoDuration(5_000_000));
    assert!(serde_json::from_str::<GoDuration>("90").is_err());
}

proptest! {
    #![proptest_config(support::cases(4_000))]

    #[test]
    fn every_duration_survives_printing(nanos: i64) {
        prop_assert_eq!(GoDuration(nanos).to_string().parse::<GoDuration>().unwrap().0, nanos);
    }

    #[test]
    fn short_durations_survive_printing(nanos in -10 * S..10 * S) {
        prop_assert_eq!(GoDuration(nanos).to_string().parse::<GoDuration>().unwrap().0, nanos);
    }

    #[test]
    fn no_text_brings_the_parser_down(text in "\\PC{0,80}|[-+.0-9numsµh]{0,120}") {
        if let Err(error) = text.parse::<GoDuration>() {
            prop_assert!(error.text.chars().count() <= 64);
        }
    }
}
