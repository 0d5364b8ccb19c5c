//! Which sites may speak to the page.
//!
//! On loopback nobody need sign in, and a browser sends its cookie along by itself; so everything rests on what a browser
//! cannot be made to forge: the Host it connects to (an evil site whose name points here is refused), the Origin and
//! Sec-Fetch-Site it sends along (another site can neither change a switch nor hold a stream open), and a policy that lets
//! the page load nothing but itself. Another port of localhost is another site, and so is the same name without TLS.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

use crate::error::{ApiError, Category};
use crate::serve::App;

/// The most requests at a time, streams not counted.
const MAX_REQUESTS: usize = 64;
/// How long an answer may take to begin.
const TIME_LIMIT: Duration = Duration::from_secs(15);

const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Refuses what comes under another name or from another site, and adds the headers that protect the answer.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match check(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn check(app: &App, request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    let host = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => text(headers, &header::HOST),
    };
    // A program that shows its token proves who it is under whatever name it came: browsers send none by themselves.
    let shows_token = app.gate.is_some() && headers.contains_key(header::AUTHORIZATION);
    if !shows_token && !is_allowed(&app.hosts, host) {
        let message = format!("this page is not served under the name {:?}", host.chars().take(64).collect::<String>());
        let fix = app.origins.first().map(|origin| format!("Open {origin}/.")).unwrap_or_default();
        return Err(ApiError::new(Category::Forbidden, message, fix));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
    // A link on another site may be followed: the person sees the answer, the other site does not.
    let followed = reads && text(headers, &HeaderName::from_static("sec-fetch-mode")) == "navigate";
    if !matches!(site, "" | "same-origin" | "none") && !followed {
        return Err(other_site());
    }
    // Programs that are no browsers send no Origin; a browser always does with a change.
    let origin = headers.get(header::ORIGIN).map(|_| text(headers, &header::ORIGIN));
    if !reads && !origin.is_none_or(|origin| is_allowed(&app.origins, origin)) {
        return Err(other_site());
    }
    Ok(())
}

fn is_allowed(names: &[String], name: &str) -> bool {
    names.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

/// A header's text; empty when it is missing, and a text that nothing allows when it is given twice or is no text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => "",
        (Some(value), None) => value.to_str().unwrap_or("?"),
        (Some(_), Some(_)) => "?",
    }
}

fn other_site() -> ApiError {
    let fix = "Use the page itself, or a program that is no browser.";
    ApiError::new(Category::Forbidden, "the request comes from another site", fix)
}

/// The room for requests that are being answered.
pub fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_REQUESTS))
}

/// Answers only so many at a time, and each within its time.
pub async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    within(&app.requests, request, next).await
}

/// The same for those who are not signed in, in a room of their own: they may not keep the others out.
pub async fn bounded_sign_in(State(app): State<App>, request: Request, next: Next) -> Response {
    within(&app.sign_ins, request, next).await
}

async fn within(room: &Semaphore, request: Request, next: Next) -> Response {
    let Ok(_permit) = room.try_acquire() else {
        let message = format!("{MAX_REQUESTS} requests are being answered");
        return ApiError::new(Category::Unavailable, message, "Try again in a second.").into_response();
    };
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("no answer within {} s", TIME_LIMIT.as_secs());
            let fix = "Ask for less, or see the connections of /api/v1/overview.";
            ApiError::new(Category::Timeout, message, fix).into_response()
        }
    }
}
