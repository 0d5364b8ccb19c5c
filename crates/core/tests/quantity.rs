//! Quantities: vectors by hand, laws by generated cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::cmp::Ordering;

use keelson_core::Quantity;
use keelson_core::quantity::Format;
use proptest::prelude::*;

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

#[test]
fn a_quantity_prints_in_its_canonical_form() {
    for (text, canonical) in [
        ("0", "0"),
        ("-0", "0"),
        ("+5", "5"),
        ("0Ki", "0"),
        ("1000m", "1"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1.", "1"),
        ("1.1", "1100m"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("1024Ki", "1Mi"),
        ("1Ki", "1Ki"),
        ("1024", "1024"),
        ("1000", "1k"),
        ("123000000", "123M"),
        ("0.5Ki", "512"),
        ("0.0001Ki", "102400u"),
        ("1.3Ki", "1331200m"),
        ("1E", "1E"),
        ("1E3", "1e3"),
        ("1e3", "1e3"),
        ("1e4", "10e3"),
        ("1e-3", "1e-3"),
        ("1E+3", "1e3"),
        ("1e0", "1"),
        ("100n", "100n"),
        ("1000n", "1u"),
        ("-1.5", "-1500m"),
        ("-1.5Gi", "-1536Mi"),
        ("007", "7"),
        ("1000E", "1e21"),
        ("9223372036854775807", "9223372036854775807"),
    ] {
        assert_eq!(q(text).to_string(), canonical, "{text}");
    }
}

#[test]
fn bytes_print_with_binary_suffixes() {
    for (bytes, text) in [
        (0, "0"),
        (1, "1"),
        (1_000, "1k"),
        (1_024, "1Ki"),
        (1_536, "1536"),
        (1_048_576, "1Mi"),
        (-2_048, "-2Ki"),
        (1 << 60, "1Ei"),
    ] {
        assert_eq!(Quantity::from_bytes(bytes).to_string(), text);
    }
}

#[test]
fn a_binary_quantity_below_one_becomes_decimal() {
    assert_eq!(q("0.0005Ki").format(), Format::DecimalSI);
    assert_eq!(q("0.5Ki").format(), Format::BinarySI);
}

#[test]
fn precision_finer_than_a_nano_unit_rounds_away_from_zero() {
    for (text, nanos) in [
        ("0.1n", 1),
        ("-0.1n", -1),
        ("1.0000000001", 1_000_000_001),
        ("0.00000000000000000000000000000000000000000001", 1),
        ("1e-100", 1),
        ("0.0000000001Ki", 103),
        ("0e-100", 0),
        ("1.00000000000000000000000000000000000000000000000000000000000Ki", 1_024_000_000_000),
        ("1.00000000000000000000000000000000000000000000000000000000001Ki", 1_024_000_000_001),
    ] {
        assert_eq!(q(text).nanos(), nanos, "{text}");
    }
}

#[test]
fn magnitudes_above_the_range_are_capped() {
    for text in ["8Ei", "9Ei", "999999999999999999999999999999999999999999Ki", "9.9Ei"] {
        assert_eq!(q(text).value(), i64::MAX, "{text}");
        assert_eq!(q(text).nanos(), i128::from(i64::MAX) * 1_000_000_000, "{text}");
    }
    for text in ["10E", "1e400", "1e9223372036854775807", "99999999999999999999999999999999999999999999"] {
        assert_eq!(q(text).value(), i64::MAX, "{text}");
        assert_eq!(q(&format!("-{text}")).value(), i64::MIN, "{text}");
    }
    assert_eq!(Quantity::from_bytes(i64::MIN).value(), -i64::MAX);
    assert_eq!(Quantity::from_value(i64::MIN).value(), i64::MIN);
}

#[test]
fn integers_are_read_off_rounded_up_and_saturated() {
    assert_eq!((q("100.5m").milli(), q("1m").value(), q("-1m").value()), (101, 1, -1));
    assert_eq!((q("1n").milli(), q("2").milli(), q("1E").milli()), (1, 2_000, i64::MAX));
    assert_eq!((Quantity::from_milli(1_500).to_string(), Quantity::from_value(3).milli()), ("1500m".into(), 3_000));
}

#[test]
fn a_text_that_is_no_quantity_is_refused_with_the_fix() {
    for text in ["", " 1", "1 ", "-", "+", ".", "Ki", "m", "5Z", "1i", "1kI", "1K", "1e", "1e+", "1Ee3", "+-1", "1_0"] {
        assert!(text.parse::<Quantity>().is_err(), "{text:?}");
    }
    assert_eq!(
        "5Z".parse::<Quantity>().unwrap_err().to_string(),
        "\"5Z\" is not a quantity: suffix Z is unknown; use one of n u m k M G T P E, Ki Mi Gi Ti Pi Ei, \
         or an exponent such as e3"
    );
    let long = format!("1{}", "x".repeat(10_000)).parse::<Quantity>().unwrap_err();
    assert!(long.text.chars().count() == 64 && long.to_string().len() < 400);
}

#[test]
fn json_may_hold_a_string_or_a_number() {
    for (json, text) in [
        ("\"500m\"", "500m"),
        ("2", "2"),
        ("-2", "-2"),
        ("0.5", "500m"),
        ("18446744073709551615", "18446744073709551615"),
    ] {
        assert_eq!(serde_json::from_str::<Quantity>(json).unwrap().to_string(), text);
    }
    assert_eq!(serde_json::to_string(&q("1.5Gi")).unwrap(), "\"1536Mi\"");
    assert!(serde_json::from_str::<Quantity>("true").is_err());
}

#[test]
fn equality_looks_at_the_value_alone() {
    assert_eq!(q("1Ki"), q("1024"));
    assert_eq!(q("1e3"), q("1k"));
    assert!(q("999m") < q("1") && q("1G") < q("1Gi") && q("-1") < q("0"));
}

const SUFFIXES: [(&str, u32, u32); 16] = [
    ("n", 0, 0),
    ("u", 3, 0),
    ("m", 6, 0),
    ("", 9, 0),
    ("k", 12, 0),
    ("M", 15, 0),
    ("G", 18, 0),
    ("T", 21, 0),
    ("P", 24, 0),
    ("E", 27, 0),
    ("Ki", 9, 10),
    ("Mi", 9, 20),
    ("Gi", 9, 30),
    ("Ti", 9, 40),
    ("Pi", 9, 50),
    ("Ei", 9, 60),
];

/// A number as people write it: sign, digits, perhaps a fraction, a suffix.
fn written() -> impl Strategy<Value = String> {
    "[-+]?[0-9]{1,24}(\\.[0-9]{0,24})?(n|u|m||k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]{1,2})"
}

proptest! {
    #![proptest_config(support::cases(4_000))]

    #[test]
    fn printing_and_reading_keep_the_value(text in written()) {
        let quantity = q(&text);
        prop_assert_eq!(q(&quantity.to_string()).nanos(), quantity.nanos());
    }

    #[test]
    fn the_printed_form_of_a_decimal_is_a_fixed_point(text in written()) {
        let printed = q(&text).to_string();
        // A binary number without a suffix is read back as a decimal; from then on nothing changes.
        let again = q(&printed).to_string();
        prop_assert_eq!(q(&again).to_string(), again.clone());
        if q(&text).format() != Format::BinarySI {
            prop_assert_eq!(again, printed);
        }
    }

    #[test]
    fn the_printed_number_is_whole(text in written()) {
        prop_assert!(!q(&text).to_string().contains('.'));
    }

    #[test]
    fn reading_agrees_with_multiplication(n in 0_i64..1_000_000, (suffix, ten, two) in prop::sample::select(&SUFFIXES[..])) {
        let exact = (i128::from(n) * 10_i128.pow(ten)) << two;
        let cap = if two == 0 { i128::MAX } else { i128::from(i64::MAX) * 1_000_000_000 };
        prop_assert_eq!(q(&format!("{n}{suffix}")).nanos(), exact.min(cap));
    }

    #[test]
    fn binary_fractions_are_exact(n in 0_i128..1_000_000_000, power in 1_u32..=6) {
        // n / 10^9 times 1024^power, in nano-units, is a whole number.
        let suffix = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power as usize - 1];
        prop_assert_eq!(q(&format!("0.{n:09}{suffix}")).nanos(), n << (10 * power));
    }

    #[test]
    fn order_agrees_with_the_value(a in written(), b in written()) {
        let (a, b) = (q(&a), q(&b));
        prop_assert_eq!(a.cmp(&b), a.nanos().cmp(&b.nanos()));
        prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
        prop_assert!(a > b || a.value() <= b.value() && a.milli() <= b.milli());
    }

    #[test]
    fn integers_survive(n: i64) {
        prop_assert_eq!(q(&Quantity::from_value(n).to_string()).value(), n);
        prop_assert_eq!(q(&Quantity::from_milli(n).to_string()).milli(), n);
        prop_assert_eq!(q(&Quantity::from_bytes(n).to_string()).value(), n.max(-i64::MAX));
    }

    #[test]
    fn no_text_brings_the_parser_down(text in "\\PC{0,80}|[-+.0-9eEinumkKMGTP]{0,200}") {
        if let Err(error) = text.parse::<Quantity>() {
            prop_assert!(error.text.chars().count() <= 64);
        }
    }
}
