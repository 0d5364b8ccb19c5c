//! Keelson's Kubernetes types.
//!
//! | room | what it holds |
//! |---|---|
//! | [`platform`] | the `Platform` object: mode and settings of each feature, and their status |
//! | [`node_network`] | what a node's interface carries, and how busy it is |
//! | [`diktyo`] | AppGroup and NetworkTopology, which others defined |
//! | [`conditions`] | how a list of conditions is changed without writing when nothing changed |
//! | [`names`] | labels, annotations, finalizers, field managers |
//! | [`crds`] | the definitions as the API server wants them, and as files |

pub mod conditions;
pub mod crds;
pub mod diktyo;
pub mod names;
pub mod node_network;
pub mod platform;

pub use diktyo::{AppGroup, NetworkTopology};
pub use node_network::NodeNetwork;
pub use platform::{Platform, PlatformSpec, PlatformStatus};
