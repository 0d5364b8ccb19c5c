//! The page and its JSON API.
//!
//! Serves what the platform decided and why: JSON under `/api/v1`, one event stream, and the embedded page. It knows
//! neither Kubernetes nor any feature; the binary answers through [`Backend`].
//!
//! Promises: without a sign-in on loopback only, and always only under its own names (no DNS rebinding); nobody is told what
//! the cluster would not let them see; no other site can change a switch or read an answer; every input is bounded and
//! every refusal names the field and the fix; a slow reader costs nothing.
//!
//! | asked | answered |
//! |---|---|
//! | `GET /api/v1/overview`, `nodes` | what the platform is doing now |
//! | `GET /api/v1/decisions`, `decisions/{id}`, `decisions/export` | what was decided, why, and what followed |
//! | `GET /api/v1/subjects/{kind}/{namespace}/{name}`, `why/...` | why one object is as it is |
//! | `GET /api/v1/features/{feature}/preview`, `POST .../mode`, `.../pause`, `.../ask/{question}` | the switches |
//! | `POST /api/v1/whatif` | where a pod would go |
//! | `GET /api/v1/stream` | events: `hello`, `overview`, `nodes`, `decision`, `outcome`, `effect`, `reset` |
//! | `GET`, `POST`, `DELETE /api/v1/session`, `GET /api/v1/sign-in`, `.../callback` | signing in and out |
//! | `GET /api/v1/openapi.json` | all of this, exactly |
//! | anything else | the page |
//!
//! ```no_run
//! use std::sync::Arc;
//! use keelson_dashboard::{Backend, Options, ServeError, bind, serve};
//!
//! async fn show(platform: Arc<dyn Backend>, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
//!     let listener = bind(([127, 0, 0, 1], 8080).into()).await?;
//!     serve(listener, Options::loopback(8080), platform, stop).await
//! }
//! ```

pub mod access;
pub mod backend;
pub mod changes;
pub mod error;
pub mod schema;
pub mod tls;
pub mod view;

mod actions;
mod admit;
mod assets;
mod body;
mod connections;
mod cookies;
mod export;
mod guard;
mod listing;
mod openapi;
mod patient;
mod query;
mod reads;
mod recent;
mod serve;
mod session;
mod stream;
mod taken;

pub use access::{Access, Seen, SignIn};
pub use backend::{Audit, Backend, BackendError, Decisions, Needs};
pub use changes::{Change, ChangeLog, EffectChange, OutcomeChange, Subscription};
pub use connections::serve as serve_routes;
pub use openapi::openapi;
pub use serve::{Options, ServeError, bind, bind_anywhere, guarded_paths, router, serve};
pub use tls::Tls;
