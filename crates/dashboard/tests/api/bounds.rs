//! Whoever is slow, large or many is bounded, and the others are still served. Sockets are real; time is virtual, and passes
//! when everybody waits.

use std::time::Duration;

use keelson_core::{Decision, ObjectRef};
use keelson_store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::fake::decision;
use crate::served::Served;

/// What comes until the other side closes, and after how long it does.
async fn until_closed(mut connection: TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    let mut heard = Vec::new();
    let _ = connection.read_to_end(&mut heard).await;
    (String::from_utf8_lossy(&heard).into_owned(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_says_it_slowly_is_gone_after_ten_seconds() {
    let page = Served::start(0).await;
    for said in ["", "GET /", "GET / HTTP/1.1\r\nHost: HOST\r\nX-Slow: "] {
        let (heard, after) = until_closed(page.say(said).await).await;
        assert_eq!(heard, "", "{said:?}");
        assert!((9..=11).contains(&after.as_secs()), "{said:?}: {after:?}");
    }
    // One more byte every few seconds wins no time.
    let mut slow = page.say("GET / HTTP/1.1\r\n").await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) && slow.write_all(b"X: y\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    assert!(begun.elapsed() <= Duration::from_secs(20), "{:?}", begun.elapsed());
    // Nor does a connection live on after its answer.
    let (heard, after) = until_closed(page.say("GET /api/v1/overview HTTP/1.1\r\nHost: HOST\r\n\r\n").await).await;
    assert!(heard.starts_with("HTTP/1.1 200") && after.as_secs() <= 11, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let page = Served::start(1).await;
    let head = "Host: HOST\r\nContent-Type: application/json\r\nContent-Length: 100\r\n";
    for (path, who) in [("session", ""), ("features/scheduling/pause", "Authorization: Bearer token-of-user-0\r\n")] {
        let said = format!("POST /api/v1/{path} HTTP/1.1\r\n{head}{who}\r\n{{\"paused\"");
        let (heard, after) = until_closed(page.say(&said).await).await;
        let expected = "the body did not arrive within 5 s";
        assert!(heard.starts_with("HTTP/1.1 504") && heard.contains(expected), "{path}: {heard}");
        assert!(after <= Duration::from_secs(16), "{after:?}");
    }
}

#[tokio::test]
async fn headers_of_any_size_are_read_only_so_far() {
    let page = Served::start(0).await;
    let (path, many) = (format!("/{}", "a".repeat(70_000)), "X: y\r\n".repeat(200));
    let large = format!("X: {}\r\n", "y".repeat(40_000));
    for (path, headers) in [(path.as_str(), ""), ("/", large.as_str()), ("/", many.as_str())] {
        let (heard, _) =
            until_closed(page.say(&format!("GET {path} HTTP/1.1\r\nHost: HOST\r\n{headers}\r\n")).await).await;
        let status = heard.split(' ').nth(1).unwrap_or("nothing");
        assert!(matches!(status, "414" | "431" | "nothing"), "{status}");
    }
    assert_eq!(page.ask(0, "/api/v1/overview").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_an_answer_is_left_after_half_a_minute() {
    let page = Served::start(3).await;
    let subject = ObjectRef::namespaced("Pod", "shop", "cart-0");
    let made: Vec<_> = (0..20_000).map(|n| Decision { subject: subject.clone(), ..decision(n) }).collect();
    page.fake.store.record(&made).await.unwrap();
    tokio::time::resume();
    let mut stalled = Vec::new();
    for user in [0, 0, 1, 1] {
        let (status, connection) = page.ask(user, "/api/v1/decisions/export").await;
        assert_eq!(status, 200);
        stalled.push(connection);
        if stalled.len() == 2 {
            assert_eq!(page.ask(0, "/api/v1/decisions/export").await.0, 503, "one person leaves two to the others");
        }
    }
    assert_eq!(page.ask(2, "/api/v1/decisions/export").await.0, 503, "all four places are taken");
    tokio::time::pause();
    let begun = Instant::now();
    while page.ask(2, "/api/v1/decisions/export").await.0 != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the places are free again");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
