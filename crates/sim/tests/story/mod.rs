//! Recorded exchanges: what a real kube-apiserver was asked and what it answered.
//!
//! Each file under `exchanges/` is a story: requests in order, with the code and body the real one gave. What differs
//! from run to run (uids, versions, times, addresses) stands as `*`. The stories are told to the double by
//! `api_exchanges.rs` and to a real kube-apiserver by `e2e/harness/tests/exchanges.rs`; both compare here, so what counts
//! as the same answer is the same for both.
//!
//! Promises: every field of an answer is compared, in both directions; what is excused stands in `differences.json` (of the
//! double) or `oldest.json` (of the oldest API server that is supported) with its reason, and an excuse that nobody needs any more is an error.
#![allow(dead_code)]

use regex::Regex;
use serde_json::{Map, Value, json};

/// A story's name and text.
pub type Story = (&'static str, &'static str);

/// Every story.
pub const STORIES: [Story; 17] = [
    ("access", include_str!("../exchanges/access.json")),
    ("apply", include_str!("../exchanges/apply.json")),
    ("clients", include_str!("../exchanges/clients.json")),
    ("custom", include_str!("../exchanges/custom.json")),
    ("discovery", include_str!("../exchanges/discovery.json")),
    ("disruption", include_str!("../exchanges/disruption.json")),
    ("installed", include_str!("../exchanges/installed.json")),
    ("lists", include_str!("../exchanges/lists.json")),
    ("misc", include_str!("../exchanges/misc.json")),
    ("options", include_str!("../exchanges/options.json")),
    ("pods", include_str!("../exchanges/pods.json")),
    ("policy", include_str!("../exchanges/policy.json")),
    ("quota", include_str!("../exchanges/quota.json")),
    ("rights", include_str!("../exchanges/rights.json")),
    ("selecting", include_str!("../exchanges/selecting.json")),
    ("storage", include_str!("../exchanges/storage.json")),
    ("workloads", include_str!("../exchanges/workloads.json")),
];

/// In what the double is known to differ.
const DIFFERENCES: &str = include_str!("../exchanges/differences.json");
/// In what the oldest supported API server is known to differ.
const OLDEST: &str = include_str!("../exchanges/oldest.json");

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    /// JSON; a list of frames for a watch; text when it is neither.
    pub body: Value,
    pub warnings: Vec<String>,
    /// The version of a document, for a client that keeps it.
    pub etag: String,
}

impl Answer {
    /// An answer from its bytes.
    pub fn read(asked: &Asked, code: u16, bytes: &[u8], warnings: Vec<String>) -> Self {
        let text = || Value::from(String::from_utf8_lossy(bytes).into_owned());
        let body = if asked.watches() && code == 200 {
            let frames = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            frames.map(|frame| serde_json::from_slice(frame).unwrap_or_else(|_| text())).collect()
        } else {
            serde_json::from_slice(bytes).unwrap_or_else(|_| text())
        };
        Self { code, body: asked.of_interest(body), warnings, etag: String::new() }
    }

    /// The same with the document's version.
    pub fn with_etag(self, etag: &str) -> Self {
        Self { etag: etag.to_owned(), ..self }
    }
}

/// What a step asks.
#[derive(Debug)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// What was recorded, when a real server may need a while until it answers so: its informers lag behind.
    awaited: Option<Value>,
    /// How the names of what is compared begin, where a server has objects of its own.
    about: Option<String>,
    /// Whether the answer's body is nobody's business: the step says why.
    unread: bool,
}

/// What a client remembers of the answers it got.
#[derive(Debug, Default)]
struct Memory {
    version: String,
    page: String,
    etag: String,
}

impl Memory {
    fn keep(&mut self, answer: &Answer) {
        let metadata = &answer.body["metadata"];
        for (kept, seen) in [(&mut self.version, &metadata["resourceVersion"]), (&mut self.page, &metadata["continue"])]
        {
            if let Some(text) = seen.as_str().filter(|text| !text.is_empty()) {
                text.clone_into(kept);
            }
        }
        if !answer.etag.is_empty() {
            answer.etag.clone_into(&mut self.etag);
        }
    }

    fn fill(&self, text: &str) -> String {
        let filled = text.replace("$version", &self.version).replace("$continue", &self.page);
        filled.replace("$etag", &self.etag)
    }
}

impl Asked {
    fn of(step: &Value, memory: &Memory) -> Self {
        let (method, target) = step["request"].as_str().unwrap().split_once(' ').unwrap();
        let target = memory.fill(target);
        let given = |name: &str| step["headers"][name].as_str().unwrap_or("application/json").to_owned();
        let mut headers = vec![("User-Agent".to_owned(), "Python-urllib/3".to_owned())];
        headers.extend(["Accept", "Content-Type"].map(|name| (name.to_owned(), given(name))));
        for name in ["Authorization", "If-None-Match"] {
            headers.extend(step["headers"][name].as_str().map(|text| (name.to_owned(), memory.fill(text))));
        }
        if let Some(user) = step["user"].as_str() {
            headers.push(("Impersonate-User".to_owned(), user.to_owned()));
            headers.push(("Impersonate-Group".to_owned(), "dev".to_owned()));
        }
        let body = if step["body"].is_null() { String::new() } else { step["body"].to_string() };
        let awaited = (step["again"] == true).then(|| step.clone());
        let about = step["about"].as_str().map(str::to_owned);
        let unread = step["unread"].is_string();
        Self { method: method.to_owned(), target, headers, body, awaited, about, unread }
    }

