//! From the headers of a request to a caller, or why not.
//!
//! Programs send `Authorization: Bearer`; browsers send the cookie of their session; a proxy sends names, and proves itself.
//! One that does not prove itself is refused outright when it names somebody.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::memo::Memo;
use super::places::Places;
use super::sessions::{Held, Sessions};
use super::viewer::Viewer;
use super::{Access, Caller, RIGHT_FOR, Right, Seen, SignIn, TOKEN_FOR, Unknown, Way};
use crate::cookies;
use crate::error::{ApiError, Category};

/// The longest token. Real ones have one or two thousand characters.
const MAX_TOKEN: usize = 8 * 1024;
/// The longest name that a proxy may say, and the most groups.
const MAX_NAME: usize = 256;
const MAX_GROUPS: usize = 256;
/// How long a token that stands for nobody is remembered.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// How long the cluster may take to say who somebody is, or what they may do.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many tokens that were not known a minute ago are reviewed at a time; more are told to come again.
const STRANGERS: usize = 8;
/// How many other questions are put to the cluster at a time.
const QUESTIONS: usize = 32;
/// How many requests, streams and exports one person may have open.
const REQUESTS_EACH: usize = 16;
const STREAMS_EACH: usize = 16;
const EXPORTS_EACH: usize = 2;
/// How many verdicts are remembered.
const TOKENS: usize = 4_096;
const RIGHTS: usize = 32_768;

const USER: HeaderName = HeaderName::from_static("x-forwarded-user");
const GROUPS: HeaderName = HeaderName::from_static("x-forwarded-groups");
const PROXY_SECRET: HeaderName = HeaderName::from_static("x-keelson-proxy-secret");

/// A hash under which a secret is remembered.
pub type Digest = [u8; 32];

/// The hash of a secret.
pub fn digest(secret: &str) -> Digest {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(ring::digest::digest(&ring::digest::SHA256, secret.as_bytes()).as_ref()) {
        *to = *from;
    }
    out
}

/// 256 bits that cannot be guessed, as hexadecimal digits.
pub fn random() -> Result<String, ApiError> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0_u8; 32];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| silent(&Unknown("this machine gives no randomness".to_owned())))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What a caller is known by: asked again for as long as a stream is open.
#[derive(Debug, Clone)]
pub enum Proof {
    Bearer(Secret),
    Session(Digest),
    Proxy,
}

/// How patiently a token is reviewed.
#[derive(Clone, Copy)]
enum From {
    Stranger,
    Session,
}

/// Lets callers in, and remembers for a moment what it was told about them.
pub struct Gate {
    access: Access,
    tokens: Memo<Digest, Arc<Caller>>,
    refused: Memo<Digest, ()>,
    rights: Memo<(Arc<Caller>, Right), bool>,
    pub(super) seen: Memo<Arc<Caller>, Seen>,
    sessions: Sessions,
    strangers: Semaphore,
    questions: Semaphore,
    /// By name: several tokens of one person are one person.
    pub(crate) requests: Arc<Places<String>>,
    pub(crate) streams: Arc<Places<String>>,
    pub(crate) exports: Arc<Places<String>>,
}

impl Gate {
    /// A gate that remembers nothing yet.
    #[must_use]
    pub fn new(access: Access) -> Arc<Self> {
        Arc::new(Self {
            access,
            tokens: Memo::new(TOKENS),
            refused: Memo::new(TOKENS),
            rights: Memo::new(RIGHTS),
            seen: Memo::new(TOKENS),
            sessions: Sessions::default(),
            strangers: Semaphore::new(STRANGERS),
            questions: Semaphore::new(QUESTIONS),
            requests: Places::new(REQUESTS_EACH),
            streams: Places::new(STREAMS_EACH),
            exports: Places::new(EXPORTS_EACH),
        })
    }

    /// How people sign in.
    pub(crate) fn way(&self) -> Way {
        match self.access.sign_in {
            SignIn::Token => Way::Token,
            SignIn::Oidc(_) => Way::Oidc,
            SignIn::Proxy(_) => Way::Proxy,
        }
    }

    pub(crate) const fn sign_in(&self) -> &SignIn {
        &self.access.sign_in
    }

