//! A real Kubernetes cluster in namespaces of one machine, up in seconds, gone without a trace.
//!
//! Tests against a pretended API server prove little, and a shared cluster proves something different every day. Here
//! each suite gets an API server of its own, inside network and process namespaces that end with the test.
//!
//! Promises: nothing in a cluster has a route off this machine; when the test ends, panics or is killed, the kernel
//! ends every process of the cluster; two clusters never meet, for addresses and ports are private to each.

pub mod cluster;
pub mod image;
pub mod space;
pub mod tools;
pub mod wait;

pub use cluster::{Cluster, Config, Traces};
