//! Asking an identity provider: JSON over HTTPS, in the clear on this machine alone.
//!
//! Promises: an answer is bounded in size and time; where a redirect leads is not followed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;

/// The longest an answer may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer, in bytes.
const MOST: usize = 1 << 20;

/// A client that trusts whom the system trusts (`SSL_CERT_FILE` names others).
#[derive(Clone)]
pub struct Https(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Https {
    /// A client.
    ///
    /// # Errors
    /// When the system trusts nobody.
    pub fn new() -> Result<Self> {
        let provider = tokio_rustls::rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(Arc::new(provider))
            .context("no authorities to trust; name a file of them in SSL_CERT_FILE")?;
        let connector = connector.https_or_http().enable_http1().build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// What a GET is answered with.
    ///
    /// # Errors
    /// When nobody answers, or not with JSON of this shape.
    pub async fn get<T: DeserializeOwned>(&self, address: &str) -> Result<T> {
        self.ask(Request::builder().method(Method::GET), address, String::new()).await
    }

    /// What a form is answered with; `authorization` may be empty.
    ///
    /// # Errors
    /// When nobody answers, or not with JSON of this shape.
    pub async fn post<T: DeserializeOwned>(&self, address: &str, form: String, authorization: &str) -> Result<T> {
        let mut request =
            Request::builder().method(Method::POST).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !authorization.is_empty() {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.ask(request, address, form).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: http::request::Builder,
        address: &str,
        body: String,
    ) -> Result<T> {
        let uri: Uri = address.parse().with_context(|| format!("{address:?} is no address"))?;
        let host = uri.host().unwrap_or_default();
        let is_here = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
        if uri.scheme_str() != Some("https") && !is_here {
            bail!("{address:?} is not https://");
        }
        let request = request.uri(uri).header(header::ACCEPT, "application/json").body(Full::from(body))?;
        let answering = async {
            let response = self.0.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST).collect().await;
            Ok((status, body.map_err(|error| anyhow::anyhow!("the answer ended early: {error}"))?.to_bytes()))
        };
        let answered: Result<_> = tokio::time::timeout(DEADLINE, answering)
            .await
            .with_context(|| format!("{address}: no answer within {} s", DEADLINE.as_secs()))?;
        let (status, body) = answered.with_context(|| format!("{address} does not answer"))?;
        if !status.is_success() {
            let said: String = String::from_utf8_lossy(&body).chars().take(200).collect();
            bail!("{address} answers {status}: {said}");
        }
        serde_json::from_slice(&body).with_context(|| format!("{address} answers something else than expected"))
    }
}
