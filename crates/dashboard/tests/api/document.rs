//! The document describes what is really sent: every route, every schema, every field.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::{ConditionStatus, Decision, Feature, Mode, Outcome, Reason, StepResult, Trigger, Verb};
use keelson_dashboard::{EffectChange, OutcomeChange, openapi};
use serde::Serialize;
use serde_json::{Value, json};

use crate::fake::{Site, decision, nodes, overview, preview, subject};

fn document() -> Value {
    serde_json::to_value(openapi()).unwrap()
}

/// What a value does not share with its schema: fields on one side only, wrong types, words outside the list.
fn differences(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/components/schemas/");
        return differences(document, &document["components"]["schemas"][name], value, at);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = json!({"type": "object", "properties": {}, "required": []});
        for part in parts {
            let name = part["$ref"].as_str().unwrap_or_default().trim_start_matches("#/components/schemas/");
            let part = document["components"]["schemas"].get(name).unwrap_or(part);
            for (name, field) in part["properties"].as_object().unwrap() {
                whole["properties"][name] = field.clone();
            }
            whole["required"].as_array_mut().unwrap().extend(part["required"].as_array().unwrap().clone());
        }
        return differences(document, &whole, value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().any(|choice| differences(document, choice, value, at).is_empty());
        return if fits { vec![] } else { vec![format!("{at}: {value} is none of the choices")] };
    }
    match (schema["type"].as_str().unwrap_or("missing"), value) {
        ("object", Value::Object(fields)) => match schema["properties"].as_object() {
            Some(known) => {
                let wanted: BTreeSet<_> = known.keys().collect();
                let found: BTreeSet<_> = fields.keys().collect();
                let mut out: Vec<_> = wanted.symmetric_difference(&found).map(|name| format!("{at}.{name}")).collect();
                for name in wanted.intersection(&found) {
                    out.extend(differences(document, &known[*name], &fields[*name], &format!("{at}.{name}")));
                }
                out
            }
            None => fields
                .values()
                .flat_map(|field| differences(document, &schema["additionalProperties"], field, at))
                .collect(),
        },
        ("array", Value::Array(items)) => {
            assert!(!items.is_empty(), "{at}: an empty list proves nothing");
            items.iter().flat_map(|item| differences(document, &schema["items"], item, at)).collect()
        }
        ("string", Value::String(text)) => match schema["enum"].as_array() {
            Some(words) if !words.contains(&json!(text)) => vec![format!("{at}: {text} is not in the list")],
            _ => vec![],
        },
        ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => vec![],
        ("boolean", Value::Bool(_)) => vec![],
        (kind, value) => vec![format!("{at}: {value} is no {kind}")],
    }
}

