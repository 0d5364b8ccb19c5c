//! Asking over HTTPS, and in the clear where that is enough.
//!
//! Promises: an answer is bounded in size and time; where a redirect leads is not followed; whom the system trusts is
//! trusted (`SSL_CERT_FILE` names others).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// The longest an answer may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// A client.
#[derive(Clone, Debug)]
pub struct Https {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The largest answer, in bytes.
    most: usize,
}

impl Https {
    /// A client of `address`, whose answers have `most` bytes at most.
    ///
    /// # Errors
    /// When the address is `https://` and the system trusts nobody.
    pub fn to(address: &str, most: usize) -> Result<Self> {
        let (provider, connector) = (Arc::new(ring::default_provider()), HttpsConnectorBuilder::new());
        // The system's authorities take a while to read.
        let connector = if address.starts_with("https://") {
            let trusting = connector.with_provider_and_native_roots(ring::default_provider());
            trusting.context("the system trusts no authority; name a file of them in SSL_CERT_FILE")?
        } else {
            let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
            connector.with_tls_config(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
        };
        let connector = connector.https_or_http().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), most })
    }

    /// The status and the body of the answer.
    ///
    /// # Errors
    /// When nobody answers, or not in time, or with too much.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        let address = request.uri().to_string();
        let answering = async {
            let response: Response<_> = self.client.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), self.most).collect().await;
            Ok((status, body.map_err(|error| anyhow!("the answer ended early: {error}"))?.to_bytes()))
        };
        let answered: Result<_> = tokio::time::timeout(DEADLINE, answering)
            .await
            .with_context(|| format!("{address}: no answer within {} s", DEADLINE.as_secs()))?;
        answered.with_context(|| format!("{address} does not answer"))
    }
}

/// Whether an error says that nobody listens there; anything else is an answer, or the lack of one that is owed.
#[must_use]
pub fn is_nobody_there(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<Error>().is_some_and(Error::is_connect))
}