    /// Who sends a request with these headers.
    pub(crate) async fn admit(self: &Arc<Self>, headers: &HeaderMap) -> Result<Viewer, ApiError> {
        let (caller, proof) = match (&self.access.sign_in, bearer(headers)?) {
            (SignIn::Proxy(secret), _) if proves(headers, secret)? => (Arc::new(named(headers)?), Proof::Proxy),
            (SignIn::Proxy(_), _) if headers.contains_key(USER) || headers.contains_key(GROUPS) => {
                let message = "the request names somebody, and does not come from the proxy that may";
                return Err(signed_out(message, "Open Keelson through its proxy."));
            }
            (_, Some(token)) => {
                let token = Secret(token.to_owned());
                (self.of_token(&token, From::Stranger).await?, Proof::Bearer(token))
            }
            (SignIn::Proxy(_), None) => {
                return Err(signed_out("nobody is signed in", "Open Keelson through its proxy."));
            }
            (_, None) => {
                let id = cookies::session(headers).ok_or_else(nobody)?;
                let id = digest(id);
                (self.of_session(&id).await?, Proof::Session(id))
            }
        };
        Ok(Viewer::known(Arc::clone(self), caller, proof))
    }

    /// Whether they are still who they were.
    pub(super) async fn still(&self, caller: &Caller, proof: &Proof) -> Result<(), ApiError> {
        let now = match proof {
            Proof::Bearer(token) => self.of_token(token, From::Session).await?,
            Proof::Session(id) => self.of_session(id).await?,
            Proof::Proxy => return Ok(()),
        };
        if *now == *caller { Ok(()) } else { Err(nobody()) }
    }

    /// Begins a session for a token that somebody pasted.
    pub(crate) async fn begin(&self, token: &str) -> Result<String, ApiError> {
        let token = Secret(readable(token.trim())?.to_owned());
        let caller = self.of_token(&token, From::Stranger).await?;
        tracing::info!(user = caller.user, "signed in with a token");
        self.sessions.begin(Held::Token(token), &caller.user, super::sessions::LONGEST, Instant::now())
    }

    /// Begins a session for somebody whom the identity provider named.
    pub(crate) fn welcome(&self, caller: Caller, lasts: Duration) -> Result<String, ApiError> {
        let caller = Arc::new(caller);
        tracing::info!(user = caller.user, "signed in at the identity provider");
        self.sessions.begin(Held::Caller(Arc::clone(&caller)), &caller.user, lasts, Instant::now())
    }

    /// Ends the session of a browser.
    pub(crate) fn end(&self, headers: &HeaderMap) {
        if let Some(id) = cookies::session(headers) {
            self.sessions.end(&digest(id));
        }
    }

    async fn of_session(&self, id: &Digest) -> Result<Arc<Caller>, ApiError> {
        match self.sessions.find(id, Instant::now()).ok_or_else(nobody)? {
            Held::Caller(caller) => Ok(caller),
            Held::Token(token) => {
                let caller = self.of_token(&token, From::Session).await;
                if caller.as_ref().is_err_and(|error| error.category == Category::SignedOut) {
                    self.sessions.end(id);
                }
                caller
            }
        }
    }

    async fn of_token(&self, token: &Secret, from: From) -> Result<Arc<Caller>, ApiError> {
        let (key, now) = (digest(&token.0), Instant::now());
        if let Some(caller) = self.tokens.get(&key, now) {
            return Ok(caller);
        }
        let refused = || {
            let fix = format!("Make one: kubectl create token NAME -n NAMESPACE --audience {}", super::AUDIENCE);
            signed_out("the token stands for nobody here: it is wrong, expired, revoked or for another audience", &fix)
        };
        if self.refused.get(&key, now).is_some() {
            return Err(refused());
        }
        let _place = match from {
            From::Session => self.questions.acquire().await.ok(),
            From::Stranger => Some(self.strangers.try_acquire().map_err(|_| {
                let message = "many sign in at this moment";
                ApiError::new(Category::Unavailable, message, "Try again in a second.")
            })?),
        };
        match patiently(self.access.reviewer.who(&token.0)).await.map_err(|why| silent(&why))? {
            Some(caller) => {
                let caller = Arc::new(caller);
                self.tokens.put(key, Arc::clone(&caller), now, TOKEN_FOR);
                Ok(caller)
            }
            None => {
                self.refused.put(key, (), now, REFUSED_FOR);
                Err(refused())
            }
        }
    }

