//! The recorded exchanges, told again to a real kube-apiserver: what the double is held against is still the truth.
//!
//! With `KEELSON_RECORD=1`, or a story's name instead of 1, the answers are written into the stories; look at the diff.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../crates/sim/tests/story/mod.rs"]
mod story;

use std::path::Path;
use std::time::Duration;

use keelson_harness::{Cluster, Config, wait};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};
use story::{Answer, Asked, Excuses, STORIES, record, tell};

/// Longest wait until the API server has noticed a policy or a right.
const PATIENCE: Duration = Duration::from_secs(20);

fn ask(cluster: &Cluster, asked: &Asked) -> Answer {
    let headers: Vec<(&str, &str)> =
        asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let once = || {
        let response = cluster.request(&asked.method, &asked.target, &headers, asked.body.as_bytes()).unwrap();
        let warnings = response.headers.iter().filter(|(name, _)| name == "warning").map(|(_, text)| text.clone());
        let etag = response.header("etag").unwrap_or_default();
        Answer::read(asked, response.status, &response.body, warnings.collect()).with_etag(etag)
    };
    let mut last = None;
    let noticed = wait::until("the API server to notice", PATIENCE, || {
        let answer = once();
        if asked.is_met_by(&answer) {
            return Ok(answer);
        }
        anyhow::bail!("it answers {}", last.insert(answer).code)
    });
    noticed.ok().or(last).unwrap()
}

fn write(name: &str, story: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../crates/sim/tests/exchanges/{name}.json"));
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b" "));
    story.serialize(&mut serializer).unwrap();
    text.push(b'\n');
    std::fs::write(path, text).unwrap();
}

/// A cluster of nothing but an API server and its store.
fn server(oldest: bool) -> Cluster {
    let config = Config { controllers: false, default_scheduler: false, oldest, ..Config::default() };
    Cluster::start(config).unwrap_or_else(|error| panic!("{error:#}"))
}

/// In what a server's answers to every story differ from the recorded ones.
fn told(cluster: &Cluster, excuses: fn(story::Story) -> Excuses) -> Vec<String> {
    // Most of a story is waiting for watches to end; each has objects of its own.
    let tell = |story| tell(story, &mut excuses(story), |asked| ask(cluster, asked));
    std::thread::scope(|scope| {
        let telling = STORIES.map(|story| scope.spawn(move || tell(story)));
        telling.into_iter().flat_map(|story| story.join().unwrap()).collect()
    })
}

#[test]
fn a_real_api_server_answers_as_recorded() {
    let cluster = server(false);
    if let Some(wanted) = std::env::var_os("KEELSON_RECORD") {
        for story in STORIES.into_iter().filter(|(name, _)| wanted == "1" || wanted == *name) {
            write(story.0, &record(story, |asked| ask(&cluster, asked)));
        }
        return;
    }
    let problems = told(&cluster, |_| Excuses::default());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_oldest_supported_api_server_answers_as_recorded_but_for_what_is_listed() {
    let cluster = server(true);
    let version = cluster.kubectl(&["version", "--output=json"]).unwrap();
    assert!(version.contains("\"minor\": \"34\""), "{version}");
    let problems = told(&cluster, Excuses::of_the_oldest);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
