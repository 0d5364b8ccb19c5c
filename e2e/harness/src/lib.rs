//! A real Kubernetes cluster in namespaces of one machine, up in seconds, gone without a trace.
//!
//! Tests against a pretended API server prove little, and a shared cluster proves something different every day. Here
//! each suite gets an API server of its own, with pretended nodes for scale and real ones for what touches a node,
//! inside network and process namespaces that end with the test.
//!
//! Promises: nothing in a cluster has a route off this machine; when the test ends, panics or is killed, every process,
//! mount, cgroup and file of the cluster goes; two clusters never meet, for addresses and ports are private to each.
//!
//! ```no_run
//! use keelson_harness::{Cluster, Config};
//! let cluster = Cluster::start(Config { kwok_nodes: 10, ..Config::default() })?;
//! println!("{}", cluster.kubectl(&["get", "nodes"])?);
//! drop(cluster); // and nothing of it is left
//! # Ok::<(), anyhow::Error>(())
//! ```

pub mod access;
pub mod asked;
pub mod audit;
pub mod certificates;
pub mod cgroup;
pub mod cluster;
pub mod corpus;
pub mod dns;
pub mod expose;
pub mod faults;
pub mod helm;
pub mod node;
pub mod processor;
pub mod rbac;
pub mod request;
pub mod run;
pub mod runtime;
pub mod space;
pub mod stand_in;
pub mod tools;
pub mod traces;
pub mod used;
pub mod wait;

pub use cluster::{Cluster, Config};
pub use faults::{Backup, Component};
pub use request::Response;
pub use traces::Traces;