    /// What of an answer is compared.
    fn of_interest(&self, mut body: Value) -> Value {
        if self.unread {
            return Value::Null;
        }
        let Some(about) = &self.about else { return body };
        let ours = |item: &Value| {
            let name = [&item["metadata"]["name"], &item["object"]["metadata"]["name"], &item["name"]];
            name.into_iter().find_map(Value::as_str).is_none_or(|name| name.starts_with(about.as_str()))
        };
        if let Value::Array(frames) = &mut body {
            frames.retain(ours);
        }
        for list in ["items", "groups"] {
            if let Some(Value::Array(items)) = body.get_mut(list) {
                items.retain(ours);
            }
        }
        body
    }

    /// Whether an answer is the one to wait for, where one is; any other time the first one counts.
    pub fn is_met_by(&self, answer: &Answer) -> bool {
        let normal = Normal::new();
        self.awaited.as_ref().is_none_or(|step| {
            let same = step["expect"].is_null() || normal.value(&answer.body) == normal.value(&step["expect"]);
            step["code"] == answer.code && same
        })
    }

    fn watches(&self) -> bool {
        self.target.contains("watch=true")
    }
}

/// In what an answer may differ, and why.
#[derive(Debug)]
struct Excuse {
    step: u64,
    /// Paths into the answer; whatever lies below is excused.
    fields: Vec<String>,
    used: bool,
}

/// What a story's answers may differ in.
#[derive(Debug, Default)]
pub struct Excuses(Vec<Excuse>);

impl Excuses {
    /// Those of the double.
    ///
    /// # Panics
    /// When one names another step than the story has there, or gives no reason.
    pub fn of_the_double(story: Story) -> Self {
        Self::listed("differences.json", DIFFERENCES, story)
    }

    /// Those of the oldest API server that is supported.
    ///
    /// # Panics
    /// As [`Excuses::of_the_double`].
    pub fn of_the_oldest(story: Story) -> Self {
        Self::listed("oldest.json", OLDEST, story)
    }

    fn listed(file: &str, list: &str, (name, text): Story) -> Self {
        let story: Value = serde_json::from_str(text).unwrap();
        let all: Vec<Value> = serde_json::from_str(list).unwrap();
        let excuse = |one: &Value| {
            let step = one["step"].as_u64().unwrap();
            let there = &story["steps"][usize::try_from(step).unwrap()]["request"];
            assert_eq!(one["request"], *there, "{file}: {name} step {step}");
            assert!(one["why"].as_str().is_some_and(|why| why.len() > 10), "{one} says why");
            let fields = one["fields"].as_array().unwrap().iter().map(|field| field.as_str().unwrap().to_owned());
            Excuse { step, fields: fields.collect(), used: false }
        };
        Self(all.iter().filter(|one| one["story"] == name).map(excuse).collect())
    }

    fn about(&self, step: usize) -> bool {
        u64::try_from(step).is_ok_and(|step| self.0.iter().any(|excuse| excuse.step == step))
    }

