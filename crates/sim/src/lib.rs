//! A Kubernetes cluster in a process.
//!
//! The outside world of Keelson: an API double that real clients talk to, and behind it the kubelets, controllers and
//! faults that make a cluster behave like one. Everything is one state machine over time that is handed in, so a run is
//! a pure function of its seed.
//!
//! | room | what it promises |
//! |---|---|
//! | [`clock`] | the cluster's time: virtual in tests, scaled for people |
//! | [`api`] | the Kubernetes API as a state machine: requests and moments in, answers out |
//! | [`face`] | the ways in: a tower service for clients in the process, HTTP for everyone else; and what goes wrong there |
//! | [`objects`] | how a simulated component sees and changes the cluster |
//! | [`tree`] | JSON trees whose copies share what they have in common |
//!
//! ```
//! use keelson_core::Timestamp;
//! use keelson_sim::{api::{Api, Config}, clock::Clock, face::{Shared, tower::Face}};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), kube::Error> {
//! let cluster = Shared::new(Api::new(Config::default()), Clock::start(Timestamp(0), 1));
//! let client = kube::Client::new(Face::new(cluster), "default");
//! assert_eq!(client.apiserver_version().await?.minor, "36");
//! # Ok(())
//! # }
//! ```

pub mod api;
pub mod apps;
pub mod clock;
pub mod face;
pub mod objects;
pub mod tree;
pub mod world;
