//! Exchanges recorded from a real kube-apiserver, replayed against the double.
//!
//! Each file under `exchanges/` is a story: requests in order, with the code and body the real one gave. What differs
//! from run to run (uids, versions, times, addresses) stands as `*`. A step with `setup` only prepares; one with `known`
//! says in which words the double is known to differ, and only its code is compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use bytes::Bytes;
use http::Request;
use keelson_core::{Span, Timestamp};
use keelson_sim::api::{Api, Config, Reply, Token};
use regex::Regex;
use serde_json::{Map, Value};

const VOLATILE: &[&str] = &[
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "time",
    "lastTransitionTime",
    "deletionTimestamp",
    "lastProbeTime",
    "clusterIP",
    "clusterIPs",
    "continue",
];

struct Normal {
    uid: Regex,
    time: Regex,
    address: Regex,
    version: Regex,
    record: Regex,
    age: Regex,
}

impl Normal {
    fn new() -> Self {
        let regex = |text: &str| Regex::new(text).unwrap();
        Self {
            uid: regex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
            time: regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
            address: regex(r"10\.96\.\d+\.\d+"),
            version: regex(r"resource version: \d+( \(\d+\)|, current: \d+)?"),
            record: regex(r"in record \(\d+\)"),
            age: regex(r"^\d+[smhdy](\d+[smhd])?$"),
        }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Object(map) => Value::Object(self.object(map)),
            Value::Array(list) => Value::Array(list.iter().map(|item| self.value(item)).collect()),
            Value::String(text) => {
                // What follows is a diff of Go structs.
                let text = text.split("\n@@").next().unwrap();
                let text = self.uid.replace_all(text, "*");
                let text = self.time.replace_all(&text, "*").into_owned();
                let text = self.address.replace_all(&text, "*").into_owned();
                let text = self.record.replace_all(&text, "in record (*)").into_owned();
                Value::String(self.version.replace_all(&text, "resource version: *").into_owned())
            }
            other => other.clone(),
        }
    }

    fn object(&self, map: &Map<String, Value>) -> Map<String, Value> {
        let column = map.contains_key("priority") && map.contains_key("format");
        let mut out = Map::new();
        for (key, value) in map {
            let skip = value.is_null()
                || (column && key == "description")
                || key == "storageVersionHash"
                || (key == "continue" && value == "");
            if skip {
                continue;
            }
            let normal = match (key.as_str(), value) {
                (key, value) if VOLATILE.contains(&key) && !value.is_object() => Value::from("*"),
                ("cells", Value::Array(cells)) => cells
                    .iter()
                    .map(|cell| match cell {
                        Value::String(text) if self.age.is_match(text) => Value::from("*"),
                        other => self.value(other),
                    })
                    .collect(),
                // Upstream checks some things twice.
                ("causes", Value::Array(causes)) => {
                    let mut once: Vec<Value> = Vec::new();
                    for cause in causes {
                        let cause = self.value(cause);
                        if !once.contains(&cause) {
                            once.push(cause);
                        }
                    }
                    Value::Array(once)
                }
                (_, value) => self.value(value),
            };
            out.insert(key.clone(), normal);
        }
        out
    }
}

fn differences(path: &str, real: &Value, ours: &Value, out: &mut Vec<String>) {
    match (real, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                match b.get(key) {
                    Some(other) => differences(&format!("{path}.{key}"), value, other, out),
                    None => out.push(format!("{path}.{key}: missing, the real one has {value}")),
                }
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                out.push(format!("{path}.{key}: only ours, {value}"));
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (left, right)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{index}]"), left, right, out);
            }
        }
        (real, ours) if real != ours => out.push(format!("{path}: real {real}\n        ours {ours}")),
        _ => {}
    }
}

fn ask(api: &mut Api, now: Timestamp, step: &Value) -> (u16, Value, Vec<String>) {
    let (method, target) = step["request"].as_str().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target).header("user-agent", "Python-urllib/3");
    let headers = step["headers"].as_object().cloned().unwrap_or_default();
    let accept = headers.get("Accept").and_then(Value::as_str).unwrap_or("application/json").to_owned();
    let kind = headers.get("Content-Type").and_then(Value::as_str).unwrap_or("application/json").to_owned();
    request = request.header("accept", accept).header("content-type", kind);
    if step["user"] == "alice" {
        request = request.header("authorization", "Bearer alicetoken");
    }
    let body = if step["body"].is_null() { Bytes::new() } else { Bytes::from(step["body"].to_string()) };
    match api.handle(now, request.body(body).unwrap()) {
        Reply::Response(response) => {
            let warnings = response.headers().get_all("warning").iter().map(|text| text.to_str().unwrap().to_owned());
            let warnings = warnings.collect();
            let code = response.status().as_u16();
            let bytes = response.into_body();
            let text = || Value::from(String::from_utf8_lossy(&bytes).into_owned());
            (code, serde_json::from_slice(&bytes).unwrap_or_else(|_| text()), warnings)
        }
        Reply::Watch(plan) => {
            let mut frames = Vec::new();
            let mut at = now;
            loop {
                let next = api.watch_next(plan.id, at);
                frames.extend(next.frames.iter().map(|frame| serde_json::from_slice(frame).unwrap()));
                if next.ended {
                    return (200, Value::Array(frames), Vec::new());
                }
                at = next.due.expect("a watch with a timeout ends");
            }
        }
    }
}

fn replay(name: &str, text: &str) {
    let story: Value = serde_json::from_str(text).unwrap();
    let normal = Normal::new();
    let alice = Token { token: "alicetoken".into(), user: "alice".into(), groups: vec!["dev".into()] };
    let mut api = Api::new(Config { tokens: vec![alice], ..Config::default() });
    let mut now = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
    let mut problems = Vec::new();
    let steps = story["steps"].as_array().unwrap();
    for (index, step) in steps.iter().enumerate() {
        // As fast as the recording was: entries of one second are in order of names.
        now = now + Span::millis(1);
        let (code, body, warnings) = ask(&mut api, now, step);
        if step["setup"] == true {
            continue;
        }
        let mut found = Vec::new();
        if u64::from(code) != step["code"].as_u64().unwrap() {
            found.push(format!("code: real {} ours {code}: {body}", step["code"]));
        } else if step["known"].is_null() {
            differences("", &normal.value(&step["expect"]), &normal.value(&body), &mut found);
            let wanted: Vec<String> = serde_json::from_value(step["warnings"].clone()).unwrap_or_default();
            if wanted != warnings {
                found.push(format!("warnings: real {wanted:?} ours {warnings:?}"));
            }
        }
        for problem in found {
            problems.push(format!("{name} step {index} {}\n    {problem}", step["request"]));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(steps.len() > 5, "{name} tells a story");
}

#[test]
fn a_pods_life() {
    replay("pods", include_str!("exchanges/pods.json"));
}

#[test]
fn workloads_and_what_surrounds_them() {
    replay("workloads", include_str!("exchanges/workloads.json"));
}

#[test]
fn server_side_apply() {
    replay("apply", include_str!("exchanges/apply.json"));
}

#[test]
fn custom_resources() {
    replay("custom", include_str!("exchanges/custom.json"));
}

#[test]
fn lists_watches_errors_and_permissions() {
    replay("misc", include_str!("exchanges/misc.json"));
}

#[test]
fn admission_policies() {
    replay("policy", include_str!("exchanges/policy.json"));
}
