//! The page and its JSON API.
//!
//! Serves what the platform decided and why: JSON under `/api/v1`, one event stream, and the embedded page. It knows
//! neither Kubernetes nor any feature; the binary answers through [`Backend`].
//!
//! Promises: loopback only, and only under its own name (no DNS rebinding); no other site can change a switch or read
//! an answer; every input is bounded and every refusal names the field and the fix; a slow reader costs nothing.
//!
//! | asked | answered |
//! |---|---|
//! | `GET /api/v1/overview`, `nodes` | what the platform is doing now |
//! | `GET /api/v1/decisions`, `decisions/{id}`, `decisions/export` | what was decided, why, and what followed |
//! | `GET /api/v1/subjects/{kind}/{namespace}/{name}`, `why/...` | why one object is as it is |
//! | `GET /api/v1/features/{feature}/preview`, `POST .../mode`, `.../pause`, `.../ask/{question}` | the switches |
//! | `GET /api/v1/stream` | events: `hello`, `overview`, `nodes`, `decision`, `outcome`, `effect`, `reset` |
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

pub mod backend;
pub mod changes;
pub mod error;
pub mod schema;
pub mod view;

mod actions;
mod assets;
mod body;
mod export;
mod guard;
mod openapi;
mod query;
mod reads;
mod recent;
mod serve;
mod stream;

pub use backend::{Backend, BackendError, Decisions};
pub use changes::{Change, ChangeLog, EffectChange, OutcomeChange, Subscription};
pub use openapi::openapi;
pub use serve::{Options, ServeError, bind, router, serve};
