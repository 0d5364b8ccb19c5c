//! A second scheduler that explains itself.

pub mod fields;
pub mod queue;
