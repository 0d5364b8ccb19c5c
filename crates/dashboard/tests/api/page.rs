//! The embedded page and what is no page.

use axum::body::Body;

use crate::fake::{Site, get, post};

#[tokio::test]
async fn every_route_of_the_page_is_the_page() {
    let site = Site::new();
    let index = site.get("/").await;
    assert_eq!(index.status, 200);
    assert!(index.header("content-type").starts_with("text/html"));
    assert_eq!(index.header("cache-control"), "no-cache");
    for path in
        ["/decisions/01937f6e-0000-7000-8000-000000000000", "/nodes", "/subjects/Pod/shop/cart-0", "/index.html"]
    {
        let answer = site.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.body), (200, index.body.clone()), "{path}");
    }
}

#[tokio::test]
async fn a_page_that_did_not_change_is_not_sent_again() {
    let site = Site::new();
    let tag = site.get("/").await.header("etag").to_owned();
    let again = get("/").header("if-none-match", format!("\"other\", {tag}")).body(Body::empty()).unwrap();
    let again = site.answer(again).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let other = get("/").header("if-none-match", "W/\"other\"").body(Body::empty()).unwrap();
    assert_eq!(site.answer(other).await.status, 200);
}

#[tokio::test]
async fn a_missing_file_is_not_answered_with_the_page() {
    let site = Site::new();
    for path in ["/assets/gone-1a2b.js", "/favicon.png", "/../Cargo.toml", "/..%2f..%2fCargo.toml"] {
        assert_eq!(site.get(path).await.refusal(), (404, "not-found".into(), String::new()), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_path_of_the_api_is_told_in_json() {
    let site = Site::new();
    for path in ["/api", "/api/v1", "/api/v1/nothing", "/api/v2/overview", "/api/v1/decisions/a/b"] {
        assert_eq!(site.get(path).await.refusal(), (404, "not-found".into(), String::new()), "{path}");
    }
    for path in ["/api/v1/overview", "/api/v1/decisions/export"] {
        let answer = site.post(path, "{}").await;
        assert_eq!(answer.refusal(), (405, "method-not-allowed".into(), String::new()), "{path}");
    }
    assert_eq!(site.get("/api/v1/features/scheduling/mode").await.refusal().0, 405);
    assert_eq!(site.answer(post("/nodes").body(Body::empty()).unwrap()).await.refusal().0, 404);
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_ask() {
    let site = Site::new();
    for (asked, given) in [("br", "br"), ("gzip", "gzip"), ("identity", "")] {
        let request = get("/api/v1/openapi.json").header("accept-encoding", asked).body(Body::empty()).unwrap();
        assert_eq!(site.answer(request).await.header("content-encoding"), given);
    }
}
