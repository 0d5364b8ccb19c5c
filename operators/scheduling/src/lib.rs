//! A second scheduler that explains itself.
//!
//! Pods that name it are placed by the same rules as kube-scheduler's, with every node scored, and every placement and
//! every failure is a decision with its candidates, scores and shortfalls. What it does not implement it refuses by name.
//! In Observe it places nothing and says, for the pods that others bind, what it would have chosen.
//!
//! | room | what it holds |
//! |---|---|
//! | [`fields`] | which pod fields are understood: the table |
//! | [`queue`] | who is next, and who waits for what |
//! | [`decide`] | where a pod goes, and why |
//! | [`observe`] | what would have been chosen |
//! | [`effect`] | what came of it |
//! | [`mind`] | all of it together, as one state machine |
//! | [`operator`] | the loop around it, and the questions it answers |
//! | [`recording`] | what a decision saw, to decide again |

pub mod decide;
pub mod effect;
pub mod fields;
pub mod mind;
pub mod observe;
pub mod operator;
pub mod queue;
pub mod recording;

pub use operator::Scheduling;
