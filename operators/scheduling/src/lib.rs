//! A second scheduler that explains itself.

pub mod fields;
