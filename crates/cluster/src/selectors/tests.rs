//! What selects a pod, as kube-scheduler finds it out.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]
use keelson_placement::spread::{HOSTNAME, ZONE};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::read::{self, selecting};

fn labels(written: &[(&str, &str)]) -> Labels {
    written.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn service(name: &str, selector: Value) -> ReadSelecting {
    let written = json!({"metadata": {"name": name, "namespace": "test"}, "spec": {"selector": selector}});
    selecting::service(&serde_json::from_value(written).unwrap())
}

fn owner(kind: &str, selector: Value) -> ReadSelecting {
    let written = json!({"metadata": {"name": "owner", "namespace": "test"}, "spec": {"selector": selector}});
    match kind {
        "ReplicationController" => selecting::replication_controller(&serde_json::from_value(written).unwrap()),
        "ReplicaSet" => selecting::replica_set(&serde_json::from_value(written).unwrap()),
        _ => {
            let mut written = written;
            written["spec"]["serviceName"] = json!("");
            written["spec"]["template"] = json!({});
            selecting::stateful_set(&serde_json::from_value(written).unwrap())
        }
    }
}

fn pod(labels: Value, owner: Option<(&str, &str)>) -> ReadPod {
    let owners = owner.map(|(version, kind)| {
        json!([{"apiVersion": version, "kind": kind, "name": "owner", "uid": "1", "controller": true}])
    });
    let written = json!({
        "metadata": {"name": "p", "namespace": "test", "labels": labels, "ownerReferences": owners},
        "spec": {"containers": []},
    });
    read::pod(&serde_json::from_value(written).unwrap())
}

fn selector(all: &[ReadSelecting], pod: &ReadPod) -> Option<LabelSelector> {
    let mut known = Selectors::default();
    all.iter().for_each(|read| _ = known.put(read.clone()));
    known.of(&pod.pod.namespace, &pod.pod.labels, pod.owner.as_ref())
}

const OWNERS: [(&str, &str); 3] =
    [("v1", "ReplicationController"), ("apps/v1", "ReplicaSet"), ("apps/v1", "StatefulSet")];

fn asked(kind: &str, labels: Value) -> ReadSelecting {
    owner(kind, if kind == "ReplicationController" { labels } else { json!({"matchLabels": labels}) })
}

/// `TestDefaultSelector` of kube-scheduler 1.36.
#[test]
fn the_selector_is_that_of_the_services_and_the_owner() {
    let plain = pod(json!({"podLabelKey": "podLabelVal"}), None);
    let web = service("web", json!({"podLabelKey": "podLabelVal"}));
    assert_eq!(selector(&[], &plain), None);
    let found = selector(std::slice::from_ref(&web), &plain).unwrap();
    assert_eq!(found.match_labels, labels(&[("podLabelKey", "podLabelVal")]));
    for (version, kind) in OWNERS {
        let owned = pod(json!({"podLabelKey": "podLabelVal"}), Some((version, kind)));
        let found = selector(&[web.clone(), asked(kind, json!({"owners": "own"}))], &owned).unwrap();
        assert_eq!(found.match_labels, labels(&[("owners", "own"), ("podLabelKey", "podLabelVal")]));
        assert!(found.match_expressions.is_empty());
    }
}

/// `TestGetPodServices` of kube-scheduler 1.36, and what else selects nobody.
#[test]
fn services_that_do_not_select_the_pod_are_left_out() {
    let all: Vec<ReadSelecting> =
        (0..3).map(|n| service(&format!("s{n}"), json!({"app": format!("test-{n}")}))).collect();
    let of = |app: &str| selector(&all, &pod(json!({"app": app}), None)).map(|found| found.match_labels);
    assert_eq!(of("test-1"), Some(labels(&[("app", "test-1")])));
    assert_eq!(of("test-3"), None);
    let all = [service("none", Value::Null), service("empty", json!({}))];
    assert_eq!(selector(&all, &pod(json!({"app": "web"}), None)), None);
}

#[test]
fn where_service_and_owner_differ_a_controller_is_right_and_a_set_asks_both() {
    let web = service("web", json!({"app": "web"}));
    let of = |version, kind| {
        let all = [web.clone(), asked(kind, json!({"app": "other"}))];
        selector(&all, &pod(json!({"app": "web"}), Some((version, kind)))).unwrap()
    };
    assert_eq!(of("v1", "ReplicationController").match_labels, labels(&[("app", "other")]));
    let both = of("apps/v1", "ReplicaSet");
    assert!(!both.matches(&labels(&[("app", "web")])) && !both.matches(&labels(&[("app", "other")])));
}

#[test]
fn an_owner_counts_only_as_the_kind_and_version_that_it_is() {
    let all = [asked("ReplicaSet", json!({"app": "web"}))];
    let of = |version, kind| selector(&all, &pod(json!({"app": "web"}), Some((version, kind))));
    assert!(of("apps/v1", "ReplicaSet").is_some());
    for (version, kind) in [("apps/v1beta2", "ReplicaSet"), ("apps/v1", "DaemonSet"), ("apps/v1", "StatefulSet")] {
        assert_eq!(of(version, kind), None, "{version} {kind}");
    }
    // What upstream cannot read it does not add.
    let bad = owner("ReplicaSet", json!({"matchExpressions": [{"key": "app", "operator": "Like", "values": ["w"]}]}));
    assert_eq!(selector(&[bad], &pod(json!({"app": "web"}), Some(("apps/v1", "ReplicaSet")))), None);
}

#[test]
fn a_pod_is_spread_by_default_unless_it_says_how() {
    let mut known = Selectors::default();
    known.put(service("web", json!({"app": "web"})));
    let spread = known.spread(pod(json!({"app": "web"}), None)).pod;
    let rules: Vec<_> = spread.spread.iter().map(|one| (one.topology_key.as_str(), one.max_skew, one.hard)).collect();
    assert_eq!(rules, [(HOSTNAME, 3, false), (ZONE, 5, false)]);
    assert!(spread.spread_by_default);
    let other = known.spread(pod(json!({"app": "db"}), None)).pod;
    assert!(other.spread.is_empty() && !other.spread_by_default);
    let mut own = pod(json!({"app": "web"}), None);
    own.pod.spread.push(keelson_placement::SpreadConstraint::new(ZONE, 1, true, None));
    assert_eq!(known.spread(own.clone()), own);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever came and went, what counts is who is there.
    #[test]
    fn what_is_known_is_what_was_heard_last(
        steps in prop::collection::vec((0_usize..4, 0_u8..3, prop::option::of(0_u8..3)), 0..40),
    ) {
        let mut known = Selectors::default();
        let mut there = BTreeMap::new();
        for (kind, name, app) in steps {
            let (kind, name) = ([
                Selecting::Service, Selecting::ReplicationController, Selecting::ReplicaSet, Selecting::StatefulSet,
            ].get(kind).copied().unwrap_or(Selecting::Service), name.to_string());
            match app {
                Some(app) => {
                    let match_labels = labels(&[("app", &app.to_string())]);
                    let selector = Some(LabelSelector { match_labels, ..LabelSelector::default() });
                    let read = ReadSelecting { kind, namespace: "test".into(), name: name.clone(), selector };
                    let changed = there.insert((kind, name), read.selector.clone()) != Some(read.selector.clone());
                    prop_assert_eq!(known.put(read), changed);
                }
                None => prop_assert_eq!(known.remove(kind, "test", &name), there.remove(&(kind, name)).is_some()),
            }
        }
        let mut again = Selectors::default();
        for ((kind, name), selector) in there {
            again.put(ReadSelecting { kind, namespace: "test".into(), name, selector });
        }
        prop_assert_eq!(known, again);
    }
}
