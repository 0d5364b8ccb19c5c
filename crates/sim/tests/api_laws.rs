//! Laws that hold whatever is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod asking;

use std::collections::BTreeMap;

use asking::Asking;
use proptest::prelude::*;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// One request of a random story.
#[derive(Debug, Clone)]
enum Step {
    Create(u8),
    Patch(u8, u8, Option<u8>),
    Label(u8, u8),
    Apply(u8, u8, Vec<(u8, u8)>, bool),
    Delete(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4_u8).prop_map(Step::Create),
        (0..4_u8, 0..3_u8, proptest::option::of(0..3_u8)).prop_map(|(n, k, v)| Step::Patch(n, k, v)),
        (0..4_u8, 0..2_u8).prop_map(|(n, l)| Step::Label(n, l)),
        (0..4_u8, 0..3_u8, prop::collection::vec((0..4_u8, 0..3_u8), 0..4), any::<bool>())
            .prop_map(|(n, m, d, f)| Step::Apply(n, m, d, f)),
        (0..4_u8).prop_map(Step::Delete),
    ]
}

fn config(name: u8, data: &[(u8, u8)]) -> Value {
    let data: BTreeMap<String, String> = data.iter().map(|(k, v)| (format!("k{k}"), format!("v{v}"))).collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("m{name}")}, "data": data})
}

fn play(api: &mut Asking, step: &Step) -> (u16, Value) {
    let merge = "application/merge-patch+json";
    match step {
        Step::Create(name) => api.ask("POST", MAPS, "application/json", &config(*name, &[(0, 0)])),
        Step::Patch(name, key, value) => {
            let value = value.map(|value| format!("v{value}"));
            api.ask("PATCH", &format!("{MAPS}/m{name}"), merge, &json!({"data": {format!("k{key}"): value}}))
        }
        Step::Label(name, label) => {
            let patch = json!({"metadata": {"labels": {"l": label.to_string()}}});
            api.ask("PATCH", &format!("{MAPS}/m{name}"), merge, &patch)
        }
        Step::Apply(name, manager, data, force) => {
            api.apply(&format!("{MAPS}/m{name}"), &format!("manager{manager}"), *force, &config(*name, data))
        }
        Step::Delete(name) => api.ask("DELETE", &format!("{MAPS}/m{name}"), "application/json", &Value::Null),
    }
}

fn by_name(items: &[Value]) -> BTreeMap<String, String> {
    let name = |item: &Value| item["metadata"]["name"].as_str().unwrap().to_owned();
    let version = |item: &Value| item["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    items.iter().map(|item| (name(item), version(item))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// What a watch tells, replayed, is what a list shows; with a selector too.
    #[test]
    fn a_watch_replayed_is_the_list(steps in prop::collection::vec(step(), 1..40), selected in any::<bool>()) {
        let mut api = Asking::new();
        let from = api.api.resource_version();
        for step in &steps {
            play(&mut api, step);
        }
        let selector = if selected { "&labelSelector=l%3D1" } else { "" };
        let frames = api.watch(&format!("{MAPS}?watch=true&timeoutSeconds=1&resourceVersion={from}{selector}"));
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let mut last = from;
        for frame in &frames {
            let object = &frame["object"];
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            let version = object["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
            let number: u64 = version.parse().unwrap();
            prop_assert!(number > last, "versions grow strictly");
            last = number;
            match frame["type"].as_str().unwrap() {
                "ADDED" => prop_assert!(seen.insert(name, version).is_none(), "added once"),
                "MODIFIED" => prop_assert!(seen.insert(name, version).is_some(), "modified when known"),
                "DELETED" => prop_assert!(seen.remove(&name).is_some(), "deleted when known"),
                other => prop_assert!(false, "{other}"),
            }
        }
        let list = api.ok("GET", &format!("{MAPS}?limit=500{selector}"), &Value::Null);
        prop_assert_eq!(seen, by_name(list["items"].as_array().unwrap()));
    }

    /// A list of an earlier moment is what the list was then.
    #[test]
    fn the_past_can_be_listed(steps in prop::collection::vec(step(), 1..25)) {
        let mut api = Asking::new();
        let mut moments = Vec::new();
        for step in &steps {
            play(&mut api, step);
            let list = api.ok("GET", MAPS, &Value::Null);
            moments.push((list["metadata"]["resourceVersion"].as_str().unwrap().to_owned(), list["items"].clone()));
        }
        for (version, items) in moments {
            let path = format!("{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact");
            let then = api.ok("GET", &path, &Value::Null);
            prop_assert_eq!(&then["items"], &items);
        }
    }

    /// Applying again what was applied last changes nothing, whatever happened before.
    #[test]
    fn applying_again_changes_nothing(steps in prop::collection::vec(step(), 0..20), data in prop::collection::vec((0..4_u8, 0..3_u8), 0..4)) {
        let mut api = Asking::new();
        for step in &steps {
            play(&mut api, step);
        }
        let (_, first) = play(&mut api, &Step::Apply(0, 1, data.clone(), true));
        let before = api.api.resource_version();
        api.now = api.now + keelson_core::Span::minutes(5);
        let (code, second) = play(&mut api, &Step::Apply(0, 1, data.clone(), false));
        prop_assert_eq!(code, 200);
        prop_assert_eq!(first, second);
        prop_assert_eq!(api.api.resource_version(), before);
    }

    /// What an applier wants is there afterwards; what it alone owned and no longer wants is gone.
    #[test]
    fn an_applier_gets_what_it_wants(first in prop::collection::vec((0..4_u8, 0..3_u8), 0..4), second in prop::collection::vec((0..4_u8, 0..3_u8), 0..4)) {
        let mut api = Asking::new();
        play(&mut api, &Step::Apply(0, 1, first, true));
        let (code, object) = play(&mut api, &Step::Apply(0, 1, second.clone(), false));
        prop_assert!(code == 200, "nobody else owns anything: {object}");
        let wanted = config(0, &second)["data"].clone();
        let has = if object["data"].is_null() { json!({}) } else { object["data"].clone() };
        prop_assert_eq!(has, wanted);
    }

    /// The same story gives the same bytes.
    #[test]
    fn the_same_story_gives_the_same_bytes(steps in prop::collection::vec(step(), 1..20)) {
        let tell = || {
            let mut api = Asking::new();
            let answers: Vec<(u16, Value)> = steps.iter().map(|step| play(&mut api, step)).collect();
            format!("{answers:?}")
        };
        prop_assert_eq!(tell(), tell());
    }
}
