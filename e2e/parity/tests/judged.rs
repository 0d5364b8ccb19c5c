//! Our placement, judged by kube-scheduler's own plugins.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_parity::feature::{Feature, Mode};
use keelson_parity::generate::case;
use keelson_parity::oracle::{Answer, Code, Oracle};
use keelson_parity::request::Request;
use keelson_parity::run::{Run, mode_of};
use serde_json::{Value, json};

/// Enough for every outcome; more by `keelson-parity --seeds A..B`.
const SEEDS: u64 = 2_000;

#[test]
fn our_placement_says_what_kube_schedulers_own_plugins_say() {
    let mut run = Run::start().unwrap();
    let found: Vec<_> = (0..SEEDS).filter_map(|seed| run.judge(seed, mode_of(seed)).unwrap()).collect();
    println!("{run}");
    for finding in found.iter().take(5) {
        println!("{finding}");
    }
    assert!(found.is_empty(), "{} of {SEEDS} seeds, the first of them above", found.len());
    assert_eq!(run.coverage.missing(), Vec::<String>::new(), "never reached: the generator has become too narrow");
    assert_eq!(run.stale(), Vec::<&str>::new(), "these differ no more: take them off the list in known.rs");
}

#[test]
fn a_seed_makes_the_same_case_again_and_the_oracle_the_same_answer() {
    let (mut one, mut other) = (Oracle::start().unwrap(), Oracle::start().unwrap());
    for seed in 0..60 {
        let made = case(seed, mode_of(seed));
        assert_eq!(made, case(seed, mode_of(seed)));
        // In another order, so that nothing is left of the question before.
        let unrelated = case(seed + 1_000, Mode::Mixed).request;
        other.ask(&unrelated).unwrap();
        assert_eq!(one.ask(&made.request).unwrap(), other.ask(&made.request).unwrap(), "seed {seed}");
    }
}

#[test]
fn the_objects_of_a_case_are_what_an_api_server_would_store() {
    let mut oracle = Oracle::start().unwrap();
    for seed in 0..SEEDS {
        let asked = Request { validate: true, ..case(seed, mode_of(seed)).request };
        assert_eq!(oracle.ask(&asked).unwrap().refusals, Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_case_of_one_plugin_uses_nothing_else() {
    let mut oracle = Oracle::start().unwrap();
    for seed in 0..200 {
        let told = oracle.ask(&case(seed, Mode::Only(Feature::NodePorts)).request).unwrap();
        let used = |plugin: &str| told.prefilter[plugin].code != Code::Skip;
        for other in
            ["NodeAffinity", "PodTopologySpread", "InterPodAffinity", "VolumeBinding", "VolumeZone", "NodeVolumeLimits"]
        {
            assert!(!used(other), "seed {seed}: {other}");
        }
    }
}

#[test]
fn what_the_oracle_cannot_read_is_an_error_and_the_next_question_is_answered() {
    let mut oracle = Oracle::start().unwrap();
    for question in [
        r#"{"nodes": 3}"#,
        "{",
        "{}",
        r#"{"pod": {}, "profile": {"plugins": 7}}"#,
        r#"{"pod": {}, "nominated": [{"uid": "x"}]}"#,
    ] {
        let told: Value = serde_json::from_str(&oracle.answer_to(question).unwrap()).unwrap();
        assert!(told["error"].is_string(), "{question}: {told}");
    }
    let told = oracle.ask(&case(0, Mode::Mixed).request).unwrap();
    assert!(!told.filter.is_empty());
}

#[test]
fn every_plugin_is_asked_about_a_node_and_not_only_the_first_that_refuses() {
    let node = json!({
        "metadata": {"name": "n"},
        "spec": {"unschedulable": true, "taints": [{"key": "k", "effect": "NoExecute"}]},
        "status": {"allocatable": {"cpu": "1", "pods": "0"}},
    });
    let pod = json!({
        "metadata": {"name": "p", "namespace": "d", "uid": "p"},
        "spec": {"nodeSelector": {"a": "b"}, "containers": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]},
    });
    let asked = Request { nodes: vec![node], pod, ..Request::default() };
    let told = Oracle::start().unwrap().ask(&asked).unwrap();
    let refusing: Vec<&str> = told.filter["n"].keys().map(String::as_str).collect();
    assert_eq!(refusing, ["NodeAffinity", "NodeResourcesFit", "NodeUnschedulable", "TaintToleration"]);
    assert_eq!(told.verdict("NodeResourcesFit", "n").reasons, ["Too many pods", "Insufficient cpu"]);
    assert!(told.feasible.is_empty());
}

#[test]
fn a_profile_sets_the_arguments_and_weights_of_plugins() {
    let node = |name: &str, cpu: &str| json!({"metadata": {"name": name}, "status": {"allocatable": {"cpu": cpu, "pods": "9"}}});
    let question = |profile: Value| {
        json!({
            "nodes": [node("small", "2"), node("large", "8")],
            "pod": {
                "metadata": {"name": "p", "namespace": "d", "uid": "p"},
                "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]},
            },
            "profile": profile,
        })
    };
    let strategy = json!({"type": "MostAllocated", "resources": [{"name": "cpu", "weight": 1}]});
    let packing = json!({
        "plugins": {"score": {"enabled": [{"name": "NodeResourcesFit", "weight": 7}]}},
        "pluginConfig": [{"name": "NodeResourcesFit", "args": {"scoringStrategy": strategy}}],
    });
    let mut oracle = Oracle::start().unwrap();
    // The plain profile is asked again after the other one: they do not mix.
    for (profile, weight, better) in [(Value::Null, 1, "large"), (packing, 7, "small"), (Value::Null, 1, "large")] {
        let line = oracle.answer_to(&question(profile).to_string()).unwrap();
        let told: Answer = serde_json::from_str(&line).unwrap();
        assert_eq!(told.weights["NodeResourcesFit"], weight);
        let points = &told.score["NodeResourcesFit"];
        let worse = if better == "large" { "small" } else { "large" };
        assert!(points[better].raw > points[worse].raw, "{points:?}");
        assert_eq!(told.contradictions(), Vec::<String>::new());
    }
}

#[test]
fn of_evictions_the_answer_names_every_node_that_is_as_good_as_the_chosen() {
    let node = |name: &str| json!({"metadata": {"name": name}, "status": {"allocatable": {"cpu": "1", "pods": "9"}}});
    let container = json!([{"name": "c", "resources": {"requests": {"cpu": "1"}}}]);
    let standing = |name: &str, node: &str, priority: i32| {
        json!({
            "metadata": {"name": name, "namespace": "d", "uid": name},
            "spec": {"nodeName": node, "priority": priority, "containers": container},
            "status": {"startTime": "2026-01-01T00:00:00Z"},
        })
    };
    let asked = Request {
        nodes: vec![node("n1"), node("n2"), node("n3")],
        pods: vec![standing("a", "n1", 5), standing("b", "n2", 1), standing("c", "n3", 1)],
        pod: json!({"metadata": {"name": "p", "namespace": "d", "uid": "p"}, "spec": {"priority": 9, "containers": container}}),
        preempt: true,
        ..Request::default()
    };
    let told = Oracle::start().unwrap().ask(&asked).unwrap().preemption.unwrap();
    assert_eq!((told.node.as_str(), told.victims.as_slice()), ("n2", &["b".to_owned()][..]));
    assert_eq!(told.ties, ["n2", "n3"]);
    assert_eq!(told.candidates.len(), 3);
}
