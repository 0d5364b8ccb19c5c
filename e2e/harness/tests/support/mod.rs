//! What tests of an installed Keelson need beside a cluster.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod installed;
pub mod postgres;
