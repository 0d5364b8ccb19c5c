//! The recorded stories hold what is really asked: each kind of request in the list, with its outcome, and a refusal of each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use keelson_harness::asked::Request;
use keelson_harness::corpus::{listed, missing, told};

/// What no story can show, and why. A line that a story shows, or that nobody asks, is an error.
const UNTOLD: &[(&str, &str)] = &[
    ("v1 pods/log: get -> 200", "takes a kubelet; without one a real API server answers 204, and that is told"),
    ("v1 pods/exec: get -> 101", "a connection to a kubelet, which the double does not pretend"),
    ("v1 pods/portforward: get -> 101", "a connection to a kubelet, which the double does not pretend"),
];
/// Requests that are never refused in a story, and why.
const UNREFUSED: &[(&str, &str)] = &[
    ("v1 pods/exec: get", "a connection to a kubelet, which the double does not pretend"),
    ("v1 pods/portforward: get", "a connection to a kubelet, which the double does not pretend"),
];

#[test]
fn every_kind_of_request_that_is_asked_is_told_in_a_story_and_refused_in_one() {
    let (asked, told) = (listed().unwrap(), told().unwrap());
    let shapes: BTreeSet<String> = asked.iter().map(Request::shape).collect();
    let (untold, unrefused) = missing(&asked, &told);
    println!(
        "{} kinds of requests are asked: {} are told in stories, {} cannot be; of {} to refuse, {} are refused, {} cannot be",
        asked.len(),
        asked.len() - untold.len(),
        UNTOLD.len(),
        shapes.len(),
        shapes.len() - unrefused.len(),
        UNREFUSED.len(),
    );
    for (excused, found) in [(UNTOLD, &BTreeSet::from_iter(untold)), (UNREFUSED, &unrefused)] {
        let excused: BTreeSet<String> = excused.iter().map(|(line, _)| (*line).to_owned()).collect();
        let open: Vec<_> = found.difference(&excused).collect();
        assert!(open.is_empty(), "no story shows, or shows refused:\n{open:#?}");
        let idle: Vec<_> = excused.difference(found).collect();
        assert!(idle.is_empty(), "take the excuse away:\n{idle:#?}");
    }
}
