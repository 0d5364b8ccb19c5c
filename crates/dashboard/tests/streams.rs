//! A thousand idle streams: bounded in number and memory, and nobody else is kept out.
//!
//! A program of its own, because the memory of the process is measured.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "api/fake.rs"]
mod fake;
#[path = "api/guests.rs"]
mod guests;
#[path = "api/served.rs"]
mod served;

use std::time::Duration;

use served::Served;

/// Megabytes that this process holds.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4 / 1_024
}

#[tokio::test]
async fn a_thousand_idle_streams_cost_little_and_keep_nobody_out() {
    let page = Served::start(100).await;
    let before = resident();
    let mut open = Vec::new();
    // Ninety people with more browsers than one may have.
    for user in 0..90 {
        for _ in 0..20 {
            let (status, connection) = page.ask(user, "/api/v1/stream").await;
            match status {
                200 => open.push(connection),
                other => assert_eq!(other, 503),
            }
        }
    }
    assert_eq!(open.len(), 1_024, "so many and no more");
    let grown = resident().saturating_sub(before);
    assert!(grown <= 64, "{grown} MB for both sides of {} streams", open.len());
    println!("{} streams of 90 people hold {grown} MB, both sides counted", open.len());
    let asked = tokio::time::timeout(Duration::from_secs(2), page.ask(99, "/api/v1/overview")).await;
    assert_eq!(asked.expect("others are served at once").0, 200);
    drop(open);
    let again = async {
        while page.ask(99, "/api/v1/stream").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("places are free again");
}

#[tokio::test]
async fn on_this_machine_alone_a_thousand_streams_are_sixty_four() {
    let page = Served::start(0).await;
    let mut open = Vec::new();
    for _ in 0..1_000 {
        let (status, connection) = page.ask(0, "/api/v1/stream").await;
        open.extend((status == 200).then_some(connection));
    }
    assert_eq!(open.len(), 64);
    assert_eq!(page.ask(0, "/api/v1/overview").await.0, 200);
}
