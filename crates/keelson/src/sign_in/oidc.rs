//! Whom an OpenID Connect provider names.
//!
//! The authorization code flow with PKCE (RFC 7636): the browser brings a code, Keelson turns it into an ID token at the
//! provider itself, and believes the token when the provider's key signed it, for this client, for this very sign-in, and for
//! now (OpenID Connect Core 1.0 §3.1.3.7).

use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;
use keelson_core::Timestamp;
use keelson_dashboard::access::{Ask, Caller, Provider, Unknown, foreign};
use keelson_runtime::Clock;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::jwt::{self, JwtError, Keys};
use crate::client::escape;
use crate::https::Https;

/// How long what a provider says of itself is good.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// How soon its keys are asked for again, when a token names one that is not known.
const KEYS_AGAIN: Duration = Duration::from_secs(30);
/// How far its clock may be off, in seconds.
const SKEW: i64 = 60;
/// The largest of its answers, in bytes.
const MOST: usize = 1 << 20;

/// What is known of the provider beforehand.
#[derive(Clone)]
pub(super) struct Settings {
    pub issuer: String,
    pub client: String,
    /// None for a public client.
    pub secret: Option<String>,
    /// Where the browser comes back to.
    pub redirect: String,
    pub user_claim: String,
    pub groups_claim: String,
    pub prefix: String,
}

/// What it says of itself (OpenID Connect Discovery 1.0 §3).
#[derive(Debug, Clone, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// A provider.
pub(super) struct Oidc {
    settings: Settings,
    https: Https,
    clock: Clock,
    document: Mutex<Option<(Instant, Document)>>,
    keys: Mutex<Option<(Instant, Keys)>>,
}

impl Oidc {
    pub(super) fn new(settings: Settings) -> Result<Self> {
        let (document, keys) = (Mutex::default(), Mutex::default());
        let https = Https::to(&settings.issuer, MOST)?;
        Ok(Self { settings, https, clock: Clock::system(), document, keys })
    }

    async fn document(&self) -> Result<Document> {
        let mut known = self.document.lock().await;
        if let Some((at, document)) = known.as_ref()
            && at.elapsed() < KNOWN_FOR
        {
            return Ok(document.clone());
        }
        let issuer = &self.settings.issuer;
        let document: Document = self.get(&format!("{issuer}/.well-known/openid-configuration")).await?;
        if document.issuer.trim_end_matches('/') != issuer {
            bail!("the provider calls itself {:?} and not {issuer:?}; name it so in --oidc-issuer", document.issuer);
        }
        *known = Some((Instant::now(), document.clone()));
        Ok(document)
    }

    /// The provider's keys, asked for again when those there are have aged.
    async fn keys(&self, document: &Document, age: Duration) -> Result<Keys> {
        let mut known = self.keys.lock().await;
        if let Some((at, keys)) = known.as_ref()
            && at.elapsed() < age
        {
            return Ok(keys.clone());
        }
        let keys: Keys = self.get(&document.jwks_uri).await?;
        *known = Some((Instant::now(), keys.clone()));
        Ok(keys)
    }

