//! What nodes use, as `metrics.k8s.io` measures it.
//!
//! Requests say what a node may be asked for, measurements what it does. The API is optional and may fall silent; what it
//! said last is believed for [`STALE`], and after that whoever asks is told why there is nothing.
//!
//! Promises: an old or missing measurement is never taken for zero use; a node that nobody measured has none, whatever
//! is known of the others.

use std::collections::BTreeMap;

use keelson_core::{ResourceName, Resources, Span, Timestamp};
use keelson_runtime::Fact;

/// A measurement older than this says nothing about now: metrics-server measures every 15 s, every 60 s at the slowest
/// that is recommended, and is asked every 30 s.
pub const STALE: Span = Span::minutes(2);

/// The newest measurements of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeUse {
    /// By the node's name; told as their number.
    nodes: BTreeMap<String, Measured>,
    /// Why nothing new is heard, when nothing is.
    missing: Option<Missing>,
}

/// One measurement of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The end of the window in which it was measured.
    pub at: Timestamp,
    /// How long the window was.
    pub window: Span,
    /// The mean use.
    pub amounts: Resources,
}

/// Why nothing new is heard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// It was not asked yet.
    #[error("metrics.k8s.io was not asked yet")]
    NotAsked,
    /// Nobody serves it.
    #[error("the cluster does not serve metrics.k8s.io; install metrics-server")]
    Absent,
    /// It cannot be read.
    #[error("metrics.k8s.io cannot be read: {0}")]
    Failed(String),
}

impl Fact for NodeUse {
    const NAME: &'static str = "NodeUse";

    fn told(&self) -> String {
        let missing = self.missing.as_ref().map(|missing| format!(" Nothing new is heard: {missing}."));
        format!("What {} nodes use was measured.{}", self.nodes.len(), missing.unwrap_or_default())
    }
}

impl Default for NodeUse {
    fn default() -> Self {
        Self { nodes: BTreeMap::new(), missing: Some(Missing::NotAsked) }
    }
}

impl NodeUse {
    /// Takes in an answer: every node that is measured, or why it could not be heard.
    pub fn heard(&mut self, answer: Result<BTreeMap<String, Measured>, Missing>) {
        match answer {
            Ok(nodes) => *self = Self { nodes, missing: None },
            Err(missing) => self.missing = Some(missing),
        }
    }

    /// Why nothing new is heard, when nothing is.
    #[must_use]
    pub const fn missing(&self) -> Option<&Missing> {
        self.missing.as_ref()
    }

    /// The measurement of a node.
    ///
    /// # Errors
    /// Why there is none that says anything about now.
    pub fn of(&self, node: &str, now: Timestamp) -> Result<&Measured, String> {
        let why = |otherwise: String| self.missing.as_ref().map_or(otherwise, ToString::to_string);
        let measured = self.nodes.get(node).ok_or_else(|| why(format!("metrics.k8s.io does not measure {node}")))?;
        let age = now.since(measured.at);
        if age > STALE { Err(why(format!("the last measurement of {node} is {age} old"))) } else { Ok(measured) }
    }
}

impl Measured {
    /// How old it is, in whole seconds: `12 s ago`.
    #[must_use]
    pub fn ago(&self, now: Timestamp) -> String {
        match now.since(self.at).0 / 1_000_000 {
            0 => "just now".to_owned(),
            seconds => format!("{} ago", Span::seconds(seconds)),
        }
    }

    /// Whether all of its window is after a moment.
    #[must_use]
    pub fn is_since(&self, moment: Timestamp) -> bool {
        moment + self.window <= self.at
    }

    /// The use of what is allocatable, in thousandths; nothing where nothing is measured or allocatable.
    #[must_use]
    pub fn share(&self, name: &ResourceName, allocatable: i64) -> Option<i64> {
        let used = self.amounts.iter().find(|(measured, _)| *measured == name).map(|(_, used)| used)?;
        let share = (i128::from(used) * 1_000).checked_div(i128::from(allocatable.max(0)))?;
        i64::try_from(share).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn measured(seconds: i64) -> BTreeMap<String, Measured> {
        let amounts = Resources::new().with(ResourceName::Cpu, 630);
        let at = Timestamp(0) + Span::seconds(seconds);
        BTreeMap::from([("n1".to_owned(), Measured { at, window: Span::seconds(15), amounts })])
    }

    #[test]
    fn what_was_measured_is_believed_for_two_minutes_and_then_it_is_said_why_not() {
        let mut used = NodeUse::default();
        let at = |seconds| Timestamp(0) + Span::seconds(seconds);
        assert_eq!(used.of("n1", at(0)).unwrap_err(), "metrics.k8s.io was not asked yet");
        used.heard(Ok(measured(60)));
        let ago = |seconds| used.of("n1", at(seconds)).unwrap().ago(at(seconds));
        assert_eq!((ago(60).as_str(), ago(72).as_str()), ("just now", "12 s ago"));
        assert_eq!(used.of("n2", at(72)).unwrap_err(), "metrics.k8s.io does not measure n2");
        assert_eq!(used.of("n1", at(240)).unwrap_err(), "the last measurement of n1 is 3 min old");
        used.heard(Err(Missing::Absent));
        assert!(used.of("n1", at(90)).is_ok(), "what was said last is still new");
        assert!(used.of("n1", at(240)).unwrap_err().contains("does not serve metrics.k8s.io"));
        used.heard(Err(Missing::Failed("nodes.metrics.k8s.io is forbidden".into())));
        assert!(used.of("n1", at(240)).unwrap_err().ends_with("nodes.metrics.k8s.io is forbidden"));
    }

    #[test]
    fn shares_are_of_what_is_allocatable_and_never_made_up() {
        let nodes = measured(0);
        let share = |name, allocatable| nodes["n1"].share(&name, allocatable);
        assert_eq!((share(ResourceName::Cpu, 1_000), share(ResourceName::Memory, 1_000)), (Some(630), None));
        assert_eq!(share(ResourceName::Cpu, 0), None);
    }

    #[test]
    fn a_window_that_began_earlier_tells_of_earlier() {
        let nodes = measured(60);
        let since = |seconds| nodes["n1"].is_since(Timestamp(0) + Span::seconds(seconds));
        assert!(since(45) && !since(46));
    }
}
