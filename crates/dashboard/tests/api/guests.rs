//! A cluster that knows some people, and what they may do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use http::Request;
use keelson_dashboard::access::{Access, Authorizer, Caller, Reviewer, Right, SignIn, Unknown};

use crate::fake::{Answer, Site, get, post};

/// Who may do what: a right as it is written for people, and on what.
#[derive(Default)]
pub struct Guests {
    pub tokens: Mutex<BTreeMap<String, String>>,
    pub rights: Mutex<BTreeSet<(String, String)>>,
    pub reviewed: Mutex<Vec<String>>,
    pub asked: Mutex<Vec<(Caller, Right)>>,
    pub away: Mutex<bool>,
    pub hangs: Mutex<bool>,
}

#[async_trait]
impl Reviewer for Guests {
    async fn who(&self, token: &str) -> Result<Option<Caller>, Unknown> {
        self.reviewed.lock().unwrap().push(token.to_owned());
        self.answer().await?;
        let user = self.tokens.lock().unwrap().get(token).cloned();
        // A real cluster says by which token somebody came.
        let extra = BTreeMap::from([("credential-id".to_owned(), vec![token.to_owned()])]);
        Ok(user.map(|user| Caller { groups: vec![format!("{user}-team")], user, extra, ..Caller::default() }))
    }
}

#[async_trait]
impl Authorizer for Guests {
    async fn allows(&self, caller: &Caller, right: &Right) -> Result<bool, Unknown> {
        self.asked.lock().unwrap().push((caller.clone(), right.clone()));
        self.answer().await?;
        Ok(self.rights.lock().unwrap().contains(&(caller.user.clone(), right.to_string())))
    }
}

impl Guests {
    async fn answer(&self) -> Result<(), Unknown> {
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        if *self.away.lock().unwrap() { Err(Unknown("the API server does not answer".into())) } else { Ok(()) }
    }

    pub fn knows(&self, user: &str, rights: &[&str]) {
        self.tokens.lock().unwrap().insert(token(user), user.to_owned());
        self.rights.lock().unwrap().extend(rights.iter().map(|right| (user.to_owned(), (*right).to_owned())));
    }

    pub fn forgets(&self, user: &str) {
        self.tokens.lock().unwrap().remove(&token(user));
    }

    pub fn access(self: &Arc<Self>, sign_in: SignIn) -> Access {
        Access { sign_in, reviewer: self.clone(), authorizer: self.clone() }
    }
}

/// What everybody needs who is let in.
pub const DOOR: &str = "get platforms.keelson.dev";
/// What turns switches.
pub const SWITCH: &str = "patch platforms.keelson.dev";

pub fn token(user: &str) -> String {
    format!("token-of-{user}")
}

/// A page to which ada (who may do everything), eve (who sees the namespace shop alone) and bob (who is known, and no more)
/// sign in with tokens.
pub fn guarded() -> (Site, Arc<Guests>) {
    let guests = Arc::new(Guests::default());
    let all = [DOOR, SWITCH, "get pods", "get deployments.apps", "get nodes", "list nodes", "get /metrics"];
    guests.knows("ada", &all);
    guests.knows("eve", &[DOOR, "get pods in namespace shop", "get deployments.apps in namespace shop"]);
    guests.knows("bob", &[]);
    let access = guests.access(SignIn::Token);
    (Site::with(|options| options.access = Some(access)), guests)
}

/// A request of somebody, with their token.
pub fn of(user: &str, request: http::request::Builder) -> http::request::Builder {
    request.header("authorization", format!("Bearer {}", token(user)))
}

impl Site {
    pub async fn get_as(&self, user: &str, path: &str) -> Answer {
        self.answer(of(user, get(path)).body(Body::empty()).unwrap()).await
    }

    pub async fn post_as(&self, user: &str, path: &str, body: &str) -> Answer {
        self.answer(of(user, post(path)).body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Signs in with a token, and returns the cookie.
    pub async fn signed_in(&self, user: &str) -> String {
        let answer = self.post("/api/v1/session", &format!("{{\"token\": \"{}\"}}", token(user))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    pub async fn with_cookie(&self, cookie: &str, path: &str) -> Answer {
        self.answer(with_cookie(cookie, path)).await
    }
}

pub fn with_cookie(cookie: &str, path: &str) -> Request<Body> {
    get(path).header("cookie", cookie).body(Body::empty()).unwrap()
}