    /// Whether a caller has a right.
    pub(super) async fn allows(&self, caller: &Arc<Caller>, right: &Right) -> Result<bool, ApiError> {
        let (key, now) = ((Arc::clone(caller), right.clone()), Instant::now());
        if let Some(allowed) = self.rights.get(&key, now) {
            return Ok(allowed);
        }
        let _place = self.questions.acquire().await.ok();
        let allowed = patiently(self.access.authorizer.allows(caller, right)).await.map_err(|why| silent(&why))?;
        self.rights.put(key, allowed, now, RIGHT_FOR);
        Ok(allowed)
    }
}

async fn patiently<T>(asked: impl Future<Output = Result<T, Unknown>>) -> Result<T, Unknown> {
    let late = |_| Err(Unknown(format!("no answer within {} s", PATIENCE.as_secs())));
    timeout(PATIENCE, asked).await.unwrap_or_else(late)
}

/// Nobody is let in on a guess.
pub(crate) fn silent(why: &Unknown) -> ApiError {
    let message = format!("who you are and what you may see cannot be asked now: {why}");
    ApiError::new(Category::Unavailable, message, "Try again when it answers.")
}

/// Nobody is signed in.
pub(crate) fn nobody() -> ApiError {
    signed_out("nobody is signed in", "Sign in on the page; programs send Authorization: Bearer TOKEN.")
}

pub(crate) fn signed_out(message: &str, fix: &str) -> ApiError {
    ApiError::new(Category::SignedOut, message, fix)
}

/// The token in the headers, if any. Other schemes are not ours: a proxy in front may use them.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = once(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    let Some((scheme, token)) = value.split_once(' ') else { return Ok(None) };
    if scheme.eq_ignore_ascii_case("bearer") { readable(token.trim()).map(Some) } else { Ok(None) }
}

fn readable(token: &str) -> Result<&str, ApiError> {
    let is_token = (1..=MAX_TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then_some(token).ok_or_else(|| {
        let message = format!("a token has 1 to {MAX_TOKEN} visible characters without spaces");
        signed_out(&message, "Copy it whole, and nothing else.")
    })
}

/// Whether the proxy's secret is there. Hashes are compared, so that time tells nothing of where they differ.
fn proves(headers: &HeaderMap, secret: &str) -> Result<bool, ApiError> {
    Ok(once(headers, &PROXY_SECRET)?.is_some_and(|given| digest(given) == digest(secret)))
}

/// Whom the proxy names.
fn named(headers: &HeaderMap) -> Result<Caller, ApiError> {
    let fix = "See docs/sign-in.md for what the proxy must send.";
    let user = once(headers, &USER)?.map(str::trim).filter(|user| is_name(user));
    let user = user.ok_or_else(|| signed_out("the proxy names nobody in X-Forwarded-User", fix))?;
    let mut groups = Vec::new();
    for value in headers.get_all(GROUPS) {
        let value = value.to_str().map_err(|_| signed_out("X-Forwarded-Groups is no text", fix))?;
        groups.extend(value.split(',').map(str::trim).filter(|group| is_name(group)).map(str::to_owned));
    }
    if groups.len() > MAX_GROUPS {
        return Err(signed_out(&format!("the proxy names more than {MAX_GROUPS} groups"), fix));
    }
    Ok(foreign(user.to_owned(), groups))
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.starts_with("system:") && !name.chars().any(char::is_control)
}

/// Somebody whom others than the cluster named: never under one of the cluster's own names, such as `system:masters`.
#[must_use]
pub fn foreign(user: String, mut groups: Vec<String>) -> Caller {
    groups.retain(|group| is_name(group));
    groups.truncate(MAX_GROUPS);
    groups.push("system:authenticated".to_owned());
    Caller { user, groups, ..Caller::default() }
}

/// A header that is given once or not at all.
fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let refused = |what: &str| signed_out(&format!("{name} is {what}"), "Send it once, as text.");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| refused("no text")),
        (Some(_), Some(_)) => Err(refused("given twice")),
    }
}
