//! Step 8: what came of it.
//!
//! Scaling predicts that as many pods will be ready as were asked for. Later they are; or somebody else asks for another number
//! first; or they are still not there when patience ends.
//!
//! Promises: pure; every decision that acted gets one effect, while this process lives; a wrong prediction is shown as wrong; an
//! old picture of a Deployment is not taken for somebody else's wish; the memory is bounded by the Deployments there are.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use keelson_core::{DecisionId, Effect, ObjectRef, Span, Timestamp};

/// Pods that are not there by then are an effect too.
pub const PATIENCE: Span = Span::minutes(10);

/// A decision whose pods are waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaled {
    /// The decision.
    pub decision: DecisionId,
    /// How many pods were asked for before.
    pub before: i32,
    /// How many it asked for.
    pub wanted: i32,
    /// When.
    pub at: Timestamp,
}

/// The decisions whose pods are waited for, by Deployment.
#[derive(Debug, Clone, Default)]
pub struct Effects(BTreeMap<ObjectRef, Scaled>);

impl Effects {
    /// Follows a decision; an earlier one about the same Deployment has been overtaken.
    pub fn follow(&mut self, deployment: ObjectRef, scaled: Scaled) -> Option<(DecisionId, Effect)> {
        let (now, wanted) = (scaled.at, scaled.wanted);
        let before = self.0.insert(deployment, scaled)?;
        let sentence = format!("{wanted} were asked for before {} were ready.", before.wanted);
        Some((before.decision, effect(sentence, false, &before, now)))
    }

    /// The Deployments that are followed.
    #[must_use]
    pub fn followed(&self) -> Vec<ObjectRef> {
        self.0.keys().cloned().collect()
    }

    /// What is known of the decision about a Deployment now that it looks like this, or is gone.
    pub fn seen(&mut self, of: &ObjectRef, seen: Option<&Deployment>, now: Timestamp) -> Option<(DecisionId, Effect)> {
        let scaled = self.0.get(of)?;
        let (sentence, as_predicted) = match seen.filter(|seen| seen.metadata.uid.as_deref() == Some(of.uid.as_str())) {
            Some(seen) => judge(scaled, seen, now)?,
            None => (format!("It was deleted before {} were ready.", scaled.wanted), false),
        };
        let scaled = self.0.remove(of)?;
        Some((scaled.decision, effect(sentence, as_predicted, &scaled, now)))
    }
}

/// What a Deployment tells of the decision that scaled it; nothing while that is open.
fn judge(scaled: &Scaled, seen: &Deployment, now: Timestamp) -> Option<(String, bool)> {
    let took = now.since(scaled.at);
    let asked = seen.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = seen.status.clone().unwrap_or_default();
    let (there, ready) = (status.replicas.unwrap_or(0), status.ready_replicas.unwrap_or(0));
    let old = asked == scaled.before && took < PATIENCE;
    if asked != scaled.wanted && !old {
        Some((format!("Somebody else asked for {asked} after {took}, not {}.", scaled.wanted), false))
    } else if (there, ready) == (scaled.wanted, scaled.wanted) {
        Some((format!("{ready} ready after {took}, as asked for."), true))
    } else if took >= PATIENCE {
        Some((format!("{ready} of {} ready after {took}; {there} are there.", scaled.wanted), false))
    } else {
        None
    }
}

fn effect(sentence: String, as_predicted: bool, scaled: &Scaled, now: Timestamp) -> Effect {
    let figures = BTreeMap::from([("wanted".to_owned(), scaled.wanted.to_string())]);
    Effect { at: now, sentence, as_predicted: Some(as_predicted), figures }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    /// What is told of a decision at second 0 to go from 4 to 1, when the Deployment looks so at this second.
    fn told(second: i64, asked: i32, there: i32, ready: i32) -> Option<(String, bool)> {
        let (cart, start) = (ObjectRef::namespaced("Deployment", "shop", "cart").with_uid("1"), Timestamp(0));
        let mut effects = Effects::default();
        let scaled = Scaled { decision: DecisionId::nth(1), before: 4, wanted: 1, at: start };
        assert_eq!(effects.follow(cart.clone(), scaled), None);
        let status = json!({"replicas": there, "readyReplicas": ready});
        let spec = json!({"replicas": asked, "selector": {}, "template": {}});
        let seen = json!({"metadata": {"name": "cart", "uid": "1"}, "spec": spec, "status": status});
        let seen = serde_json::from_value(seen).unwrap();
        let (_, effect) = effects.seen(&cart, Some(&seen), start + Span::seconds(second))?;
        Some((effect.sentence, effect.as_predicted.unwrap()))
    }

    #[test]
    fn an_effect_is_told_when_it_is_known_and_a_wrong_prediction_is_shown_as_wrong() {
        for (second, asked, there, ready, expected) in [
            (1, 4, 4, 4, None),
            (1, 1, 4, 4, None),
            (9, 1, 1, 1, Some(("1 ready after 9 s, as asked for.", true))),
            (9, 3, 3, 3, Some(("Somebody else asked for 3 after 9 s, not 1.", false))),
            (600, 1, 4, 0, Some(("0 of 1 ready after 10 min; 4 are there.", false))),
            (600, 4, 4, 4, Some(("Somebody else asked for 4 after 10 min, not 1.", false))),
        ] {
            let expected = expected.map(|(sentence, as_predicted)| (sentence.to_owned(), as_predicted));
            assert_eq!(told(second, asked, there, ready), expected, "at {second} s");
        }
    }
}
