//! Signing in, staying and leaving: by token, at a provider, behind a proxy; and everything that does not count as that.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use http::Request;
use keelson_dashboard::Options;
use keelson_dashboard::access::{Ask, Caller, Provider, SignIn, Unknown, foreign};
use tokio::time::advance;

use crate::fake::{Site, get, post};
use crate::guests::{DOOR, Guests, guarded, of, token, with_cookie};
use crate::streaming::Reader;

const SESSION: &str = "/api/v1/session";
const OVERVIEW: &str = "/api/v1/overview";

async fn stream(site: &Site, request: Request<Body>) -> Reader {
    let mut reader = Reader::of(site.send(request).await);
    reader.begin().await;
    reader
}

/// Reads until the stream ends, and returns after how long that was.
async fn ended(reader: &mut Reader, at_most: Duration) -> Option<Duration> {
    let begun = tokio::time::Instant::now();
    let reading = async { while reader.block().await.is_some() {} };
    tokio::time::timeout(at_most, reading).await.ok().map(|()| begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_pasted_token_becomes_a_session_that_no_script_and_no_other_site_can_use() {
    let (site, _) = guarded();
    let before = site.get(SESSION).await.json();
    assert_eq!((&before["sign_in"], before.get("user"), &before["let_in"]), (&"token".into(), None, &false.into()));
    let answer = site.post(SESSION, &format!("{{\"token\": \" {}\\n\"}}", token("ada"))).await;
    assert_eq!(answer.json()["user"], "ada");
    assert_eq!((&answer.json()["let_in"], &answer.json()["may_switch"]), (&true.into(), &true.into()));
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-keelson="), "{cookie}");
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.split("; ").any(|one| one == part), "{cookie}");
    }
    assert!(!cookie.contains(&token("ada")) && !cookie.contains("Domain"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(site.with_cookie(cookie, OVERVIEW).await.status, 200);
    assert_eq!(site.with_cookie(cookie, SESSION).await.json()["user"], "ada");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_come_in_is_told_who_they_are() {
    let (site, _) = guarded();
    let told = site.with_cookie(&site.signed_in("bob").await, SESSION).await.json();
    assert_eq!((&told["user"], &told["let_in"], &told["may_switch"]), (&"bob".into(), &false.into(), &false.into()));
    let eve = site.with_cookie(&site.signed_in("eve").await, SESSION).await.json();
    assert_eq!(
        (&eve["let_in"], &eve["may_switch"], &eve["may_see_nodes"]),
        (&true.into(), &false.into(), &false.into())
    );
}

#[tokio::test(start_paused = true)]
async fn after_signing_out_the_cookie_opens_nothing_and_its_streams_end() {
    let (site, _) = guarded();
    let cookie = site.signed_in("ada").await;
    let mut page = stream(&site, with_cookie(&cookie, "/api/v1/stream")).await;
    let request = post(SESSION).method("DELETE").header("cookie", &cookie).body(Body::empty()).unwrap();
    let answer = site.answer(request).await;
    assert_eq!(answer.status, 204);
    assert!(
        answer.header("set-cookie").starts_with("__Host-keelson=; ")
            && answer.header("set-cookie").contains("Max-Age=0")
    );
    assert_eq!(site.with_cookie(&cookie, OVERVIEW).await.refusal().0, 401);
    let after = ended(&mut page, Duration::from_secs(60)).await.expect("the stream ends");
    assert!(after <= Duration::from_secs(16), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_or_expired_token_ends_sessions_requests_and_streams_within_a_bound() {
    let (site, guests) = guarded();
    let cookie = site.signed_in("ada").await;
    let mut pages = [
        stream(&site, with_cookie(&cookie, "/api/v1/stream")).await,
        stream(&site, of("ada", get("/api/v1/stream")).body(Body::empty()).unwrap()).await,
    ];
    advance(Duration::from_secs(30)).await;
    assert_eq!(site.with_cookie(&cookie, OVERVIEW).await.status, 200);
    guests.forgets("ada");
    advance(Duration::from_secs(60)).await;
    assert_eq!(site.get_as("ada", OVERVIEW).await.refusal(), (401, "signed-out".into(), String::new()));
    assert_eq!(site.with_cookie(&cookie, OVERVIEW).await.refusal().0, 401);
    for page in &mut pages {
        let after = ended(page, Duration::from_secs(60)).await.expect("the stream ends");
        assert!(after <= Duration::from_secs(16), "{after:?}");
    }
    guests.knows("ada", &[]);
    advance(Duration::from_secs(11)).await;
    assert_eq!(site.get_as("ada", OVERVIEW).await.status, 200, "one that counts again is let in again");
    assert_eq!(site.with_cookie(&cookie, OVERVIEW).await.refusal().0, 401, "and the session is gone for good");
}

#[tokio::test(start_paused = true)]
async fn who_loses_their_rights_loses_the_page_and_the_stream() {
    let (site, guests) = guarded();
    let mut page = stream(&site, of("ada", get("/api/v1/stream")).body(Body::empty()).unwrap()).await;
    guests.rights.lock().unwrap().remove(&("ada".to_owned(), DOOR.to_owned()));
    let after = ended(&mut page, Duration::from_secs(120)).await.expect("the stream ends");
    assert!(after <= Duration::from_secs(46), "{after:?}");
    assert_eq!(site.get_as("ada", OVERVIEW).await.refusal().0, 403);
}

#[tokio::test(start_paused = true)]
async fn the_cluster_is_asked_once_a_minute_about_a_token_and_once_in_half_a_minute_about_a_right() {
    let (site, guests) = guarded();
    for _ in 0..29 {
        assert_eq!(site.get_as("eve", OVERVIEW).await.status, 200);
        advance(Duration::from_secs(1)).await;
    }
    let doors = || guests.asked.lock().unwrap().iter().filter(|(_, right)| right.to_string() == DOOR).count();
    assert_eq!((guests.reviewed.lock().unwrap().len(), doors()), (1, 1));
    advance(Duration::from_secs(2)).await;
    site.get_as("eve", OVERVIEW).await;
    assert_eq!((guests.reviewed.lock().unwrap().len(), doors()), (1, 2));
    advance(Duration::from_secs(30)).await;
    site.get_as("eve", OVERVIEW).await;
    assert_eq!(guests.reviewed.lock().unwrap().len(), 2);
    // A token that stands for nobody is not asked about again and again either.
    for _ in 0..50 {
        assert_eq!(site.get_as("mallory", OVERVIEW).await.refusal().0, 401);
    }
    assert_eq!(guests.reviewed.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_let_in_on_a_guess() {
    let (site, guests) = guarded();
    let cookie = site.signed_in("ada").await;
    *guests.away.lock().unwrap() = true;
    advance(Duration::from_secs(61)).await;
    for answer in [site.with_cookie(&cookie, OVERVIEW).await, site.get_as("ada", OVERVIEW).await] {
        assert_eq!(answer.refusal(), (503, "unavailable".into(), String::new()));
        assert!(answer.text().contains("the API server does not answer"), "{}", answer.text());
    }
    *guests.away.lock().unwrap() = false;
    assert_eq!(site.with_cookie(&cookie, OVERVIEW).await.status, 200, "the session outlives an outage");
    *guests.hangs.lock().unwrap() = true;
    advance(Duration::from_secs(61)).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(site.with_cookie(&cookie, OVERVIEW).await.refusal().0, 503);
    assert!(begun.elapsed() <= Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_credential_is_refused() {
    let (site, guests) = guarded();
    let cookie = site.signed_in("ada").await;
    let reviewed = guests.reviewed.lock().unwrap().len();
    let id = cookie.split_once('=').unwrap().1;
    let long = format!("Bearer {}", "a".repeat(8 * 1024 + 1));
    let guessed = format!("__Host-keelson={}", "0".repeat(64));
    for (name, value) in [
        ("authorization", "Bearer "),
        ("authorization", "Bearer a b"),
        ("authorization", long.as_str()),
        ("authorization", "Basic YWRhOmFkYQ=="),
        ("cookie", guessed.as_str()),
        ("cookie", &format!("keelson={id}")),
        ("cookie", &format!("__Host-keelson={id}0")),
        ("cookie", &format!("{cookie}; {guessed}")),
        ("cookie", "__Host-keelson="),
        ("x-forwarded-user", "ada"),
        ("x-remote-user", "ada"),
        ("impersonate-user", "ada"),
    ] {
        let answer = site.answer(get(OVERVIEW).header(name, value).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.refusal(), (401, "signed-out".into(), String::new()), "{name}: {value}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let twice = of("ada", of("ada", get(OVERVIEW))).body(Body::empty()).unwrap();
    assert_eq!(site.answer(twice).await.refusal().0, 401, "two are none");
    assert_eq!(guests.reviewed.lock().unwrap().len(), reviewed, "nothing of that reached the cluster");
    for body in [r#"{"token": ""}"#, r#"{"token": "a b"}"#, r#"{"token": "no such"}"#] {
        assert_eq!(site.post(SESSION, body).await.refusal().0, 401, "{body}");
    }
    for (body, field) in [("{}", "token"), (r#"{"token": 7}"#, "token"), (r#"{"token": "a", "user": "b"}"#, "user")] {
        assert_eq!(site.post(SESSION, body).await.refusal(), (400, "invalid".into(), field.into()), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_site_uses_nobodys_session() {
    let guests = Arc::new(Guests::default());
    guests.knows("ada", &[DOOR, "patch platforms.keelson.dev", "get pods"]);
    // Where people sign in over the network, the page is opened by https.
    let named = Options::default().named("keelson.example.com", "https");
    let site = Site::with(|options| *options = Options { access: Some(guests.access(SignIn::Token)), ..named });
    let host = "keelson.example.com";
    let signed_in = |origin: &str| {
        let body = Body::from(format!("{{\"token\": \"{}\"}}", token("ada")));
        let request = Request::post(SESSION).header("host", host).header("content-type", "application/json");
        request.header("origin", origin).body(body).unwrap()
    };
    let answer = site.answer(signed_in(&format!("https://{host}"))).await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let longer = format!("https://{host}.evil.example");
    for origin in [&format!("http://{host}"), "https://example.com", &longer, "null"] {
        assert_eq!(
            site.answer(signed_in(origin)).await.refusal().0,
            403,
            "nobody is signed in as somebody else: {origin}"
        );
        let pause = Request::post("/api/v1/features/scheduling/pause").header("host", host).header("cookie", &cookie);
        let pause = pause.header("content-type", "application/json").header("origin", origin);
        let answer = site.answer(pause.body(Body::from(r#"{"paused": true}"#)).unwrap()).await;
        assert_eq!(answer.refusal().0, 403, "{origin}");
        let out = Request::delete(SESSION).header("host", host).header("cookie", &cookie).header("origin", origin);
        assert_eq!(site.answer(out.body(Body::empty()).unwrap()).await.refusal().0, 403, "{origin}");
    }
    // A name that was pointed here later brings no cookie, and is refused before anything is looked at.
    for foreign in ["evil.example", "127.0.0.1:8080", "keelson.example.com:80", ""] {
        let request = Request::get(OVERVIEW).header("host", foreign).header("cookie", &cookie);
        assert_eq!(site.answer(request.body(Body::empty()).unwrap()).await.refusal().0, 403, "{foreign}");
    }
    let read = Request::get(OVERVIEW).header("host", host).header("cookie", &cookie);
    assert_eq!(site.answer(read.body(Body::empty()).unwrap()).await.status, 200);
    assert!(site.fake.audited.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_spelling_of_a_path_leads_around_the_gate() {
    let (site, _) = guarded();
    let long = format!("/api/v1/{}", "a/".repeat(4_000));
    for path in [
        "/api/v1/../v1/overview",
        "/api/v1/./overview",
        "/api/v1//overview",
        "//api/v1/overview",
        "/api//v1/overview",
        "/api/v1/overview/",
        "/api/v1/overview/.",
        "/api/v1/overview%2f",
        "/api/v1/%6fverview",
        "/api/v1%2foverview",
        "/api%2fv1%2foverview",
        "/%61pi/v1/overview",
        "/api/v1/session/../overview",
        "/api/v1/session%2f..%2foverview",
        "/api/v1/session/%2e%2e/overview",
        "/api/v1/session/%252e%252e/overview",
        "/api/v1/sign-in/callback/../../overview",
        "/livez/../api/v1/overview",
        "/assets/../api/v1/overview",
        "/api/v1/overview;.js",
        "/api/v1/overview?/session",
        "/API/V1/OVERVIEW",
        long.as_str(),
    ] {
        let answer = site.get(path).await;
        let told = answer.text();
        assert!(!told.contains("\"features\""), "{path}: {told}");
        assert!(matches!(answer.status.as_u16(), 200 | 400 | 401 | 404), "{path}: {}", answer.status);
        assert!(answer.status != 200 || told.contains("<html") || told.contains("<!doctype"), "{path}: {told}");
    }
    // What a path names is what is judged: parts are decoded once, and then asked about and looked up as one text.
    for (path, status) in [
        ("/api/v1/subjects/Pod/shop%2f..%2fvault/vault-0", 403),
        ("/api/v1/subjects/Pod/..%2fvault/vault-0", 403),
        ("/api/v1/subjects/Pod/shop%2e%2e/vault-0", 403),
        ("/api/v1/subjects/Pod/%2576ault/vault-0", 403),
        ("/api/v1/subjects/Pod/shop%00/vault-0", 400),
        ("/api/v1/subjects/Pod/%ff/vault-0", 400),
        ("/api/v1/subjects/Pod/shop/..%2f..%2fvault%2fvault-0", 404),
    ] {
        let answer = site.get_as("eve", path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text());
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_takes_everything_leaves_the_others_theirs() {
    let (site, guests) = guarded();
    let mut open = Vec::new();
    loop {
        let response = site.send(of("eve", get("/api/v1/stream")).body(Body::empty()).unwrap()).await;
        if response.status() != 200 {
            assert_eq!(response.status(), 503);
            break;
        }
        open.push(response);
    }
    assert_eq!(open.len(), 16);
    guests.tokens.lock().unwrap().insert("another".into(), "eve".into());
    let another = get("/api/v1/stream").header("authorization", "Bearer another").body(Body::empty()).unwrap();
    assert_eq!(site.answer(another).await.refusal().0, 503, "with another token she is the same person");
    stream(&site, of("ada", get("/api/v1/stream")).body(Body::empty()).unwrap()).await;
    *site.fake.hangs.lock().unwrap() = true;
    let router = site.router.clone();
    for _ in 0..40 {
        use tower::ServiceExt;
        let request = of("eve", get("/api/v1/decisions")).body(Body::empty()).unwrap();
        tokio::spawn(router.clone().oneshot(request));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(site.get_as("eve", OVERVIEW).await.refusal().0, 503);
    assert_eq!(site.get_as("ada", OVERVIEW).await.status, 200);
    // A flood of guessed tokens waits for nobody, and is told to come again; those who are known go on.
    *guests.hangs.lock().unwrap() = true;
    for guess in 0..40 {
        use tower::ServiceExt;
        let request = get(OVERVIEW).header("authorization", format!("Bearer {guess}")).body(Body::empty()).unwrap();
        tokio::spawn(router.clone().oneshot(request));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let reviewed = guests.reviewed.lock().unwrap().iter().filter(|token| token.len() < 4).count();
    assert_eq!(reviewed, 8);
    assert_eq!(site.get_as("ada", OVERVIEW).await.status, 200);
}

/// An identity provider that names whom a test wants.
#[derive(Default)]
struct Id {
    asked: Mutex<Vec<Ask>>,
    away: Mutex<bool>,
}

#[async_trait]
impl Provider for Id {
    async fn begin(&self, ask: &Ask) -> Result<String, Unknown> {
        if *self.away.lock().unwrap() {
            return Err(Unknown("no answer".into()));
        }
        self.asked.lock().unwrap().push(ask.clone());
        Ok("https://example.com/authorize".into())
    }
    async fn finish(&self, code: &str, ask: &Ask) -> Result<Option<(Caller, Duration)>, Unknown> {
        let known = self.asked.lock().unwrap().contains(ask);
        let caller = || (foreign("ada".into(), vec!["ops".into(), "system:masters".into()]), Duration::from_secs(300));
        Ok((known && code == "good").then(caller))
    }
}

fn at_a_provider() -> (Site, Arc<Id>) {
    let (guests, id) = (Arc::new(Guests::default()), Arc::new(Id::default()));
    guests.knows("ada", &[DOOR]);
    let access = guests.access(SignIn::Oidc(id.clone()));
    (Site::with(|options| options.access = Some(access)), id)
}

fn cookies(answer: &crate::fake::Answer) -> Vec<String> {
    answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn who_signs_in_at_the_provider_comes_back_with_a_session_that_ends_with_their_token() {
    let (site, id) = at_a_provider();
    assert_eq!(site.get(SESSION).await.json()["sign_in"], "oidc");
    let sent = site.get("/api/v1/sign-in").await;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "https://example.com/authorize"));
    let pending = cookies(&sent).remove(0);
    assert!(pending.starts_with("__Host-keelson-sign-in=") && pending.contains("SameSite=Lax"), "{pending}");
    let pending = pending.split(';').next().unwrap().to_owned();
    let state = id.asked.lock().unwrap()[0].state.clone();
    let back = get(&format!("/api/v1/sign-in/callback?code=good&state={state}&iss=https%3A%2F%2Fexample.com"));
    let back =
        back.header("cookie", &pending).header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
    let answer = site.answer(back.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"));
    let given = cookies(&answer);
    assert!(
        given[1].starts_with("__Host-keelson-sign-in=; "),
        "what was for the sign-in alone is forgotten: {given:?}"
    );
    let session = given[0].split(';').next().unwrap();
    assert_eq!(site.with_cookie(session, OVERVIEW).await.status, 200);
    let mut page = stream(&site, with_cookie(session, "/api/v1/stream")).await;
    let after = ended(&mut page, Duration::from_secs(600)).await.expect("the stream ends");
    assert!(after <= Duration::from_secs(316), "{after:?}");
    assert_eq!(site.with_cookie(session, OVERVIEW).await.refusal().0, 401);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_this_browser_did_not_ask_for_signs_nobody_in() {
    let (site, id) = at_a_provider();
    let begin = async || cookies(&site.get("/api/v1/sign-in").await).remove(0).split(';').next().unwrap().to_owned();
    let (mine, theirs) = (begin().await, begin().await);
    let asked = id.asked.lock().unwrap().clone();
    for (cookie, query) in [
        ("", format!("code=good&state={}", asked[0].state)),
        (theirs.as_str(), format!("code=good&state={}", asked[0].state)),
        (mine.as_str(), "code=good&state=".to_owned()),
        (mine.as_str(), "code=good".to_owned()),
        (mine.as_str(), format!("state={}", asked[0].state)),
        (mine.as_str(), format!("code=bad&state={}", asked[0].state)),
        (mine.as_str(), format!("error=access_denied&state={}", asked[0].state)),
    ] {
        let request = get(&format!("/api/v1/sign-in/callback?{query}")).header("cookie", cookie);
        let answer = site.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/?sign-in=refused"), "{query}");
        assert!(cookies(&answer).iter().all(|cookie| cookie.starts_with("__Host-keelson-sign-in=; ")), "{query}");
    }
    *id.away.lock().unwrap() = true;
    assert_eq!(site.get("/api/v1/sign-in").await.header("location"), "/?sign-in=unavailable");
    assert_eq!(site.post(SESSION, r#"{"token": "a"}"#).await.refusal().0, 404, "nobody pastes a token here");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_names_people_when_it_proves_itself() {
    let secret = "s".repeat(32);
    let guests = Arc::new(Guests::default());
    guests.knows("ada", &[DOOR]);
    let access = guests.access(SignIn::Proxy(secret.clone()));
    let site = Site::with(|options| options.access = Some(access));
    let proved = |user: &str, groups: &str| {
        let request = get(OVERVIEW).header("x-keelson-proxy-secret", &secret).header("x-forwarded-user", user);
        request.header("x-forwarded-groups", groups).body(Body::empty()).unwrap()
    };
    assert_eq!(site.answer(proved("ada", "ops, system:masters,dev")).await.status, 200);
    let asked = guests.asked.lock().unwrap()[0].0.clone();
    assert_eq!(asked.groups, ["ops", "dev", "system:authenticated"], "a proxy makes nobody a master");
    assert_eq!(site.answer(proved("bob", "")).await.refusal().0, 403);
    for user in ["", "system:admin", "a\u{9}b", &"a".repeat(257)] {
        assert_eq!(site.answer(proved(user, "")).await.refusal().0, 401, "{user:?}");
    }
    for (name, value) in [("x-other", ""), ("x-keelson-proxy-secret", "guessed"), ("x-keelson-proxy-secret", "")] {
        let request = get(OVERVIEW).header("x-forwarded-user", "ada").header(name, value).body(Body::empty()).unwrap();
        assert_eq!(site.answer(request).await.refusal().0, 401, "{name}: {value}");
    }
    let twice = get(OVERVIEW).header("x-keelson-proxy-secret", &secret).header("x-forwarded-user", "bob");
    let twice = twice.header("x-forwarded-user", "ada").body(Body::empty()).unwrap();
    assert_eq!(site.answer(twice).await.refusal().0, 401, "of two names nobody knows which the proxy gave");
    assert_eq!(site.get_as("ada", OVERVIEW).await.status, 200, "programs show their tokens past the proxy");
    let streamed = get("/api/v1/stream").header("x-keelson-proxy-secret", &secret).header("x-forwarded-user", "ada");
    let mut page = stream(&site, streamed.body(Body::empty()).unwrap()).await;
    let after = ended(&mut page, Duration::from_secs(3_600)).await.expect("only the proxy knows who is still let in");
    assert!(after <= Duration::from_secs(616), "{after:?}");
    assert_eq!(site.get(SESSION).await.json()["sign_in"], "proxy");
}
