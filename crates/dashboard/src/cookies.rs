//! The two cookies of signing in.
//!
//! Both carry the prefix `__Host-`: only this host can have set them, over TLS, for all of its paths. No script can read
//! them. The session's is never sent along from another site; the one of a sign-in under way is, once, because the identity
//! provider is another site.

use http::{HeaderMap, HeaderValue, header};

use crate::access::Ask;

/// The name of the session.
pub const SESSION: &str = "__Host-keelson";
const ASK: &str = "__Host-keelson-sign-in";

/// The id of the session, when the request has one.
pub fn session(headers: &HeaderMap) -> Option<&str> {
    find(headers, SESSION)
}

/// The sign-in under way, when the request has one.
pub fn ask(headers: &HeaderMap) -> Option<Ask> {
    let mut parts = find(headers, ASK)?.split('.').map(str::to_owned);
    let ask = Ask { state: parts.next()?, nonce: parts.next()?, verifier: parts.next()? };
    let is_whole = [&ask.state, &ask.nonce, &ask.verifier].iter().all(|part| part.len() == 64);
    (is_whole && parts.next().is_none()).then_some(ask)
}

/// Keeps a session until the browser is closed or it ends here.
pub fn keep_session(id: &str) -> Option<HeaderValue> {
    written(SESSION, id, "Strict", "")
}

/// Keeps a sign-in under way for the minutes that it may take.
pub fn keep_ask(ask: &Ask) -> Option<HeaderValue> {
    written(ASK, &format!("{}.{}.{}", ask.state, ask.nonce, ask.verifier), "Lax", "; Max-Age=600")
}

/// Forgets the session.
pub fn forget_session() -> Option<HeaderValue> {
    written(SESSION, "", "Strict", "; Max-Age=0")
}

/// Forgets the sign-in under way.
pub fn forget_ask() -> Option<HeaderValue> {
    written(ASK, "", "Lax", "; Max-Age=0")
}

fn written(name: &str, value: &str, same_site: &str, age: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}{age}")).ok()
}

/// A cookie that is given once: of two, nobody knows which is ours.
fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = all.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty()).then_some(value)
    });
    found.next().filter(|_| found.next().is_none())
}
