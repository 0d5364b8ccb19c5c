//! The embedded page.
//!
//! Built by `cargo xtask web` and compiled in; a debug build reads it from the disk, so that the page can be built again
//! while Keelson runs. Files under `assets/` carry a hash of their content in their name and are kept by browsers for
//! ever; everything else is asked for again, cheaply, by its ETag. A path that is no file is the page's own route.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::{ApiError, Category};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Dist;

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// Whatever no other route answers: a file of the page, the page itself, or a refusal.
pub async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let is_api = path == "api" || path.starts_with("api/");
    if is_api || !matches!(method, Method::GET | Method::HEAD) {
        return no_such_path(&method, &uri).into_response();
    }
    // A route of the page has no dot in its last part; a missing script must not be answered with HTML.
    let is_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    let found = match Dist::get(path) {
        Some(file) if !path.is_empty() => Some((file, path)),
        _ if is_file => None,
        _ => Dist::get("index.html").map(|file| (file, "index.html")),
    };
    match found {
        Some((file, path)) => answer(file, path, &headers),
        None => no_such_path(&method, &uri).into_response(),
    }
}

fn answer(file: EmbeddedFile, path: &str, asked: &HeaderMap) -> Response {
    // Weak, because the same file is also sent compressed.
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{hash}\"");
    let known = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let kind = HeaderValue::from_str(file.metadata.mimetype());
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { file.data.into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, if path.starts_with("assets/") { FOR_EVER } else { ASK_AGAIN });
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if let Ok(kind) = kind {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    response
}

fn no_such_path(method: &Method, uri: &Uri) -> ApiError {
    let path: String = uri.path().chars().take(128).collect();
    let fix = "The paths are listed in /api/v1/openapi.json.";
    ApiError::new(Category::NotFound, format!("nothing answers {method} {path}"), fix)
}

/// A path that exists, asked with a method it does not take.
pub async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(128).collect();
    let fix = "The paths and their methods are listed in /api/v1/openapi.json.";
    ApiError::new(Category::MethodNotAllowed, format!("{path} does not take {method}"), fix)
}
