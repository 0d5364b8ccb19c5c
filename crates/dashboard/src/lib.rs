//! The page and its JSON API.
//!
//! Serves what the platform decided and why: JSON under `/api/v1`, one event stream, and the embedded page. It knows
//! neither Kubernetes nor any feature; the binary answers through [`Backend`].
//!
//! Promises: loopback only, and only under its own name (no DNS rebinding); no other site can change a switch or read
//! an answer; every input is bounded and every refusal names the field and the fix; a slow reader costs nothing.

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
