//! Exchanges recorded from a real kube-apiserver, told again to the double.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod story;

use bytes::Bytes;
use http::Request;
use keelson_core::{Span, Timestamp};
use keelson_sim::api::{Api, Config, Reply};
use story::{Answer, Asked, Excuses, STORIES, tell};

fn ask(api: &mut Api, now: Timestamp, asked: &Asked) -> Answer {
    let mut request = Request::builder().method(asked.method.as_str()).uri(&asked.target);
    for (name, value) in &asked.headers {
        request = request.header(name, value);
    }
    match api.handle(now, request.body(Bytes::from(asked.body.clone())).unwrap()) {
        Reply::Response(response) => {
            let warnings = response.headers().get_all("warning").iter().map(|text| text.to_str().unwrap().to_owned());
            let etag = response.headers().get("etag").map_or("", |text| text.to_str().unwrap());
            Answer::read(asked, response.status().as_u16(), response.body(), warnings.collect()).with_etag(etag)
        }
        Reply::Watch(plan) => {
            let mut frames = Vec::new();
            let mut at = now;
            loop {
                let next = api.watch_next(plan.id, at);
                next.frames.iter().for_each(|frame| frames.extend_from_slice(frame));
                if next.ended {
                    return Answer::read(asked, 200, &frames, Vec::new());
                }
                at = next.due.expect("a watch with a timeout ends");
            }
        }
    }
}

fn replay(name: &str) {
    let story = STORIES.into_iter().find(|(known, _)| *known == name).unwrap();
    let mut api = Api::new(Config::default());
    let mut now = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
    let problems = tell(story, &mut Excuses::of_the_double(story), |asked| {
        // As fast as the recording was: entries of one second are in order of names.
        now = now + Span::millis(1);
        ask(&mut api, now, asked)
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_pods_life() {
    replay("pods");
}

#[test]
fn workloads_and_what_surrounds_them() {
    replay("workloads");
}

#[test]
fn server_side_apply() {
    replay("apply");
}

#[test]
fn custom_resources() {
    replay("custom");
}

#[test]
fn lists_watches_errors_and_permissions() {
    replay("misc");
}

#[test]
fn admission_policies() {
    replay("policy");
}

#[test]
fn quotas_and_limit_ranges() {
    replay("quota");
}

#[test]
fn bindings_evictions_and_trials() {
    replay("disruption");
}

#[test]
fn rights_and_tokens() {
    replay("rights");
}

#[test]
fn what_a_scheduler_asks_of_those_that_select_pods() {
    replay("selecting");
}

#[test]
fn what_a_scheduler_asks_of_storage() {
    replay("storage");
}

#[test]
fn roles_bindings_and_accounts() {
    replay("access");
}

#[test]
fn what_is_installed() {
    replay("installed");
}

#[test]
fn what_is_installed_when_it_is_asked_for() {
    replay("options");
}

#[test]
fn every_list() {
    replay("lists");
}

#[test]
fn what_is_served() {
    replay("discovery");
}

#[test]
fn what_ordinary_clients_ask() {
    replay("clients");
}
