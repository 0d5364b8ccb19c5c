//! The decision record: what was decided about one subject, what was considered, and what came of it.
//!
//! This is the product. Every feature fills the same record, so that one page can explain them together. A record is
//! complete on its own: names and numbers are copied in, because the objects they came from will be gone.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Action, DecisionId, Feature, Mode, ObjectRef, PlanId, Reason, Span, Timestamp};

/// The most causes a record names; [`Decision::cause_count`] tells how many there were.
pub const MAX_CAUSES: usize = 8;

/// What a feature decided about one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Sorts by the moment of decision.
    pub id: DecisionId,
    /// The moment it was made.
    pub at: Timestamp,
    /// The feature whose mind it was.
    pub feature: Feature,
    /// The controller or loop within the feature.
    pub controller: String,
    /// The mode it was made under; below Enforce the verb reads "would".
    pub mode: Mode,
    /// What it is about.
    pub subject: ObjectRef,
    /// What made the feature look.
    pub trigger: Trigger,
    /// The decisions that led here, at most [`MAX_CAUSES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<DecisionId>,
    /// How many decisions led here, named or not.
    #[serde(default)]
    pub cause_count: u32,
    /// What it is about besides its subject: the chosen node, the workload that owns the pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<ObjectRef>,
    /// What is done to the subject.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// One sentence for people.
    pub sentence: String,
    /// The chosen candidate's name, when one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The best few candidates and the nearest misses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// The numbers used, with their units in the text: `{"nodes": "102", "requested cpu": "500m"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// The plan that this decision is part of.
    pub plan: PlanId,
    /// How the plan's actions for this decision ended.
    pub outcome: Outcome,
    /// What is to be done, while that is not known to have ended: whoever comes next looks how each went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// What was done, step by step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What came of it, measured later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The leader's fencing number when it was made.
    pub fence: u64,
    /// The trace it belongs to: 32 hexadecimal digits, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_id: String,
    /// How long deciding took.
    pub took: Span,
    /// How often the same verdict was repeated, the first included.
    #[serde(default = "one")]
    pub count: u32,
    /// The moment of the last repeat.
    pub last_at: Timestamp,
}

const fn one() -> u32 {
    1
}

impl Decision {
    /// A decision as a decider writes it. What a decider cannot know is left open and filled in by the executor: ids, the
    /// mode, the fence, the trace. Its actions name it by [`Decision::id`], which is `n` in its plan.
    ///
    /// ```
    /// use keelson_core::{Decision, Feature, ObjectRef, Reason, Timestamp, Verb};
    /// let pod = ObjectRef::namespaced("Pod", "shop", "cart-0");
    /// let what = (Verb::Wait, Reason::SchedulingGated);
    /// let decision = Decision::new((Feature::Scheduling, "scheduler"), 0, pod, what, "It is held back.", Timestamp(0));
    /// assert_eq!(decision.sentence, "It is held back.");
    /// ```
    #[must_use]
    pub fn new(
        by: (Feature, &str),
        n: u128,
        subject: ObjectRef,
        what: (Verb, Reason),
        sentence: impl Into<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            id: DecisionId::nth(n),
            at: now,
            feature: by.0,
            controller: by.1.to_owned(),
            mode: Mode::Off,
            subject,
            trigger: Trigger::Timer,
            causes: Vec::new(),
            cause_count: 0,
            related: Vec::new(),
            verb: what.0,
            reason: what.1,
            sentence: sentence.into(),
            chosen: None,
            candidates: Vec::new(),
            inputs: BTreeMap::new(),
            plan: PlanId::UNNAMED,
            outcome: Outcome::NoAction,
            actions: Vec::new(),
            steps: Vec::new(),
            effect: None,
            fence: 0,
            trace_id: String::new(),
            took: Span::ZERO,
            count: 1,
            last_at: now,
        }
    }

    /// Says how its actions ended, or that nobody knows yet ([`Outcome::Pending`]).
    pub fn ended(&mut self, outcome: Outcome, steps: Vec<Step>) {
        (self.outcome, self.steps) = (outcome, steps);
        if outcome != Outcome::Pending {
            self.actions.clear();
        }
    }

    /// Everything it is about: the subject, then what is related to it.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        std::iter::once(&self.subject).chain(&self.related)
    }

    /// Whether `next` only repeats this verdict, so that the store folds it into this row.
    #[must_use]
    pub fn is_repeated_by(&self, next: &Self) -> bool {
        self.subject == next.subject
            && self.feature == next.feature
            && self.controller == next.controller
            && self.mode == next.mode
            && self.verb == next.verb
            && self.reason == next.reason
            && self.chosen == next.chosen
            && self.sentence == next.sentence
            && self.causes == next.causes
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }
        impl $name {
            /// Every one, in order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in labels and records.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What is done to the subject.
    Verb {
        /// A pod is bound to a node.
        Place = "Place",
        /// Pods of lower priority are evicted to make room for a pod, which waits until they are gone.
        Preempt = "Preempt",
        /// A pod is evicted because it would be placed better when it comes again.
        Move = "Move",
        /// Nothing can be done now; the subject waits.
        Wait = "Wait",
        /// The request is refused until it is changed.
        Refuse = "Refuse",
        /// Another actor's choice is compared with ours.
        Compare = "Compare",
        /// An object is told how it was read.
        Tell = "Tell",
        /// A setting is changed.
        Configure = "Configure",
    }
}

