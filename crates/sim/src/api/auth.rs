//! Who is asking.
//!
//! A bearer token is looked up in the configured table, then among the service account tokens issued here. It counts only
//! for those whom it is meant for: a token issued for another audience opens nothing here.

use std::sync::Arc;

use http::{HeaderMap, header};
use keelson_core::Timestamp;

use super::{Api, json::Json, status::Failure};
use crate::tree::{Value, json};

/// A token and whom it stands for.
#[derive(Debug, Clone)]
pub struct Token {
    /// The secret text after `Bearer`.
    pub token: String,
    /// The user's name.
    pub user: String,
    /// The user's groups, without `system:authenticated`, which everyone has.
    pub groups: Vec<String>,
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub name: String,
    pub uid: String,
    pub groups: Vec<String>,
}

impl User {
    pub fn admin() -> Self {
        Self {
            name: "system:admin".into(),
            uid: String::new(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
        }
    }

    pub fn anonymous() -> Self {
        Self { name: "system:anonymous".into(), uid: String::new(), groups: vec!["system:unauthenticated".into()] }
    }

    pub fn service_account(namespace: &str, name: &str, uid: &str) -> Self {
        Self {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            uid: uid.to_owned(),
            groups: vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".into(),
            ],
        }
    }

    pub fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == "system:masters")
    }

    pub fn info(&self) -> Value {
        let mut info = json!({"username": self.name, "groups": self.groups});
        if let (Some(map), false) = (info.as_object_mut(), self.uid.is_empty()) {
            map.insert("uid", self.uid.clone().into());
        }
        info
    }
}

/// A service account token issued here.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub user: Arc<User>,
    pub namespace: String,
    pub name: String,
    pub expires_seconds: i64,
    pub audiences: Vec<String>,
}

/// The audience of this API server.
const AUDIENCE: &str = "https://kubernetes.default.svc.cluster.local";

/// For whom a review wants a token to be: the API server, unless it says otherwise.
pub(crate) fn audiences(review: &Value) -> Vec<String> {
    match review.items(&["spec", "audiences"]) {
        [] => vec![AUDIENCE.to_owned()],
        given => given.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
    }
}

impl Api {
    /// Who sends a request: whom its token stands for, when the token is meant for this API server.
    pub(super) fn authenticate(&self, now: Timestamp, headers: &HeaderMap) -> Result<Arc<User>, Failure> {
        let Some(token) = bearer(headers) else {
            let user = if self.config.anonymous_admin { User::admin() } else { User::anonymous() };
            return Ok(Arc::new(user));
        };
        let known = self.token_user(now, token, &[AUDIENCE.to_owned()]);
        known.map(|(user, _)| user).ok_or_else(|| Failure::new(401, "Unauthorized", "Unauthorized"))
    }

    /// Whom a token stands for, and which of the `wanted` audiences it is for; none when it is for none of them.
    pub(super) fn token_user(
        &self,
        now: Timestamp,
        token: &str,
        wanted: &[String],
    ) -> Option<(Arc<User>, Vec<String>)> {
        let (user, meant) = match self.config.tokens.iter().find(|known| known.token == token) {
            Some(known) => {
                let mut groups = known.groups.clone();
                groups.push("system:authenticated".into());
                // A token of the table knows no audience: it is for the API server.
                (Arc::new(User { name: known.user.clone(), uid: String::new(), groups }), vec![AUDIENCE.to_owned()])
            }
            None => {
                let issued = self.issued.get(token)?;
                let accounts = self.kinds.get("", "serviceaccounts")?;
                let account = self.store.find(accounts.storage, &issued.namespace, &issued.name)?;
                let alive = account.uid() == issued.user.uid && now.as_seconds() < issued.expires_seconds;
                alive.then(|| (Arc::clone(&issued.user), issued.audiences.clone()))?
            }
        };
        let met: Vec<String> = meant.into_iter().filter(|audience| wanted.contains(audience)).collect();
        (!met.is_empty()).then_some((user, met))
    }
}

/// The token in the headers, if any.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// Whom the headers ask to act as, if anyone.
pub(crate) fn impersonated(headers: &HeaderMap) -> Option<User> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let name = text("impersonate-user")?;
    let mut groups: Vec<String> = headers
        .get_all("impersonate-group")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(ToOwned::to_owned)
        .collect();
    if groups.is_empty()
        && let Some((namespace, account)) =
            name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
    {
        groups = User::service_account(namespace, account, "").groups;
    }
    if name != "system:anonymous" && !groups.iter().any(|group| group == "system:authenticated") {
        groups.push("system:authenticated".into());
    }
    Some(User { name, uid: text("impersonate-uid").unwrap_or_default(), groups })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use bytes::Bytes;
    use http::Request;
    use keelson_core::Span;

    use super::*;
    use crate::api::{Config, Reply};

    #[test]
    fn expired_tokens_are_forgotten() {
        let mut api = Api::new(Config::default());
        for minute in 0..60 {
            let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
            let body = Bytes::from_static(br#"{"spec":{"expirationSeconds":600}}"#);
            let request = Request::post(path).body(body).unwrap();
            let Reply::Response(answer) = api.handle(Timestamp(0) + Span::minutes(minute), request) else { panic!() };
            assert_eq!(answer.status(), 201);
        }
        assert_eq!(api.issued.len(), 10);
    }
}
