//! One call to the API server, and trying again.
//!
//! The client's own retries are not used: theirs are jittered by chance nobody seeded, and go on for minutes. Here a call
//! that was refused for now (429, 5xx) or got no answer is repeated, with our jitter or after what `Retry-After` says,
//! until the action's deadline.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Request};
use keelson_core::Span;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::Chance;
use crate::mandate;
use crate::reach::Reach;

/// The longest one call may take.
const CALL: Duration = Duration::from_secs(5);
/// The first wait before a repeat, and the longest that we choose ourselves.
const FIRST: Span = Span::millis(100);
const LONGEST: Span = Span::seconds(2);

/// Bodies are JSON; a patch says which kind it is.
pub(super) const JSON: &str = "application/json";
pub(super) const APPLY: &str = "application/apply-patch+yaml";
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const JSON_PATCH: &str = "application/json-patch+json";

/// A call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: String,
    pub(super) content_type: &'static str,
    pub(super) body: Option<Value>,
}

impl Call {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, content_type: JSON, body: None }
    }
    pub(super) fn post(path: String, body: Value) -> Self {
        Self { method: Method::POST, path, content_type: JSON, body: Some(body) }
    }
    pub(super) fn patch(path: String, content_type: &'static str, body: Value) -> Self {
        Self { method: Method::PATCH, path, content_type, body: Some(body) }
    }
    /// Deletes only this uid, when there is one.
    pub(super) fn delete(path: String, uid: &str) -> Self {
        let mut options = serde_json::json!({"apiVersion": "v1", "kind": "DeleteOptions"});
        if !uid.is_empty() {
            set(&mut options, &["preconditions", "uid"], Value::from(uid));
        }
        Self { method: Method::DELETE, path, content_type: JSON, body: Some(options) }
    }
}

/// What the API server said.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) body: Value,
    retry_after: Option<Span>,
    /// Whether an earlier try of the same call was lost, so that what the server met may be the call's own work.
    pub(super) after_a_loss: bool,
}

impl Answer {
    pub(super) const fn is_ok(&self) -> bool {
        self.code >= 200 && self.code < 300
    }

    /// Whether the same call may go better later.
    pub(super) const fn is_transient(&self) -> bool {
        matches!(self.code, 429 | 500 | 502 | 503 | 504)
    }

    /// The refusal in the server's words, at most 300 characters.
    pub(super) fn refusal(&self) -> String {
        let message = self.body.get("message").and_then(Value::as_str).unwrap_or("no reason given");
        let message: String = message.chars().take(300).collect();
        format!("{}: {message}", self.code)
    }

    /// A string of the body, by pointer; empty when it is not there.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Whether a call may have been carried out although nobody said so. 429 and 503 are said before a request is looked at;
/// 500, 502 and 504 also by whoever lost sight of it.
pub(super) fn is_lost(answer: &Result<Answer, String>) -> bool {
    answer.as_ref().map_or(true, |answer| matches!(answer.code, 500 | 502 | 504))
}

/// Makes calls; clones share the connection.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) client: Client,
    pub(super) chance: Chance,
    pub(super) reach: Reach,
}

impl Wire {
    /// One call, once. `Err` when there was no answer: it may or may not have been carried out.
    pub(super) async fn once(&self, call: &Call) -> Result<Answer, String> {
        let Some(introduction) = mandate::introduction() else {
            return Err(mandate::RUN_OUT.to_owned());
        };
        let answer = match timeout(CALL, self.send(call, introduction)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {CALL:?}")),
        };
        match &answer {
            Ok(_) => self.reach.worked(),
            Err(why) => self.reach.failed(why),
        }
        answer
    }

    /// The call, repeated until it is answered for good or `deadline` is near.
    pub(super) async fn until(&self, call: &Call, deadline: Instant) -> Result<Answer, String> {
        self.repeat(call, deadline).await.0
    }

    /// The same for a write. `Err` when nobody knows in the end whether it was carried out, or may yet be.
    pub(super) async fn write(&self, call: &Call, deadline: Instant) -> Result<Answer, String> {
        let (answer, lost) = self.repeat(call, deadline).await;
        let answer = answer?;
        if lost && answer.is_transient() {
            return Err(answer.refusal());
        }
        Ok(Answer { after_a_loss: lost, ..answer })
    }