words! {
    /// How the actions of a decision ended.
    Outcome {
        /// There was nothing to do.
        NoAction = "NoAction",
        /// Recorded, not done: the mode, a pause or the breaker held it.
        Would = "Would",
        /// Under way; after a crash this is what remains.
        Pending = "Pending",
        /// Every action succeeded.
        Done = "Done",
        /// An action failed; the steps say which.
        Failed = "Failed",
    }
}

/// What made the feature look at the subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trigger {
    /// An object changed.
    Watch(ObjectRef),
    /// A deadline or a resync came due.
    Timer,
    /// A fact on the board changed.
    Fact(String),
    /// A person or a program asked.
    Request,
}

/// One thing that could have been chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name; a group of alike candidates reads "34 nodes in eu-west-1a".
    pub name: String,
    /// The weighted total; absent when it cannot be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// The parts of the total.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Score>,
    /// Every check it fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Check>,
}

/// One part of a candidate's total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The scorer, in the field's words: `NodeResourcesFit`.
    pub name: String,
    /// What it gave, 0 to 100.
    pub value: i64,
    /// What it counts in the total.
    pub weight: i64,
}

/// One check that a candidate fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The check, in the field's words: `NodeResourcesFit`.
    pub name: String,
    /// The sentence, with the numbers: "needs 500m cpu, 380m free: short 120m".
    pub text: String,
    /// How many candidates this row stands for.
    #[serde(default = "one")]
    pub nodes: u32,
}

/// One action of a decision and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it ended.
    pub at: Timestamp,
    /// What was done, for people: "bind Pod shop/cart-0 to node-3".
    pub action: String,
    /// How it went.
    pub result: StepResult,
    /// What the other side said, when it went wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

words! {
    /// How one action went.
    StepResult {
        /// Done now.
        Done = "Done",
        /// It was so already.
        Unchanged = "Unchanged",
        /// Recorded, not done.
        Would = "Would",
        /// Refused by somebody else's ownership or a precondition.
        Conflict = "Conflict",
        /// Failed; it will be tried again.
        Failed = "Failed",
        /// Held by the gate: disruption budget, pause or breaker.
        Held = "Held",
        /// Undone after a later action failed.
        Undone = "Undone",
    }
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// When it was measured.
    pub at: Timestamp,
    /// One sentence: "Running after 2.1 s; node-3 cpu requested at 61 % (said 60 %)".
    pub sentence: String,
    /// Whether it came as predicted; absent when nothing was predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_predicted: Option<bool>,
    /// The numbers, predicted and measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, String>,
}
