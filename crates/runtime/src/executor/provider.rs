//! Who carries out what is not Kubernetes: orders to nodes, calls to a cloud.
//!
//! The payload is the feature's own type; the executor knows it by name alone.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use keelson_core::{ObjectRef, Payload, StepResult};
use serde_json::Value;

use super::Inner;
use super::act::Acted;

/// How a provider did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provided {
    /// Taken: what comes of it is observed later.
    Accepted,
    /// It was so already: the same key was taken before.
    Unchanged,
    /// Not taken, and why.
    Refused(String),
}

/// Carries out the payloads of one type.
#[async_trait]
pub trait Provider: Send + Sync {
    /// [`Payload::type_name`] of what it takes.
    fn type_name(&self) -> &'static str;

    /// Fires and returns. `key` is the same when a restarted process asks for the same again.
    async fn fire(&self, object: &ObjectRef, body: &Value, key: &str) -> Provided;
}

impl Inner {
    pub(super) async fn provide(&self, object: &ObjectRef, payload: &Payload, key: &str) -> Acted {
        let provider = {
            let providers = self.providers.read().unwrap_or_else(PoisonError::into_inner);
            providers.get(payload.type_name.as_str()).map(Arc::clone)
        };
        let Some(provider) = provider else {
            return Acted::new(
                StepResult::Failed,
                format!("nobody provides {}; register a provider", payload.type_name),
            );
        };
        match provider.fire(object, &payload.body, key).await {
            Provided::Accepted => Acted::new(StepResult::Done, ""),
            Provided::Unchanged => Acted::new(StepResult::Unchanged, ""),
            Provided::Refused(why) => Acted::new(StepResult::Failed, why),
        }
    }
}
