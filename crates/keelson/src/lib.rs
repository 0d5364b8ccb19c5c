//! The one binary, as a library: what the command line does, for those who put the platform together elsewhere (the soak).
//!
//! | room | what it holds |
//! |---|---|
//! | [`cli`], [`commands`], [`client`], [`output`] | what can be said, and how answers look |
//! | [`platform`] | the controller, put together |
//! | [`up`], [`simulated`], [`controller`] | the ways to run it |
//! | [`backend`], [`tally`], [`page`], [`health`], [`probes`], [`extender`], [`sign_in`] | what it shows, and to whom |
//! | [`account`], [`handover`], [`permissions`], [`leases`], [`store`], [`sweep`], [`history`], [`cluster`], [`credentials`] | what it needs |

pub mod account;
pub mod backend;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod commands;
pub mod controller;
pub mod credentials;
pub mod extender;
pub mod handover;
pub mod health;
pub mod history;
mod https;
pub mod leases;
pub mod output;
pub mod page;
pub mod permissions;
pub mod platform;
pub mod probes;
pub mod sign_in;
pub mod simulated;
pub mod store;
pub mod sweep;
pub mod tally;
pub mod up;

/// The version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
