//! The API as a client meets it: every route, every refusal, the stream, and who is let in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bounds;
mod changing;
mod document;
mod encrypted;
mod fake;
mod guarding;
mod guests;
mod page;
mod properties;
mod reading;
mod seeing;
mod served;
mod serving;
mod signing;
mod streaming;