fn assert_described(name: &str, value: impl Serialize) {
    let document = document();
    let schema = &document["components"]["schemas"][name];
    assert!(schema.is_object(), "{name} is not in the document");
    let found = differences(&document, schema, &serde_json::to_value(value).unwrap(), name);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_field_that_is_sent_is_described_and_the_reverse() {
    let full = decision(0);
    // The group and namespace of both references are filled somewhere, so that no optional field goes unseen.
    let mut watched = full.subject.clone();
    watched.uid = "u-2".into();
    let (related, trigger) = (vec![watched.clone()], Trigger::Watch(watched));
    assert_described("Decision", Decision { related, trigger, ..full.clone() });
    assert_described("Overview", overview());
    assert_described("Nodes", nodes());
    let mut seen = subject();
    seen.object = full.subject.clone();
    assert_described("Subject", seen);
    assert_described("OutcomeChange", OutcomeChange { id: full.id, outcome: full.outcome, steps: full.steps.clone() });
    assert_described("EffectChange", EffectChange { id: full.id, effect: full.effect.unwrap() });
    let mut answer = serde_json::to_value(preview(Feature::Scheduling, Mode::Off)).unwrap();
    answer["confirm"] = "Off scheduling".into();
    assert_described("PreviewAnswer", answer);
}

#[test]
fn every_word_of_every_list_is_described() {
    fn words<T: Serialize>(all: &[T]) -> Vec<Value> {
        all.iter().map(|word| serde_json::to_value(word).unwrap()).collect()
    }
    let document = document();
    let described = |name: &str| document["components"]["schemas"][name]["enum"].as_array().unwrap().clone();
    assert_eq!(described("Feature"), words(&Feature::ALL));
    assert_eq!(described("Mode"), words(&Mode::ALL));
    assert_eq!(described("Reason"), words(Reason::ALL));
    assert_eq!(described("Verb"), words(Verb::ALL));
    let outcomes = [Outcome::NoAction, Outcome::Would, Outcome::Pending, Outcome::Done, Outcome::Failed];
    assert_eq!(described("Outcome"), words(&outcomes));
    use StepResult::{Conflict, Done, Failed, Held, Unchanged, Undone, Would};
    assert_eq!(described("StepResult"), words(&[Done, Unchanged, Would, Conflict, Failed, Held, Undone]));
    use ConditionStatus::{False, True, Unknown};
    assert_eq!(described("ConditionStatus"), words(&[True, False, Unknown]));
    for trigger in [Trigger::Timer, Trigger::Fact("NodeBandwidth".into()), Trigger::Request] {
        assert_described("Trigger", trigger);
    }
}

#[test]
fn every_optional_field_may_be_missing_and_no_other() {
    let mut bare = decision(0);
    (bare.causes, bare.related, bare.candidates, bare.steps) = (vec![], vec![], vec![], vec![]);
    (bare.inputs, bare.chosen, bare.effect, bare.trace_id) = (BTreeMap::new(), None, None, String::new());
    let bare = serde_json::to_value(bare).unwrap();
    let sent: BTreeSet<_> = bare.as_object().unwrap().keys().cloned().collect();
    let document = document();
    let required = document["components"]["schemas"]["Decision"]["required"].as_array().unwrap();
    let required: BTreeSet<_> = required.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(required, sent);
}

#[tokio::test]
async fn every_route_is_described_and_answers() {
    let site = Site::new();
    let document = site.get("/api/v1/openapi.json").await.json();
    assert_eq!(document, self::document());
    let paths = document["paths"].as_object().unwrap();
    let mut guarded = keelson_dashboard::guarded_paths();
    guarded.extend(["/session", "/sign-in", "/sign-in/callback"]);
    let described: BTreeSet<_> = paths.keys().map(|path| path.trim_start_matches("/api/v1").to_owned()).collect();
    assert_eq!(described, guarded.into_iter().map(str::to_owned).collect(), "and nothing else is served");
    for (path, methods) in paths {
        assert!(path.starts_with("/api/v1/"), "{path}");
        let real = path
            .replace("{feature}", "scheduling")
            .replace("{question}", "what-if")
            .replace("{id}", "01937f6e-0000-7000-8000-000000000000")
            .replace("{kind}", "Pod")
            .replace("{namespace}", "shop")
            .replace("{name}", "cart-0");
        for (method, operation) in methods.as_object().unwrap() {
            let status = match method.as_str() {
                "get" => {
                    let request = crate::fake::get(&real).body(axum::body::Body::empty()).unwrap();
                    site.send(request).await.status().as_u16()
                }
                "delete" => {
                    let request = crate::fake::post(&real).method("DELETE").body(axum::body::Body::empty()).unwrap();
                    site.send(request).await.status().as_u16()
                }
                _ => site.post(&real, "{}").await.status.as_u16(),
            };
            // Nobody signs in here, and there is no such decision.
            let nothing_there =
                status == 404 && (path.contains("sign-in") || path.contains('{') && !path.contains("feature"));
            assert!(matches!(status, 200 | 204 | 400) || nothing_there, "{method} {path} {status}");
            let answers = &operation["responses"];
            let well = ["200", "204", "303"].iter().any(|status| answers[status].is_object());
            assert!(well && answers["4XX"].is_object());
        }
    }
}

#[tokio::test]
async fn exactly_the_described_parameters_are_read() {
    let site = Site::new();
    for path in ["/api/v1/decisions", "/api/v1/decisions/export"] {
        let parameters = document()["paths"][path]["get"]["parameters"].as_array().unwrap().clone();
        let mut described: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
        let fix = site.get(&format!("{path}?unknown=1")).await.json()["error"]["fix"].as_str().unwrap().to_owned();
        let mut read: Vec<_> = fix.trim_start_matches("Use some of: ").trim_end_matches('.').split(", ").collect();
        described.sort_unstable();
        read.sort_unstable();
        assert_eq!(read, described, "{path}");
    }
}

#[test]
fn no_reference_leads_nowhere() {
    let text = serde_json::to_string(&openapi()).unwrap();
    let document = document();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    assert!(!text.contains("\"null\""), "absent fields are left out, never null");
}
