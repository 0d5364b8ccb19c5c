//! What annotations say of bandwidth, well and badly.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use keelson_core::ResourceName::{Egress, Ingress};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::read::{ReadPod, node, pod};

fn read(annotations: Value, requests: Value) -> ReadPod {
    let containers = json!([{"name": "c", "resources": {"requests": requests}}]);
    let pod_of = json!({"metadata": {"name": "p", "annotations": annotations}, "spec": {"containers": containers}});
    pod(&serde_json::from_value(pod_of).unwrap())
}

fn rates(read: &ReadPod) -> (i64, i64) {
    (read.pod.requests.get(&Egress), read.pod.requests.get(&Ingress))
}

#[test]
fn a_request_counts_more_than_a_limit_and_that_more_than_a_resource() {
    let (request, limit) = ("bandwidth.keelson.dev/egress-request", "kubernetes.io/egress-bandwidth");
    let aware = json!({"network.aware.com/bandwidth": "7M"});
    assert_eq!(rates(&read(json!({request: "100M", limit: "1G"}), aware.clone())), (100_000_000, 7_000_000));
    assert_eq!(rates(&read(json!({limit: "1G"}), json!({}))), (1_000_000_000, 0));
    assert_eq!(rates(&read(json!({}), aware)), (7_000_000, 7_000_000));
    assert_eq!(rates(&read(json!({}), json!({"bandwidth.keelson.dev/ingress": "5M"}))), (0, 5_000_000));
    assert_eq!(rates(&read(json!({}), json!({}))), (0, 0));
}

#[test]
fn what_cannot_be_meant_names_the_field_and_the_range() {
    let said = |annotations: Value| {
        let read = read(annotations, json!({}));
        read.problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        said(json!({"kubernetes.io/egress-bandwidth": "999"})),
        ["metadata.annotations[kubernetes.io/egress-bandwidth]: 999 is not in 1k to 1P bits a second"]
    );
    assert_eq!(
        said(json!({"bandwidth.keelson.dev/ingress-request": "2P"})),
        ["metadata.annotations[bandwidth.keelson.dev/ingress-request]: 2P is not in 1k to 1P bits a second"]
    );
    assert!(said(json!({"bandwidth.keelson.dev/egress-request": "fast"}))[0].contains("is not a quantity"));
    assert_eq!(
        said(json!({"bandwidth.keelson.dev/egress-request": "2G", "kubernetes.io/egress-bandwidth": "1G"})),
        ["metadata.annotations[bandwidth.keelson.dev/egress-request]: is above the limit in \
          metadata.annotations[kubernetes.io/egress-bandwidth]; lower it or raise the limit"]
    );
}

#[test]
fn a_node_says_what_it_carries() {
    let said = |annotations: Value| {
        node(&serde_json::from_value(json!({"metadata": {"name": "n", "annotations": annotations}})).unwrap())
    };
    let known = said(json!({"bandwidth.keelson.dev/egress-capacity": "10G"}));
    assert_eq!((known.carries.egress, known.carries.ingress), (10_000_000_000, 0));
    let wrong = said(json!({"bandwidth.keelson.dev/egress-capacity": "-1"}));
    assert_eq!(wrong.carries.egress, 0);
    assert_eq!(wrong.problems[0].field, "metadata.annotations[bandwidth.keelson.dev/egress-capacity]");
}

proptest! {
    #[test]
    fn no_text_panics_and_none_becomes_a_silent_nothing(text in ".{0,40}|-?[0-9]{1,30}[a-zA-Z]{0,2}") {
        let read = read(json!({"bandwidth.keelson.dev/egress-request": text}), json!({}));
        let (egress, _) = rates(&read);
        prop_assert_eq!(egress == 0, !read.problems.is_empty());
    }
}
