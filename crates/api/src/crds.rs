//! The definitions, as the API server wants them and as files.
//!
//! `deploy/crds` is generated from here (`cargo xtask generate`) and compared by `cargo xtask check`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::{AppGroup, NetworkTopology, NodeNetwork, Platform};

/// Every definition of our own kinds.
///
/// ```
/// let names: Vec<_> = keelson_api::crds::own().into_iter().filter_map(|crd| crd.metadata.name).collect();
/// assert_eq!(names, ["platforms.keelson.dev", "nodenetworks.keelson.dev"]);
/// ```
#[must_use]
pub fn own() -> Vec<CustomResourceDefinition> {
    vec![Platform::crd(), NodeNetwork::crd()]
}

/// Diktyo's kinds, for clusters that have them from nobody else.
#[must_use]
pub fn diktyo() -> Vec<CustomResourceDefinition> {
    vec![AppGroup::crd(), NetworkTopology::crd()]
}

/// All of them.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    own().into_iter().chain(diktyo()).collect()
}
