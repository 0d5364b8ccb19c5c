//! Asking a running Keelson.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::Server;
use crate::https::Https;

/// The largest answer: a page of decisions, and some more.
const MOST: usize = 64 << 20;

/// The JSON API of one Keelson.
#[derive(Debug)]
pub struct Client {
    base: String,
    token: Option<String>,
    https: Https,
}

impl Client {
    /// A client of the Keelson that answers at `server`.
    ///
    /// # Errors
    /// When no client can be made on this machine.
    pub fn new(server: &Server) -> Result<Self> {
        let token = server.token.clone().filter(|token| !token.is_empty());
        Ok(Self { base: server.server.clone(), token, https: Https::to(&server.server, MOST)? })
    }

    /// The answer to a question.
    ///
    /// # Errors
    /// When nobody answers, or what the answer says is wrong.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T> {
        let mut url = format!("{}/api/v1/{path}", self.base);
        for (index, (name, value)) in query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&escape(value));
        }
        self.answer(Request::get(url), Full::default()).await
    }

    /// The answer to a change or to a question with a body.
    ///
    /// # Errors
    /// When nobody answers, or what the answer says is wrong.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        let request = Request::post(format!("{}/api/v1/{path}", self.base));
        self.answer(request.header(header::CONTENT_TYPE, "application/json"), Full::from(body.to_string())).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: http::request::Builder, body: Full<Bytes>) -> Result<T> {
        let request = match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        let (status, body) = self.https.send(request.body(body)?).await.with_context(|| {
            format!("nobody answers at {}; start `keelson up`, or name another address with --server", self.base)
        })?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .context("the answer has another shape than this version expects; use the same version on both sides");
        }
        let error: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |field: &str| error.pointer(&format!("/error/{field}")).and_then(Value::as_str);
        match (text("message"), text("fix")) {
            (Some(message), _) if status == http::StatusCode::UNAUTHORIZED => bail!(
                "{message}; name a token in KEELSON_TOKEN: kubectl create token NAME -n NAMESPACE --audience keelson"
            ),
            (Some(message), Some(fix)) => bail!("{message}; {fix}"),
            (Some(message), None) => bail!("{message}"),
            _ => bail!("the server answered {status}"),
        }
    }
}

/// Percent-encodes everything but the characters that need it nowhere.
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::https::is_nobody_there;

    #[test]
    fn what_a_path_cannot_hold_is_escaped() {
        assert_eq!(escape("a b/ü"), "a%20b%2F%C3%BC");
    }

    #[tokio::test]
    async fn nobody_there_is_said_with_the_fix() {
        let client = Client::new(&Server { server: "http://127.0.0.1:9".into(), token: None }).unwrap();
        let error = client.get::<Value>("overview", &[]).await.unwrap_err();
        assert!(error.to_string().contains("start `keelson up`"), "{error}");
        assert!(is_nobody_there(&error));
    }
}
