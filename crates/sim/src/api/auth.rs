//! Who is asking.
//!
//! A bearer token is looked up in the configured table, then among the service account tokens issued here.

use std::sync::Arc;

use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::status::Failure;

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
            map.insert("uid".into(), self.uid.clone().into());
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

/// The token in the headers, if any.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
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

pub(crate) fn unauthorized() -> Failure {
    Failure::new(401, "Unauthorized", "Unauthorized")
}
