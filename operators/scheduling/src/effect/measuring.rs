//! What the node of a pod that runs uses, against the prediction.
//!
//! A measurement tells of a placement once its whole window lies after the pod began to run; until then only requests
//! do. Requests are what pods may use at most by their own word, so a node that uses less shows nothing wrong, and one
//! that uses more shows the prediction wrong.
//!
//! Promises: every effect of a pod that runs says what its node was measured to use or, that it tells of requests only,
//! and why.

use keelson_core::{DecisionId, Effect, Span, Timestamp};
use keelson_placement::Node;

use super::{Effects, PREDICTED, Placement, Seen, Shares, TOLERANCE, percent};
use crate::used::{Measured, NodeUse};

/// A pod that runs for this long has been measured, or will not be: by then the node has changed for other reasons.
const LONGEST: Span = Span::minutes(5);

impl Effects {
    /// Looks at new measurements: the effects that they tell.
    pub fn measured(&mut self, seen: &Seen, now: Timestamp) -> Vec<(DecisionId, Effect)> {
        let mut told = Vec::new();
        for (since, uid) in std::mem::take(&mut self.unmeasured) {
            let Some(ran) = self.ran.get(&uid) else { continue };
            let Placement { decision, node, .. } = &ran.open.placement;
            let measured = seen.used.of(node, now).ok().filter(|measured| measured.is_since(since));
            let Some((measured, member)) = measured.zip(seen.view.member(node)) else {
                self.unmeasured.push_back((since, uid));
                continue;
            };
            let effect =
                with_use(&ran.requested, &self.predicted(&ran.open, &member.node), &member.node, (measured, now));
            told.push((*decision, effect.clone()));
            if let Some(ran) = self.ran.get_mut(&uid) {
                ran.said = effect;
            }
        }
        told
    }

    /// Gives up those that run for too long without a measurement; the effects that say so.
    pub fn unmeasured(&mut self, used: &NodeUse, now: Timestamp) -> Vec<(DecisionId, Effect)> {
        let mut told = Vec::new();
        while self.unmeasured.front().is_some_and(|(since, _)| now.since(*since) >= LONGEST) {
            let Some(ran) = self.unmeasured.pop_front().and_then(|(_, uid)| self.ran.get_mut(&uid)) else { continue };
            let node = &ran.open.placement.node;
            let why = used.of(node, now).err().unwrap_or_else(|| format!("{node} was not measured since it runs"));
            let said = Effect { at: now, ..requests_only(&ran.requested, &why) };
            if said.sentence != ran.said.sentence {
                ran.said = said;
                told.push((ran.open.placement.decision, ran.said.clone()));
            }
        }
        told
    }
}

/// What is said of a pod that just began to run.
pub(super) fn not_yet(requested: &Effect, used: &NodeUse) -> Effect {
    match used.missing() {
        Some(missing) => requests_only(requested, &missing.to_string()),
        None => followed_by(requested, "So far told from requests only: not measured since it runs."),
    }
}

fn requests_only(requested: &Effect, why: &str) -> Effect {
    followed_by(requested, &format!("Told from requests only: {why}."))
}

fn followed_by(requested: &Effect, sentence: &str) -> Effect {
    Effect { sentence: format!("{} {sentence}", requested.sentence), ..requested.clone() }
}

fn with_use(requested: &Effect, predicted: &Shares, node: &Node, (measured, now): (&Measured, Timestamp)) -> Effect {
    let mut effect = Effect { at: now, ..requested.clone() };
    let mut ago = format!(" (measured {})", measured.ago(now));
    let mut said = Vec::new();
    for name in PREDICTED {
        let Some(share) = measured.share(&name, node.allocatable.get(&name)) else { continue };
        effect.figures.insert(format!("node {name} used"), percent(share));
        let mut words = format!("at {} {name}{}", percent(share), std::mem::take(&mut ago));
        if let Some(predicted) = predicted.get(&name) {
            effect.as_predicted = effect.as_predicted.map(|so_far| so_far && share <= predicted + TOLERANCE);
            words.push_str(&format!(", {} was predicted", percent(*predicted)));
        }
        said.push(words);
    }
    effect.sentence.push_str(&format!(" {} {}.", node.name, said.join("; ")));
    effect
}