    /// The last answer, and whether any try of the call was lost.
    async fn repeat(&self, call: &Call, deadline: Instant) -> (Result<Answer, String>, bool) {
        let (mut tries, mut lost) = (0, false);
        loop {
            let answer = self.once(call).await;
            lost |= is_lost(&answer);
            let for_good = answer.as_ref().is_ok_and(|answer| !answer.is_transient());
            if for_good || !self.pause(&call.path, answer.as_ref().ok(), tries, deadline).await {
                return (answer, lost);
            }
            tries += 1;
        }
    }

    /// Waits before a repeat; says false, and does not wait, when the deadline would pass.
    pub(super) async fn pause(&self, path: &str, answer: Option<&Answer>, tries: u32, deadline: Instant) -> bool {
        let doubled = Span(FIRST.0.saturating_mul(1_i64 << tries.min(20))).min(LONGEST);
        let asked = answer.and_then(|answer| answer.retry_after);
        // Drawn for this call alone: how many others wait, and in which order they woke, changes nothing.
        let wait = asked.unwrap_or_else(|| self.chance.fork(&format!("{path} {tries}")).jitter(doubled)).to_std();
        if Instant::now() + wait >= deadline {
            return false;
        }
        tokio::time::sleep(wait).await;
        true
    }

    async fn send(&self, call: &Call, introduction: HeaderValue) -> Result<Answer, String> {
        let body = call.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder()
            .method(&call.method)
            .uri(&call.path)
            .header(CONTENT_TYPE, call.content_type)
            .header(USER_AGENT, introduction)
            .body(Body::from(body))
            .map_err(|error| error.to_string())?;
        let response = self.client.send(request).await.map_err(|error| error.to_string())?;
        let code = response.status().as_u16();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = response.into_body().collect_bytes().await.map_err(|error| error.to_string())?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let seconds = seconds.or_else(|| body.pointer("/details/retryAfterSeconds")?.as_i64());
        Ok(Answer {
            code,
            body,
            retry_after: seconds.filter(|seconds| *seconds > 0).map(Span::seconds),
            after_a_loss: false,
        })
    }
}

/// Sets a field, making the objects on the way to it.
pub(super) fn set(body: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *body = value;
        return;
    };
    if !body.is_object() {
        *body = Value::Object(serde_json::Map::new());
    }
    if let Some(fields) = body.as_object_mut() {
        set(fields.entry((*first).to_owned()).or_insert(Value::Null), rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keelson_core::Timestamp;
    use tower::BoxError;

    use crate::Clock;

    /// Nobody is asked.
    fn wire() -> Wire {
        let nobody =
            tower::service_fn(|_: Request<Body>| std::future::pending::<Result<http::Response<Body>, BoxError>>());
        let reach = Reach::new(Clock::start(Timestamp(0), 1));
        Wire { client: Client::new(nobody, "default"), chance: Chance::new(1), reach }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_would_not_end_before_the_deadline_is_not_begun() {
        let (wire, began) = (wire(), Instant::now());
        let answer = Answer { code: 503, body: Value::Null, retry_after: Some(Span::seconds(5)), after_a_loss: false };
        assert!(!wire.pause("/", Some(&answer), 0, began + Duration::from_secs(5)).await);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(wire.pause("/", Some(&answer), 0, began + Duration::from_millis(5_001)).await);
        assert_eq!(began.elapsed(), Duration::from_secs(5), "as long as the server asked for");
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_the_longest() {
        let wire = wire();
        for (tries, most) in [(0, 100), (1, 200), (4, 1_600), (5, 2_000), (40, 2_000)] {
            let began = Instant::now();
            assert!(wire.pause("/", None, tries, began + Duration::from_secs(10)).await);
            let (waited, most) = (began.elapsed(), Duration::from_millis(most));
            assert!(waited >= most / 2 && waited <= most + Duration::from_millis(1), "{tries} tries: {waited:?}");
        }
    }
}
