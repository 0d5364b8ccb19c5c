//! What one caller is shown of an answer.
//!
//! Promises: an object's decisions are shown to those who may `get` it; of what is shown, other objects in namespaces that
//! they may not see are left out; a chain of causes ends where they may not look further.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use futures::{StreamExt, TryStreamExt, stream};
use http::request::Parts;
use keelson_core::{Decision, ObjectRef, Trigger};
use tokio::time::Instant;

use super::gate::{Gate, Proof};
use super::{Caller, Right, Seen};
use crate::backend::Backend;
use crate::error::{ApiError, Category};

/// How long a set of namespaces holds.
const SEEN_FOR: Duration = Duration::from_secs(5);
/// The most namespaces that are asked about for one caller: who may see more, may see all.
const MAX_NAMESPACES: usize = 1_000;
/// How many of them are asked about at a time.
const AT_ONCE: usize = 8;

/// Whoever is asking; where nobody signs in, whoever is on this machine.
#[derive(Clone)]
pub struct Viewer(Option<Known>);

#[derive(Clone)]
struct Known {
    gate: Arc<Gate>,
    caller: Arc<Caller>,
    proof: Proof,
}

impl Viewer {
    pub(crate) const fn anybody() -> Self {
        Self(None)
    }

    pub(super) const fn known(gate: Arc<Gate>, caller: Arc<Caller>, proof: Proof) -> Self {
        Self(Some(Known { gate, caller, proof }))
    }

    /// Who it is, where people sign in.
    pub(crate) fn caller(&self) -> Option<&Arc<Caller>> {
        self.0.as_ref().map(|known| &known.caller)
    }

    /// The name in the record.
    pub(crate) fn name(&self) -> &str {
        self.0.as_ref().map_or("the page", |known| &known.caller.user)
    }

    /// Whether the caller may do something.
    pub(crate) async fn may(&self, right: &Right) -> Result<bool, ApiError> {
        let Some(Known { gate, caller, .. }) = &self.0 else { return Ok(true) };
        // Who may everywhere, is asked about once for all namespaces.
        if let Some(wide) = right.everywhere()
            && gate.allows(caller, &wide).await?
        {
            return Ok(true);
        }
        gate.allows(caller, right).await
    }

    /// Refuses what the caller may not do.
    pub(crate) async fn must(&self, right: &Right) -> Result<(), ApiError> {
        if self.may(right).await? {
            return Ok(());
        }
        let message = format!("{} may not {right}", self.name());
        Err(ApiError::new(Category::Forbidden, message, "Ask for a role that allows it; see docs/sign-in.md."))
    }

    /// Whether the caller may see what is decided about an object.
    pub(crate) async fn sees(&self, object: &ObjectRef) -> Result<bool, ApiError> {
        if self.0.is_none() {
            return Ok(true);
        }
        match Right::to_see(object) {
            Some(right) => self.may(&right).await,
            None => Ok(false),
        }
    }

    /// The namespaces whose pods the caller may see, among those that the platform tells about.
    pub(crate) async fn seen(&self, backend: &dyn Backend) -> Result<Seen, ApiError> {
        let Some(Known { gate, caller, .. }) = &self.0 else { return Ok(Seen::Everything) };
        let now = Instant::now();
        if let Some(seen) = gate.seen.get(caller, now) {
            return Ok(seen);
        }
        let seen = if gate.allows(caller, &Right::pods("")).await? {
            Seen::Everything
        } else {
            let namespaces = stream::iter(backend.namespaces().into_iter().take(MAX_NAMESPACES));
            let asked = namespaces.map(|namespace| async move {
                let allowed = gate.allows(caller, &Right::pods(&namespace)).await?;
                Ok::<_, ApiError>(allowed.then_some(namespace))
            });
            let found: Vec<_> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
            Seen::Only(Arc::new(found.into_iter().flatten().collect()))
        };
        gate.seen.put(Arc::clone(caller), seen.clone(), now, SEEN_FOR);
        Ok(seen)
    }

    /// A decision as the caller may see it, if at all.
    pub(crate) async fn shown(&self, mut decision: Decision) -> Result<Option<Decision>, ApiError> {
        if self.0.is_none() {
            return Ok(Some(decision));
        }
        if !self.sees(&decision.subject).await? {
            return Ok(None);
        }
        let mut related = Vec::with_capacity(decision.related.len());
        for object in std::mem::take(&mut decision.related) {
            if self.may_name(&object).await? {
                related.push(object);
            }
        }
        decision.related = related;
        if let Trigger::Watch(object) = &decision.trigger
            && !self.may_name(object).await?
        {
            let hidden = ObjectRef { kind: object.kind.clone(), name: "(hidden)".to_owned(), ..ObjectRef::default() };
            decision.trigger = Trigger::Watch(hidden);
        }
        Ok(Some(decision))
    }

    /// Those of some decisions that the caller may see.
    pub(crate) async fn all_shown(&self, decisions: Vec<Decision>) -> Result<Vec<Decision>, ApiError> {
        let mut shown = Vec::with_capacity(decisions.len());
        for decision in decisions {
            shown.extend(self.shown(decision).await?);
        }
        Ok(shown)
    }

    /// Whether an object may be named beside a decision that is shown. What is in no namespace may: a pod names its node.
    async fn may_name(&self, object: &ObjectRef) -> Result<bool, ApiError> {
        Ok(object.namespace.is_empty() || self.sees(object).await?)
    }

    /// Whether the caller is still who they were, and still let in.
    pub(crate) async fn still(&self) -> Result<(), ApiError> {
        let Some(Known { gate, caller, proof }) = &self.0 else { return Ok(()) };
        gate.still(caller, proof).await?;
        self.must(&Right::door()).await
    }

    /// Whether a stream must end after a while, because only the proxy in front knows whether they are still let in.
    pub(crate) const fn is_vouched_for(&self) -> bool {
        matches!(&self.0, Some(Known { proof: Proof::Proxy, .. }))
    }
}

/// What the gate in front of every route of the API put into the request. Without it, nobody is let in.
impl<S: Send + Sync> FromRequestParts<S> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(super::gate::nobody)
    }
}