    async fn redeem(&self, document: &Document, code: &str, ask: &Ask) -> Result<Tokens> {
        let Settings { client, secret, redirect, .. } = &self.settings;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("client_id", client),
            ("code_verifier", &ask.verifier),
        ];
        let form: Vec<_> = form.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let mut request = Request::post(secure(&document.token_endpoint)?)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        if let Some(secret) = secret {
            let both = STANDARD.encode(format!("{}:{}", escape(client), escape(secret)));
            request = request.header(header::AUTHORIZATION, format!("Basic {both}"));
        }
        self.ask(request.body(Full::from(form.join("&")))?).await
    }

    async fn get<T: DeserializeOwned>(&self, address: &str) -> Result<T> {
        self.ask(Request::get(secure(address)?).header(header::ACCEPT, "application/json").body(Full::default())?).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request<Full<Bytes>>) -> Result<T> {
        let address = request.uri().to_string();
        let (status, body) = self.https.send(request).await?;
        if !status.is_success() {
            let said: String = String::from_utf8_lossy(&body).chars().take(200).collect();
            bail!("{address} answers {status}: {said}");
        }
        serde_json::from_slice(&body).with_context(|| format!("{address} answers something else than expected"))
    }

    async fn claims(&self, document: &Document, token: &str) -> Result<Result<Map<String, Value>, JwtError>> {
        let keys = self.keys(document, KNOWN_FOR).await?;
        Ok(match jwt::claims(token, &keys) {
            // A provider changes its keys now and then.
            Err(JwtError::Key | JwtError::Signature) => jwt::claims(token, &self.keys(document, KEYS_AGAIN).await?),
            judged => judged,
        })
    }
}

