//! The recorded stories hold what is really asked: each kind of request in the list, with its outcome, and a refusal of each.
//! And the chart grants what is really used, and no more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use keelson_harness::asked::Request;
use keelson_harness::corpus::{listed, missing, told};
use keelson_harness::rbac::{self, Right};
use keelson_harness::used;
use serde_json::{Value, json};

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

/// Every right that the chart can grant, for the highest ceilings, with a sign-in, and to replace kube-scheduler.
const RIGHTS: &str = include_str!("../../../deploy/helm/keelson/files/rights.yaml");
/// Rights that no run uses, and why they are granted.
const IDLE: &[(&str, &str)] = &[];
/// Rights that a run uses and the chart does not grant, and why.
const FOREIGN: &[(&str, &str)] = &[
    (
        "create selfsubjectaccessreviews.authorization.k8s.io",
        "`keelson doctor` asks what its user may: anybody may ask",
    ),
    (
        "get customresourcedefinitions.apiextensions.k8s.io",
        "`keelson doctor` asks with its user's rights, and says when they are too few",
    ),
];

/// The rights of the chart, one by one.
fn granted() -> BTreeSet<Right> {
    let rights: Value = serde_saphyr::from_str(RIGHTS).unwrap();
    let features = rights["features"].as_object().unwrap().values().map(|feature| &feature["Enforce"]);
    let parts = features.chain([&rights["base"]["Enforce"], &rights["replacing"], &rights["signIn"]]);
    let role = |part: &Value| {
        let metadata = if part["own"] == true { json!({"namespace": "keelson-system"}) } else { json!({}) };
        let rule = json!({"apiGroups": [part["group"]], "resources": [part["resource"]],
            "resourceNames": part["names"], "verbs": part["verbs"]});
        json!({"metadata": metadata, "rules": [rule]})
    };
    parts.flat_map(|part| part.as_array().unwrap()).flat_map(|part| rbac::rights(&role(part))).collect()
}

#[test]
fn every_right_of_the_chart_is_used_in_a_run_and_every_right_that_a_run_uses_is_granted() {
    let (granted, used) = (granted(), used::listed().unwrap());
    let covers = |right: &Right, one: &Right| right.allows(&used::request(one));
    let idle: Vec<String> =
        granted.iter().filter(|right| !used.iter().any(|one| covers(right, one))).map(ToString::to_string).collect();
    let foreign: Vec<String> =
        used.iter().filter(|one| !granted.iter().any(|right| covers(right, one))).map(ToString::to_string).collect();
    println!("{} rights are granted, {} are used in runs on real clusters", granted.len(), used.len());
    for (excused, found) in [(IDLE, idle), (FOREIGN, foreign)] {
        let excused: Vec<&str> = excused.iter().map(|(line, _)| *line).collect();
        assert_eq!(found, excused, "granted and unused, or used and not granted; and what is excused");
    }
}
