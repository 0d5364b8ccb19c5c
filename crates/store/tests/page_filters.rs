//! The page filters what just happened by itself; these vectors hold both filters to the same rule.
#![allow(clippy::expect_used)]

use keelson_core::decision::{Outcome, Verb};
use keelson_core::{Decision, Feature, Reason, Timestamp};
use keelson_store::Filter;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    row: Decision,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    filters: Wanted,
    matches: bool,
}

/// The parameters of a request for decisions.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    feature: Option<Feature>,
    verb: Option<Verb>,
    reason: Option<Reason>,
    outcome: Option<Outcome>,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    q: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

fn moment(text: &str) -> Timestamp {
    text.parse().map(Timestamp).or_else(|_| Timestamp::parse(text)).expect("a moment")
}

#[test]
fn the_page_and_the_store_filter_alike() {
    let Vectors { row, vectors } =
        serde_json::from_str(include_str!("../../../web/tests/filter-vectors.json")).expect("vectors");
    for Vector { filters, matches } in vectors {
        let shown = format!("{filters:?}");
        let filter = Filter {
            feature: filters.feature,
            verb: filters.verb,
            reason: filters.reason,
            outcome: filters.outcome,
            kind: filters.kind,
            namespace: filters.namespace,
            name: filters.name,
            text: filters.q,
            since: filters.since.as_deref().map(moment),
            until: filters.until.as_deref().map(moment),
            ..Filter::default()
        };
        assert_eq!(filter.matches(&row), matches, "{shown}");
    }
}
