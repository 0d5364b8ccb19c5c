//! Signing in and out: the routes that are answered also to those who are not signed in.
//!
//! A pasted token becomes a session, so that the browser need not keep it. At an identity provider the browser signs in by
//! the authorization code flow with PKCE; what ties the answer to the browser that asked is in a cookie of ten minutes, and
//! nothing is kept here for somebody who has not come back.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Ask, Gate, Right, SignIn, Way, random};
use crate::body::Fields;
use crate::cookies;
use crate::error::{ApiError, Category, ErrorBody};
use crate::query::Params;
use crate::serve::App;

/// Who is signed in, and how that is done here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// How people sign in.
    pub sign_in: Way,
    /// Who is signed in; absent when nobody is, or nobody needs to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user: Option<String>,
    /// Whether they are let in.
    pub let_in: bool,
    /// Whether they may turn switches.
    pub may_switch: bool,
    /// Whether they may see the nodes.
    pub may_see_nodes: bool,
}

/// What makes a session.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenBody {
    /// A token for the audience `keelson`.
    pub token: String,
}

/// Who is signed in, and how people sign in here.
#[utoipa::path(get, path = "/api/v1/session", tag = "session",
    responses((status = 200, body = Session), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn session(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Json<Session>, ApiError> {
    Params::read(&uri, &[])?;
    told(&app, &headers).await.map(Json)
}

async fn told(app: &App, headers: &HeaderMap) -> Result<Session, ApiError> {
    let Some(gate) = &app.gate else {
        let may_switch = !app.read_only;
        return Ok(Session { sign_in: Way::None, user: None, let_in: true, may_switch, may_see_nodes: true });
    };
    let nobody = Session { sign_in: gate.way(), user: None, let_in: false, may_switch: false, may_see_nodes: false };
    let viewer = match gate.admit(headers).await {
        Ok(viewer) => viewer,
        Err(error) if error.category == Category::SignedOut => return Ok(nobody),
        Err(error) => return Err(error),
    };
    let let_in = viewer.may(&Right::door()).await?;
    Ok(Session {
        user: Some(viewer.name().to_owned()),
        let_in,
        may_switch: let_in && !app.read_only && viewer.may(&Right::switch()).await?,
        may_see_nodes: let_in && viewer.may(&Right::nodes()).await?,
        ..nobody
    })
}

/// Signs in with a token.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = TokenBody,
    responses((status = 200, body = Session), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn sign_in(State(app): State<App>, uri: Uri, fields: Fields) -> Result<Response, ApiError> {
    Params::read(&uri, &[])?;
    fields.only(&["token"])?;
    let token = fields.text("token")?;
    let Some(gate) = app.gate.as_ref().filter(|gate| matches!(gate.sign_in(), SignIn::Token)) else {
        return Err(ApiError::new(Category::NotFound, "nobody signs in with a token here", how(app.gate.as_deref())));
    };
    let id = gate.begin(token).await?;
    let cookie = cookies::keep_session(&id);
    // Told as the browser will be told from now on.
    let mut headers = HeaderMap::new();
    headers
        .extend(HeaderValue::from_str(&format!("{}={id}", cookies::SESSION)).ok().map(|value| (header::COOKIE, value)));
    let mut response = Json(told(&app, &headers).await?).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// Signs out: the session ends, and with it the streams that were opened in it.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session",
    responses((status = 204, description = "Nobody is signed in any more."), (status = "4XX", body = ErrorBody)))]
pub async fn sign_out(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    Params::read(&uri, &[])?;
    if let Some(gate) = &app.gate {
        gate.end(&headers);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(cookies::forget_session().map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// Sends the browser to the identity provider.
#[utoipa::path(get, path = "/api/v1/sign-in", tag = "session",
    responses((status = 303, description = "To the identity provider."), (status = "4XX", body = ErrorBody)))]
pub async fn begin(State(app): State<App>, uri: Uri) -> Result<Response, ApiError> {
    Params::read(&uri, &[])?;
    let Some(SignIn::Oidc(provider)) = app.gate.as_deref().map(Gate::sign_in) else {
        let message = "nobody signs in at an identity provider here";
        return Err(ApiError::new(Category::NotFound, message, how(app.gate.as_deref())));
    };
    let ask = Ask { state: random()?, nonce: random()?, verifier: random()? };
    match provider.begin(&ask).await {
        Ok(address) => Ok(see_other(&address, cookies::keep_ask(&ask).into_iter().collect())),
        Err(why) => {
            tracing::warn!("the identity provider does not answer: {why}");
            Ok(failed("unavailable"))
        }
    }
}

/// Where the identity provider sends the browser back to.
#[utoipa::path(get, path = "/api/v1/sign-in/callback", tag = "session",
    params(("code" = String, Query, description = "Stands for who signed in."),
           ("state" = String, Query, description = "What the sign-in began with.")),
    responses((status = 303, description = "To the page."), (status = "4XX", body = ErrorBody)))]
pub async fn callback(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    // Providers add parameters of their own.
    let Query(given) = Query::<BTreeMap<String, String>>::try_from_uri(&uri)
        .map_err(|error| ApiError::invalid("query", error.body_text(), "Sign in again."))?;
    let Some(gate) = &app.gate else {
        return Err(ApiError::new(Category::NotFound, "nobody signs in here", how(None)));
    };
    let SignIn::Oidc(provider) = gate.sign_in() else {
        let message = "nobody signs in at an identity provider here";
        return Err(ApiError::new(Category::NotFound, message, how(Some(gate))));
    };
    let text = |name: &str| given.get(name).map(String::as_str).filter(|text| text.len() <= 4_096);
    // Only the browser that asked has the cookie, and only for a while.
    let ask = cookies::ask(&headers).filter(|ask| text("state") == Some(&ask.state));
    let (Some(ask), Some(code)) = (ask, text("code")) else {
        let said = text("error").unwrap_or("no sign-in of this browser is under way");
        tracing::info!("a sign-in was not completed: {:?}", said.chars().take(64).collect::<String>());
        return Ok(failed("refused"));
    };
    match provider.finish(code, &ask).await {
        Ok(Some((caller, lasts))) => {
            let id = gate.welcome(caller, lasts)?;
            Ok(see_other("/", cookies::keep_session(&id).into_iter().chain(cookies::forget_ask()).collect()))
        }
        Ok(None) => Ok(failed("refused")),
        Err(why) => {
            tracing::warn!("the identity provider does not answer: {why}");
            Ok(failed("unavailable"))
        }
    }
}

/// Back to the page, which says in words what happened.
fn failed(why: &str) -> Response {
    see_other(&format!("/?sign-in={why}"), cookies::forget_ask().into_iter().collect())
}

fn see_other(address: &str, cookies: Vec<HeaderValue>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(address).ok().map(|address| (header::LOCATION, address)));
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// How people sign in instead.
fn how(gate: Option<&Gate>) -> &'static str {
    match gate.map(Gate::way) {
        None | Some(Way::None) => "No sign-in is needed on this machine.",
        Some(Way::Token) => "Paste a token on the page.",
        Some(Way::Oidc) => "Open /api/v1/sign-in in a browser.",
        Some(Way::Proxy) => "Open Keelson through its proxy.",
    }
}
