//! Who is let in, and what every answer carries.

use axum::Router;
use axum::body::Body;
use axum::routing::get as route;
use http::{Method, Request};

use crate::fake::{HOST, Site, get, post};

const PAUSE: &str = "/api/v1/features/scheduling/pause";

async fn pause_from(site: &Site, headers: &[(&'static str, &str)]) -> u16 {
    let mut request = post(PAUSE).body(Body::from(r#"{"paused":true}"#)).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    site.answer(request).await.status.as_u16()
}

#[tokio::test]
async fn only_its_own_names_open_the_page() {
    let site = Site::new();
    for (host, status) in [
        ("127.0.0.1:8080", 200),
        ("localhost:8080", 200),
        ("LOCALHOST:8080", 200),
        ("[::1]:8080", 200),
        ("127.0.0.1", 403),
        ("localhost:8081", 403),
        ("evil.example:8080", 403),
        ("127.0.0.1:8080.evil.example", 403),
        ("", 403),
    ] {
        for path in ["/api/v1/overview", "/", "/api/v1/nothing"] {
            let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
            let expected = if status == 200 && path.ends_with("nothing") { 404 } else { status };
            assert_eq!(site.answer(request).await.status.as_u16(), expected, "{host:?} {path}");
        }
    }
    let nameless = Request::get("/").body(Body::empty()).unwrap();
    let refused = site.answer(nameless).await;
    assert_eq!(refused.refusal().0, 403);
    assert_eq!(refused.json()["error"]["fix"], "Open http://127.0.0.1:8080/.");
    let twice = get("/").header("host", HOST).body(Body::empty()).unwrap();
    assert_eq!(site.answer(twice).await.status, 403, "two names are no name");
}

#[tokio::test]
async fn the_usual_port_may_be_left_out() {
    let hosts = keelson_dashboard::Options::loopback(80).hosts;
    assert!(hosts.contains(&"localhost".to_owned()) && hosts.contains(&"localhost:80".to_owned()));
}

#[tokio::test]
async fn no_other_site_turns_a_switch() {
    let site = Site::new();
    for (origin, fetch_site, status) in [
        ("http://127.0.0.1:8080", "same-origin", 200),
        ("http://localhost:8080", "", 200),
        ("", "same-origin", 200),
        ("", "none", 200),
        ("", "", 200),
        ("http://localhost:3000", "same-site", 403),
        ("http://localhost:3000", "", 403),
        ("https://127.0.0.1:8080", "", 403),
        ("https://example.com", "cross-site", 403),
        ("https://example.com", "", 403),
        ("null", "", 403),
        ("", "same-site", 403),
        ("", "cross-site", 403),
    ] {
        let headers: Vec<_> = [("origin", origin), ("sec-fetch-site", fetch_site)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        assert_eq!(pause_from(&site, &headers).await, status, "{headers:?}");
    }
    let forged = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    assert_eq!(pause_from(&site, &forged).await, 403, "a form sent by another site navigates as well");
    assert_eq!(site.fake.asked().len(), 5);
}

#[tokio::test]
async fn no_other_site_reads_but_its_links_may_be_followed() {
    let site = Site::new();
    for (path, fetch_site, mode, status) in [
        ("/api/v1/stream", "cross-site", "cors", 403),
        ("/api/v1/overview", "same-site", "no-cors", 403),
        ("/assets/app.js", "cross-site", "no-cors", 403),
        ("/decisions", "cross-site", "navigate", 200),
        ("/api/v1/overview", "same-origin", "cors", 200),
    ] {
        let request = get(path).header("sec-fetch-site", fetch_site).header("sec-fetch-mode", mode);
        let response = site.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status().as_u16(), status, "{path} {fetch_site} {mode}");
    }
}

#[tokio::test]
async fn no_answer_may_be_framed_sniffed_or_read_elsewhere() {
    let site = Site::new();
    let foreign = Request::get("/").header("host", "evil.example").body(Body::empty()).unwrap();
    let posted = post(PAUSE).body(Body::empty()).unwrap();
    let mut answers = vec![site.answer(foreign).await, site.answer(posted).await];
    for path in ["/", "/api/v1/overview", "/api/v1/nothing", "/no.js", "/api/v1/decisions?x=1"] {
        answers.push(site.get(path).await);
    }
    for answer in answers {
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        assert!(!answer.header("cache-control").is_empty());
    }
}

#[tokio::test]
async fn a_preflight_gets_no_permission() {
    let site = Site::new();
    let request = Request::builder().method(Method::OPTIONS).uri(PAUSE).header("host", HOST);
    let request = request.header("origin", "https://example.com").header("access-control-request-method", "POST");
    let answer = site.answer(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 403);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn the_binarys_own_routes_stand_behind_the_same_guard() {
    let extra = Router::new().route("/livez", route(async || "ok"));
    let site = Site::with(|options| options.extra = extra);
    let answer = site.get("/livez").await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "ok"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let foreign = Request::get("/livez").header("host", "evil.example").body(Body::empty()).unwrap();
    assert_eq!(site.answer(foreign).await.status, 403);
}
