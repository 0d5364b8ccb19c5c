//! The reconcile framework.
//!
//! What every operator would otherwise write for itself, once and right. Its pure parts are state machines that are
//! handed the time and can be tested to the microsecond; around them, one thread and tokio's clock are enough to run it
//! all, so that a simulated day is a function of its seed.
//!
//! | room | what it promises |
//! |---|---|
//! | [`clock`], [`chance`] | time and randomness, handed in |
//! | [`cache`] | one shared copy of each kind, whatever is in it |
//! | [`listing`] | what can be listed and not watched, while somebody serves it |
//! | [`switch`] | what each feature may do now |
//! | [`controller`], [`queue`], [`backoff`] | urgent keys first, namespaces in turn, failures spaced out |
//! | [`executor`], [`history`] | a decision is recorded before its actions start |
//! | [`gate`], [`breaker`] | nobody takes away too much, and who does harm is stopped |
//! | [`elector`] | one leader, without trusting another machine's clock, and a fencing number for each |
//! | [`facts`], [`answers`] | what features tell one another, and people |
//! | [`operator`], [`permissions`] | what a feature is and what it needs |
//! | [`spawn`], [`reach`], [`health`] | what runs, and how it is doing |
//! | [`calls`] | every request to the API server is counted, whoever makes it |

pub mod answers;
pub mod backoff;
mod bounded;
pub mod breaker;
pub mod cache;
pub mod calls;
pub mod chance;
pub mod clock;
pub mod config;
pub mod controller;
pub mod elector;
mod events;
pub mod executor;
pub mod facts;
pub mod gate;
pub mod health;
pub mod history;
mod lease;
pub mod listing;
mod mandate;
mod metrics;
pub mod operator;
pub mod permissions;
mod platform;
pub mod queue;
pub mod reach;
mod runtime;
mod shutdown;
pub mod spawn;
mod status;
pub mod switch;
pub mod user_agent;
pub mod watch;

pub use answers::{Access, AnswerError, Answers};
pub use cache::{Cache, Cached, Content, Delta, Extract, Subscription};
pub use calls::Calls;
pub use chance::Chance;
pub use clock::Clock;
pub use config::{Config, StartError};
pub use controller::{Controller, Inbox, Options, assert_pure};
pub use executor::{Executor, Overtaken, Provided, Provider, Report};
pub use facts::{Fact, Facts};
pub use health::Health;
pub use history::{History, HistoryError, MemoryHistory};
pub use listing::Listing;
pub use metrics::{METRICS, Meter};
pub use operator::{Listener, Operator, Reply, Running};
pub use permissions::{Permissions, Rule, Scope};
pub use platform::read_file as read_platform_file;
pub use prometheus_client::metrics::gauge::Gauge;
pub use runtime::Runtime;
pub use spawn::Task;
pub use switch::Switch;
