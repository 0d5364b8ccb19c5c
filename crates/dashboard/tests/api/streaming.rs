//! The stream: what comes when, what comes back after a break, and what a slow reader is told. Time is virtual.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use http::Response;
use keelson_dashboard::{Change, EffectChange, OutcomeChange};
use serde_json::{Value, json};
use tokio::time::{Instant, advance, timeout};

use crate::fake::{START, Site, decision, get, node, overview};

pub struct Reader {
    stream: BodyDataStream,
    text: String,
}

#[derive(Debug, PartialEq)]
pub struct Heard {
    pub event: String,
    pub id: Option<u64>,
    pub data: Value,
}

impl Reader {
    async fn open(site: &Site, last: Option<u64>) -> Self {
        let mut request = get("/api/v1/stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = site.send(request.body(Body::empty()).unwrap()).await;
        Self::of(response)
    }

    pub fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { stream: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next block of lines: an event or a comment; none at the end of the stream.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let bytes = self.stream.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next event, comments skipped.
    pub async fn next(&mut self) -> Heard {
        loop {
            let block = self.block().await.expect("the stream goes on");
            let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let Some(event) = line("event: ") {
                let data = serde_json::from_str(&line("data: ").unwrap()).unwrap();
                return Heard { event, id: line("id: ").map(|id| id.parse().unwrap()), data };
            }
        }
    }

    /// Reads the events that a page begins with.
    pub async fn begin(&mut self) -> Heard {
        let hello = self.next().await;
        assert_eq!(hello.event, "hello");
        assert_eq!(self.next().await.event, "overview");
        assert_eq!(self.next().await.event, "nodes");
        hello
    }

    pub async fn is_quiet(&mut self, span: Duration) -> bool {
        timeout(span, self.next()).await.is_err()
    }
}

fn made(second: i64) -> Change {
    Change::Decision(Arc::new(decision(second)))
}

#[tokio::test(start_paused = true)]
async fn a_page_begins_with_everything() {
    let site = Site::with(|options| options.read_only = true);
    let response = site.send(get("/api/v1/stream").body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut page = Reader::of(response);
    let hello = page.block().await.unwrap();
    assert!(hello.contains("retry: 2000"), "{hello}");
    assert!(hello.contains(r#"data: {"seq":1000,"resumed":false,"read_only":true}"#), "{hello}");
    let first = page.next().await;
    assert_eq!((first.event.as_str(), first.data), ("overview", serde_json::to_value(overview()).unwrap()));
    let nodes = page.next().await;
    assert_eq!(
        (nodes.event.as_str(), &nodes.data["full"], &nodes.data["nodes"][1]["pods"]),
        ("nodes", &json!(true), &json!(2))
    );
}

#[tokio::test(start_paused = true)]
async fn what_happens_comes_in_order_and_numbered() {
    let site = Site::new();
    let mut page = Reader::open(&site, None).await;
    page.begin().await;
    let row = decision(1);
    site.fake.log.push(made(1));
    site.fake.log.push(Change::Outcome(OutcomeChange { id: row.id, outcome: row.outcome, steps: row.steps.clone() }));
    site.fake.log.push(Change::Effect(EffectChange { id: row.id, effect: row.effect.clone().unwrap() }));
    let heard = [page.next().await, page.next().await, page.next().await];
    let names: Vec<_> = heard.iter().map(|heard| (heard.event.as_str(), heard.id)).collect();
    assert_eq!(names, [("decision", Some(1_001)), ("outcome", Some(1_002)), ("effect", Some(1_003))]);
    assert_eq!(heard[0].data, serde_json::to_value(&row).unwrap());
    assert_eq!(heard[1].data["steps"][0]["result"], "Conflict");
    assert_eq!(heard[2].data["effect"]["as_predicted"], true);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_comes_back_goes_on_where_it_was() {
    let site = Site::new();
    for second in 0..4 {
        site.fake.log.push(made(second));
    }
    let mut page = Reader::open(&site, Some(START + 2)).await;
    let hello = page.begin().await;
    assert_eq!((hello.id, &hello.data["resumed"]), (Some(1_002), &json!(true)), "a break now loses nothing either");
    assert_eq!(page.next().await.id, Some(1_003));
    assert_eq!(page.next().await.id, Some(1_004));
    assert!(page.is_quiet(Duration::from_secs(5)).await);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_was_away_too_long_starts_over() {
    let site = Site::new();
    for second in 0..40 {
        site.fake.log.push(made(second));
    }
    for last in [START + 3, START - 500, START + 5_000, u64::MAX] {
        let mut page = Reader::open(&site, Some(last)).await;
        page.begin().await;
        let reset = page.next().await;
        assert_eq!(
            (reset.event.as_str(), reset.id, &reset.data),
            ("reset", Some(1_040), &json!({"seq": 1_040})),
            "{last}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_page_is_not_queued_for_and_starts_over() {
    let site = Site::new();
    let mut page = Reader::open(&site, None).await;
    page.begin().await;
    for second in 0..1_000 {
        site.fake.log.push(made(second));
    }
    let reset = page.next().await;
    assert_eq!((reset.event.as_str(), reset.id), ("reset", Some(2_000)));
    site.fake.log.push(made(1_000));
    assert_eq!(page.next().await.id, Some(2_001), "and goes on");
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_none_is_refused() {
    let site = Site::new();
    let request = get("/api/v1/stream").header("last-event-id", "yesterday").body(Body::empty()).unwrap();
    assert_eq!(site.answer(request).await.refusal(), (400, "invalid".into(), "Last-Event-ID".into()));
}

#[tokio::test(start_paused = true)]
async fn the_overview_is_sent_when_it_says_something_else() {
    let site = Site::new();
    let mut page = Reader::open(&site, None).await;
    page.begin().await;
    site.fake.overview.lock().unwrap().cluster.now.0 += 1_000_000;
    site.fake.overview.lock().unwrap().facts[0].age_us += 1_000_000;
    assert!(page.is_quiet(Duration::from_secs(5)).await, "that time passes is no news");
    site.fake.overview.lock().unwrap().features[0].paused = true;
    let news = page.next().await;
    assert_eq!((news.event.as_str(), news.id, &news.data["features"][0]["paused"]), ("overview", None, &json!(true)));
}

#[tokio::test(start_paused = true)]
async fn of_the_nodes_only_those_that_changed_are_sent() {
    let site = Site::new();
    let mut page = Reader::open(&site, None).await;
    page.begin().await;
    {
        let mut nodes = site.fake.nodes.lock().unwrap();
        nodes.nodes = vec![node("node-2", 3), node("node-3", 0)];
        nodes.version = 2;
    }
    let change = page.next().await.data;
    assert_eq!(change["full"], false);
    assert_eq!(change["removed"], json!(["node-1"]));
    let names: Vec<_> = change["nodes"].as_array().unwrap().iter().map(|node| &node["name"]).collect();
    assert_eq!(names, ["node-2", "node-3"]);
}

#[tokio::test(start_paused = true)]
async fn many_changes_of_the_overview_are_told_twice_a_second_at_most() {
    let site = Site::new();
    let mut page = Reader::open(&site, None).await;
    page.begin().await;
    let fake = site.fake.clone();
    tokio::spawn(async move {
        for placed in 0..1_000 {
            fake.overview.lock().unwrap().features[0].counts.placed = placed;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let begun = Instant::now();
    let mut told = 0;
    while begun.elapsed() < Duration::from_secs(10) {
        assert_eq!(page.next().await.event, "overview");
        told += 1;
    }
    assert!((19..=21).contains(&told), "{told}");
}

#[tokio::test(start_paused = true)]
async fn many_pages_cost_the_platform_no_more_than_one() {
    let site = Site::new();
    let mut pages = Vec::new();
    for _ in 0..20 {
        let mut page = Reader::open(&site, None).await;
        page.begin().await;
        pages.push(page);
        advance(Duration::from_millis(37)).await;
    }
    site.fake.asked.lock().unwrap().clear();
    let quiet = pages.iter_mut().map(|page| page.is_quiet(Duration::from_secs(10)));
    assert!(futures::future::join_all(quiet).await.into_iter().all(|quiet| quiet));
    let asked = site.fake.asked().iter().filter(|asked| *asked == "overview").count();
    assert!((15..=21).contains(&asked), "asked {asked} times in 10 s");
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_when_something_was_lost_before_it_got_here() {
    let site = Site::new();
    let mut page = Reader::open(&site, None).await;
    page.begin().await;
    site.fake.log.push(made(1));
    assert_eq!(page.next().await.event, "decision");
    site.fake.log.reset();
    let told = page.next().await;
    assert_eq!((told.event.as_str(), told.id, told.data), ("reset", Some(1_002), json!({"seq": 1_002})));
    site.fake.log.push(made(2));
    assert_eq!(page.next().await.id, Some(1_003));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_says_that_it_lives() {
    let site = Site::new();
    let mut page = Reader::open(&site, None).await;
    page.begin().await;
    for _ in 0..3 {
        let before = Instant::now();
        assert_eq!(page.block().await.unwrap(), ":");
        assert_eq!(before.elapsed().as_secs(), 15);
    }
}

#[tokio::test(start_paused = true)]
async fn only_so_many_browsers_have_the_page_open_and_a_closed_one_makes_room() {
    let site = Site::new();
    let mut pages = Vec::new();
    for _ in 0..64 {
        pages.push(Reader::open(&site, None).await);
    }
    let refused = site.get("/api/v1/stream").await;
    assert_eq!(refused.refusal(), (503, "unavailable".into(), String::new()));
    assert_eq!(refused.json()["error"]["message"], "64 browsers have the page open");
    assert_eq!(site.get("/api/v1/overview").await.status, 200, "the API has its own room");
    drop(pages.pop());
    Reader::open(&site, None).await.begin().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_the_page_is_no_longer_served() {
    let site = Site::new();
    let mut page = Reader::open(&site, None).await;
    page.begin().await;
    site.close.send_replace(true);
    assert_eq!(page.block().await, None);
}