#[async_trait]
impl Provider for Oidc {
    async fn begin(&self, ask: &Ask) -> Result<String, Unknown> {
        let document = self.document().await.map_err(unknown)?;
        let offered = |scope: &&str| document.scopes_supported.iter().any(|offered| offered == scope);
        let scopes: Vec<_> = ["profile", "email", "groups"].into_iter().filter(offered).collect();
        let scope = format!("openid {}", if scopes.is_empty() { "profile email".to_owned() } else { scopes.join(" ") });
        let hash = ring::digest::digest(&ring::digest::SHA256, ask.verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(hash);
        let query = [
            ("response_type", "code"),
            ("client_id", &self.settings.client),
            ("redirect_uri", &self.settings.redirect),
            ("scope", &scope),
            ("state", &ask.state),
            ("nonce", &ask.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let endpoint = &document.authorization_endpoint;
        let sign = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{sign}{}", query.join("&")))
    }

    async fn finish(&self, code: &str, ask: &Ask) -> Result<Option<(Caller, Duration)>, Unknown> {
        let document = self.document().await.map_err(unknown)?;
        let tokens = self.redeem(&document, code, ask).await.map_err(unknown)?;
        let claims = self.claims(&document, &tokens.id_token).await.map_err(unknown)?;
        let judged = claims
            .map_err(anyhow::Error::from)
            .and_then(|claims| judge(&claims, &self.settings, &document.issuer, &ask.nonce, self.clock.now()));
        match judged {
            Ok(signed_in) => Ok(Some(signed_in)),
            Err(why) => {
                tracing::warn!("an ID token is not believed: {why:#}");
                Ok(None)
            }
        }
    }
}

/// An address by HTTPS, or on this machine.
fn secure(address: &str) -> Result<Uri> {
    let uri: Uri = address.parse().with_context(|| format!("{address:?} is no address"))?;
    let is_here = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if uri.scheme_str() == Some("https") || is_here { Ok(uri) } else { bail!("{address:?} is not https://") }
}

fn unknown(error: anyhow::Error) -> Unknown {
    Unknown(format!("{error:#}"))
}

/// Whom the claims name and for how long, or why they are not for us, or not for now.
fn judge(
    claims: &Map<String, Value>,
    settings: &Settings,
    issuer: &str,
    nonce: &str,
    now: Timestamp,
) -> Result<(Caller, Duration)> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let seconds = |name: &str| claims.get(name).and_then(Value::as_f64).map(|at| at as i64);
    if text("iss") != Some(issuer) {
        bail!("it is from {:?} and not from {issuer:?}", text("iss"));
    }
    let audiences = listed(claims.get("aud"));
    if !audiences.contains(&settings.client.as_str()) {
        bail!("it is for {audiences:?} and not for {:?}", settings.client);
    }
    if audiences.len() > 1 && text("azp") != Some(&settings.client) {
        bail!("it was given to {:?}", text("azp"));
    }
    if text("nonce") != Some(nonce) {
        bail!("it is of another sign-in");
    }
    let now = now.as_seconds();
    let ends = seconds("exp").context("it does not say when it ends")?;
    if ends <= now {
        bail!("it ended {} s ago", now - ends);
    }
    if seconds("iat").is_some_and(|made| made > now + SKEW) || seconds("nbf").is_some_and(|from| from > now + SKEW) {
        bail!("it is not yet valid: the clocks differ");
    }
    let claim = &settings.user_claim;
    let user = text(claim).filter(|user| !user.is_empty() && user.len() <= 256 && !user.chars().any(char::is_control));
    let user = user.with_context(|| format!("it names nobody in the claim {claim:?}"))?;
    if claim == "email" && claims.get("email_verified").is_some_and(|verified| verified != &Value::Bool(true)) {
        bail!("the provider did not verify the address {user:?}");
    }
    let user = format!("{}{user}", settings.prefix);
    if user.starts_with("system:") {
        bail!("{user:?} is one of the cluster's own names");
    }
    let groups = listed(claims.get(&settings.groups_claim));
    let groups = groups.into_iter().map(|group| format!("{}{group}", settings.prefix)).collect();
    let lasts = Duration::from_secs(u64::try_from(ends - now).unwrap_or_default());
    Ok((foreign(user, groups), lasts))
}

/// The texts of a claim that is one or a list of them.
fn listed(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    fn settings() -> Settings {
        let text = str::to_owned;
        Settings {
            issuer: text("https://example.com"),
            client: text("keelson"),
            secret: None,
            redirect: text("https://127.0.0.1:8443/api/v1/sign-in/callback"),
            user_claim: text("email"),
            groups_claim: text("groups"),
            prefix: String::new(),
        }
    }

    fn judged(change: Value) -> Result<(Caller, Duration)> {
        let mut claims = json!({
            "iss": "https://example.com", "aud": "keelson", "nonce": "n", "iat": 900, "exp": 1_300,
            "email": "ada@example.com", "email_verified": true, "groups": ["shop", "system:masters"],
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let now = Timestamp(1_000_000_000);
        judge(claims.as_object().unwrap(), &settings(), "https://example.com", "n", now)
    }

    #[test]
    fn whom_the_provider_names_is_let_in_for_as_long_as_it_says() {
        let (caller, lasts) = judged(json!({})).unwrap();
        assert_eq!((caller.user.as_str(), lasts), ("ada@example.com", Duration::from_secs(300)));
        assert_eq!(caller.groups, ["shop", "system:authenticated"], "nobody makes themselves a master");
        assert!(judged(json!({"aud": ["other", "keelson"], "azp": "keelson"})).is_ok());
        let (caller, _) = judged(json!({"groups": "ops"})).unwrap();
        assert_eq!(caller.groups[0], "ops");
    }

    #[test]
    fn what_is_not_from_there_for_us_and_for_now_is_refused() {
        for (change, why) in [
            (json!({"iss": "https://127.0.0.1"}), "it is from"),
            (json!({"aud": "grafana"}), "it is for"),
            (json!({"aud": ["grafana"]}), "it is for"),
            (json!({"aud": ["keelson", "grafana"]}), "it was given to"),
            (json!({"aud": ["keelson", "grafana"], "azp": "grafana"}), "it was given to"),
            (json!({"nonce": "m"}), "another sign-in"),
            (json!({"nonce": null}), "another sign-in"),
            (json!({"exp": 1_000}), "it ended"),
            (json!({"exp": null}), "when it ends"),
            (json!({"iat": 1_061}), "not yet valid"),
            (json!({"nbf": 1_061}), "not yet valid"),
            (json!({"email": ""}), "names nobody"),
            (json!({"email": 7}), "names nobody"),
            (json!({"email_verified": false}), "did not verify"),
            (json!({"email": "system:admin"}), "own names"),
        ] {
            let refused = judged(change.clone()).unwrap_err().to_string();
            assert!(refused.contains(why), "{change}: {refused}");
        }
    }
}
