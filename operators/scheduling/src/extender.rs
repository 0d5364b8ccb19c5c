//! Keelson beside kube-scheduler: what it answers as a scheduler extender.
//!
//! kube-scheduler keeps its queue, its checks and its choice, and asks over HTTP which of its nodes can hold a pod, how good
//! they are, whether an eviction it thinks of would help, and to bind. Each answer comes from the same engine and the same
//! view of the cluster as Keelson's own placements.
//!
//! | room | what it holds |
//! |---|---|
//! | [`protocol`] | questions and answers as data |
//! | [`judge`] | what is answered, and the decision that tells of it |
//!
//! Promises: a node that was not asked about is never named; one that is not known is refused with a reason, not left
//! out; below Enforce, while paused, and for a pod that uses what is not implemented every node passes with the same score,
//! and a decision says so.

pub mod judge;
pub mod protocol;

#[cfg(test)]
mod tests;
