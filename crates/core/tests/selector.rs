//! Selectors: who is selected, what is refused, and that printing and reading agree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;

use keelson_core::selector::{
    FieldSelector, LabelSelector, MAX_SELECTOR, Operator, Requirement, Selector, validate_key, validate_value,
};
use proptest::prelude::*;

fn labels(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn selects(text: &str, list: &[(&str, &str)]) -> bool {
    Selector::parse(text).unwrap().matches(&labels(list))
}

#[test]
fn a_query_selects_by_every_condition() {
    for (text, list, expected) in [
        ("", &[][..], true),
        ("  ", &[], true),
        ("a=b", &[("a", "b")], true),
        ("a==b", &[("a", "c")], false),
        ("a=b", &[], false),
        ("a=", &[("a", "")], true),
        ("a=", &[], false),
        ("a!=b", &[("a", "c")], true),
        ("a!=b", &[], true),
        ("a!=b", &[("a", "b")], false),
        ("a in (x, y)", &[("a", "y")], true),
        ("a in (,x)", &[("a", "")], true),
        ("a in (x)", &[], false),
        ("a notin (x)", &[], true),
        ("a notin (x,y)", &[("a", "x")], false),
        ("a", &[("a", "")], true),
        ("!a", &[("a", "")], false),
        ("! a", &[], true),
        ("a>5", &[("a", "6")], true),
        ("a > 5", &[("a", "5")], false),
        ("a>5", &[("a", "many")], false),
        ("a<5", &[("a", "4")], true),
        ("a<5", &[], false),
        ("a=b,c!=d", &[("a", "b"), ("c", "d")], false),
        ("in in (in),notin=notin", &[("in", "in"), ("notin", "notin")], true),
        ("example.com/a=b", &[("example.com/a", "b")], true),
    ] {
        assert_eq!(selects(text, list), expected, "{text:?} {list:?}");
    }
}

#[test]
fn a_broken_query_is_refused() {
    for text in [
        "a=b,",
        ",a",
        "a,,b",
        "a==!b",
        "!a=b",
        "a in",
        "a in x",
        "a in (x",
        "a in ()",
        "a in (x y)",
        "a b",
        "a=b c",
        "(a)",
        "a>b",
        "a>",
        "a><5",
        "-a",
        "a=-b",
        "a/b/c",
        "/a",
        "a/",
        "A.com/x",
        "é=1",
        "!",
        "!!a",
        "a=>b",
        "a in (x))",
    ] {
        assert!(Selector::parse(text).is_err(), "{text:?}");
    }
    assert!(Selector::parse(&"a,".repeat(MAX_SELECTOR)).is_err());
}

#[test]
fn an_error_says_what_stands_where_and_what_should() {
    for (text, message) in [
        ("a in x", "found \"x\" where ( should be, at byte 5 of the selector"),
        ("a=b,", "found the end where a label key after the comma should be, at byte 4 of the selector"),
        ("a>b", "a: Gt compares integers, and \"b\" is none; write a number such as 5"),
        ("a in ()", "a: In has 0 values; it takes at least one"),
    ] {
        assert_eq!(Selector::parse(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn keys_and_values_follow_the_rules_of_labels() {
    let (name, prefix) = ("a".repeat(63), format!("{}.b", "a".repeat(60)));
    for key in ["a", "A_b-c.9", "example.com/a", &name, &format!("{prefix}/{name}")] {
        assert!(validate_key(key).is_ok(), "{key}");
    }
    for key in ["", "-a", "a-", "a b", "/a", "a/", "a/b/c", "Example.com/a", "a..b/c", &format!("{name}a")] {
        assert!(validate_key(key).is_err(), "{key}");
    }
    assert!(validate_value("k", "").is_ok() && validate_value("k", &name).is_ok());
    assert!(validate_value("k", "a/b").is_err() && validate_value("k", &format!("{name}a")).is_err());
}

#[test]
fn a_label_selector_is_read_from_kubernetes_json() {
    let json = r#"{"matchLabels":{"app":"cart"},"matchExpressions":[{"key":"tier","operator":"NotIn","values":["test"]},{"key":"zone","operator":"Exists"}]}"#;
    let selector: LabelSelector = serde_json::from_str(json).unwrap();
    selector.validate().unwrap();
    assert_eq!(serde_json::to_string(&selector).unwrap(), json);
    assert!(selector.matches(&labels(&[("app", "cart"), ("zone", "a")])));
    assert!(!selector.matches(&labels(&[("app", "cart"), ("zone", "a"), ("tier", "test")])));
    assert!(!selector.matches(&labels(&[("app", "cart")])));
    assert_eq!(selector.to_selector().to_string(), "app=cart,tier!=test,zone");
}

#[test]
fn an_empty_selector_matches_everything_and_an_absent_one_nothing() {
    let empty: LabelSelector = serde_json::from_str("{}").unwrap();
    assert!(empty.matches(&labels(&[])) && empty.matches(&labels(&[("a", "b")])));
    assert!(!LabelSelector::matches_optional(None, &labels(&[])));
    assert!(LabelSelector::matches_optional(Some(&empty), &labels(&[])));
}

#[test]
fn a_label_selector_refuses_comparisons_and_wrong_counts() {
    let one = |op, values: &[&str]| LabelSelector {
        match_expressions: vec![Requirement::new("a", op, values)],
        ..LabelSelector::default()
    };
    assert!(one(Operator::Gt, &["5"]).validate().is_err());
    assert!(one(Operator::In, &[]).validate().is_err());
    assert!(one(Operator::Exists, &["x"]).validate().is_err());
    assert!(one(Operator::In, &["x"]).validate().is_ok());
}

#[test]
fn a_missing_key_satisfies_only_not_in_and_does_not_exist() {
    for (op, missing) in [
        (Operator::In, false),
        (Operator::NotIn, true),
        (Operator::Exists, false),
        (Operator::DoesNotExist, true),
        (Operator::Gt, false),
        (Operator::Lt, false),
    ] {
        assert_eq!(Requirement::new("a", op, &["5"]).matches(None), missing, "{op}");
    }
}

#[test]
fn field_selectors_compare_paths_with_values() {
    let field = |path: &str| match path {
        "metadata.name" => Some("a"),
        "odd" => Some("x,y=z\\"),
        _ => None,
    };
    for (text, expected) in [
        ("", true),
        ("metadata.name=a", true),
        ("metadata.name==a,", true),
        ("metadata.name!=a", false),
        ("spec.nodeName=", true),
        ("spec.nodeName!=", false),
        ("spec.nodeName!=b,metadata.name=a", true),
        ("odd=x\\,y\\=z\\\\", true),
    ] {
        assert_eq!(FieldSelector::parse(text).unwrap().matches(field), expected, "{text}");
    }
    for text in ["a", "a=b=c", "a=b\\", "a=\\x", "a=b,c", "a!==b"] {
        assert!(FieldSelector::parse(text).is_err(), "{text}");
    }
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let key =
        prop_oneof!["[a-z]([-._a-z0-9]{0,5}[a-z0-9])?", "[a-z]{1,4}\\.[a-z]{1,4}/[A-Z]{1,3}", Just("in".to_owned())];
    let values = || prop::collection::vec("([a-z0-9]([-._A-Z]{0,3}[a-z])?)?", 1..4);
    let rest = prop_oneof![
        (prop_oneof![Just(Operator::In), Just(Operator::NotIn)], values()),
        (prop_oneof![Just(Operator::Exists), Just(Operator::DoesNotExist)], Just(Vec::new())),
        (prop_oneof![Just(Operator::Gt), Just(Operator::Lt)], (0_i64..99).prop_map(|n| vec![n.to_string()])),
    ];
    (key, rest).prop_map(|(key, (op, values))| Requirement { key, op, values })
}

proptest! {
    #![proptest_config(support::cases(3_000))]

    #[test]
    fn a_printed_selector_reads_back_the_same(list in prop::collection::vec(requirement(), 0..5)) {
        let selector = Selector::new(list);
        prop_assert_eq!(Selector::parse(&selector.to_string()).unwrap(), selector);
    }

    #[test]
    fn a_requirement_and_its_opposite_never_agree(values in prop::collection::vec("[a-c]", 1..3), value in "[a-d]") {
        let wanted = |op| Requirement { key: "k".into(), op, values: values.clone() };
        for value in [None, Some(value.as_str())] {
            prop_assert_ne!(wanted(Operator::In).matches(value), wanted(Operator::NotIn).matches(value));
            prop_assert_ne!(wanted(Operator::Exists).matches(value), wanted(Operator::DoesNotExist).matches(value));
        }
    }

    #[test]
    fn no_text_brings_the_label_parser_down(text in "\\PC{0,80}|[ab =!(),><\tinot-]{0,60}") {
        match Selector::parse(&text) {
            Ok(selector) => prop_assert_eq!(Selector::parse(&selector.to_string()).unwrap(), selector),
            Err(error) => prop_assert!(error.to_string().len() < 1_000),
        }
    }

    #[test]
    fn no_text_brings_the_field_parser_down(text in "\\PC{0,80}|[ab.=!,\\\\]{0,40}") {
        if let Ok(selector) = FieldSelector::parse(&text) {
            prop_assert_eq!(FieldSelector::parse(&selector.to_string()).unwrap(), selector);
        }
    }
}