    fn excuse(&mut self, step: usize, path: &str) -> bool {
        let below = |field: &String| {
            path.strip_prefix(field.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let step = u64::try_from(step).unwrap();
        let found = self.0.iter_mut().find(|excuse| excuse.step == step && excuse.fields.iter().any(below));
        found.map(|excuse| excuse.used = true).is_some()
    }
}

/// Tells a story to a server; returns in what its answers differ from the recorded ones.
pub fn tell((name, text): Story, excuses: &mut Excuses, mut ask: impl FnMut(&Asked) -> Answer) -> Vec<String> {
    let story: Value = serde_json::from_str(text).unwrap();
    let normal = Normal::new();
    let steps = story["steps"].as_array().unwrap();
    assert!(steps.len() > 5, "{name} tells a story");
    let mut problems = Vec::new();
    let mut memory = Memory::default();
    for (index, step) in steps.iter().enumerate() {
        let mut asked = Asked::of(step, &memory);
        if excuses.about(index) {
            // It will never answer as it was recorded.
            asked.awaited = None;
        }
        let answer = ask(&asked);
        memory.keep(&answer);
        if step["setup"] == true {
            continue;
        }
        let mut found = Vec::new();
        let mut compare = |path: &str, real: &Value, ours: &Value| differences(path, real, ours, &mut found);
        compare("code", &step["code"], &answer.code.into());
        compare("body", &normal.value(&step["expect"]), &normal.value(&answer.body));
        let warnings = step.get("warnings").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        compare("warnings", &warnings, &answer.warnings.into());
        for (path, difference) in found.into_iter().filter(|(path, _)| !excuses.excuse(index, path)) {
            problems.push(format!("{name} step {index} {}\n    {path}: {difference}", step["request"]));
        }
    }
    let idle = excuses.0.iter().filter(|excuse| !excuse.used);
    problems
        .extend(idle.map(|excuse| format!("{name} step {}: it no longer differs; take the excuse away", excuse.step)));
    problems
}

/// Tells a story to a real server and returns it with the answers it gave.
pub fn record((_, text): Story, mut ask: impl FnMut(&Asked) -> Answer) -> Value {
    let mut story: Value = serde_json::from_str(text).unwrap();
    let normal = Normal::new();
    let mut memory = Memory::default();
    for step in story["steps"].as_array_mut().unwrap() {
        let answer = ask(&Asked::of(step, &memory));
        memory.keep(&answer);
        step["code"] = answer.code.into();
        if step["setup"] != true {
            step["expect"] = normal.value(&answer.body);
            if !answer.warnings.is_empty() {
                step["warnings"] = answer.warnings.into();
            }
        }
    }
    story
}

const VOLATILE: &[&str] = &[
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "time",
    "lastTransitionTime",
    "deletionTimestamp",
    "lastProbeTime",
    "lastPhaseTransitionTime",
    "clusterIP",
    "clusterIPs",
    "continue",
    "serverAddress",
];

/// Takes out of an answer what differs from run to run.
struct Normal {
    uid: Regex,
    time: Regex,
    address: Regex,
    version: Regex,
    /// A whole object that is quoted as text.
    made: Regex,
    /// What a decoder says to a value of the wrong type.
    wrong: Regex,
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
            made: regex(r#"Invalid value: "(\{.*\}|map\[(?s:.*)\])": "#),
            wrong: regex("(json: (cannot unmarshal|invalid type)|cannot convert|unrecognized type).*"),
            record: regex(r"in record \(\d+\)"),
            age: regex(r"^\d+[smhdy](\d+[smhd])?$"),
        }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Object(map) => Value::Object(self.object(map)),
            Value::Array(list) => {
                // One in the middle comes when others happen to write; the one that ends a list is always there.
                let chance =
                    |item: &&Value| item["type"] == "BOOKMARK" && item["object"]["metadata"]["annotations"].is_null();
                Value::Array(list.iter().filter(|item| !chance(item)).map(|item| self.value(item)).collect())
            }
            Value::String(text) => {
                // What follows is a diff of Go structs.
                let text = text.split("\n@@").next().unwrap();
                let text = self.uid.replace_all(text, "*");
                let text = self.time.replace_all(&text, "*").into_owned();
                let text = self.address.replace_all(&text, "*").into_owned();
                let text = self.made.replace_all(&text, "Invalid value: *: ").into_owned();
                let text = self.wrong.replace_all(&text, "(wrong type)").into_owned();
                let text = self.record.replace_all(&text, "in record (*)").into_owned();
                Value::String(self.version.replace_all(&text, "resource version: *").into_owned())
            }
            other => other.clone(),
        }
    }

    fn object(&self, map: &Map<String, Value>) -> Map<String, Value> {
        let column = map.contains_key("priority") && map.contains_key("format");
        if map.get("type").is_some_and(|of| of == "BOOKMARK") {
            // Go writes the zero value of the kind's type around the version that a bookmark is.
            let object = &map["object"];
            let bare = json!({"kind": object["kind"], "metadata": object["metadata"]});
            return Map::from_iter([("type".into(), map["type"].clone()), ("object".into(), self.value(&bare))]);
        }
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
                // Entries of one second are in order of managers, so where they stand is chance.
                ("managedFields", Value::Array(entries)) => {
                    let mut entries: Vec<Value> = entries.iter().map(|entry| self.value(entry)).collect();
                    let place =
                        |entry: &Value| ["manager", "operation", "subresource"].map(|key| entry[key].to_string());
                    entries.sort_by_key(place);
                    Value::Array(entries)
                }
                (_, value) => self.value(value),
            };
            out.insert(key.clone(), normal);
        }
        out
    }
}

/// Where two answers differ, and how.
fn differences(path: &str, real: &Value, ours: &Value, out: &mut Vec<(String, String)>) {
    match (real, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                let path = format!("{path}.{key}");
                match b.get(key) {
                    Some(other) => differences(&path, value, other, out),
                    None => out.push((path, format!("missing, recorded is {value}"))),
                }
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                out.push((format!("{path}.{key}"), format!("not recorded, {value}")));
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (left, right)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{index}]"), left, right, out);
            }
        }
        (real, ours) if real != ours => {
            out.push((path.to_owned(), format!("recorded {real}\n        answered {ours}")))
        }
        _ => {}
    }
}
