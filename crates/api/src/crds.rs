//! The definitions, as the API server wants them and as files.
//!
//! `deploy/crds` is generated from here (`cargo xtask generate`) and compared by `cargo xtask check`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::Platform;

/// Every definition of this version.
///
/// ```
/// let names: Vec<_> = keelson_api::crds::all().into_iter().filter_map(|crd| crd.metadata.name).collect();
/// assert_eq!(names, ["platforms.keelson.dev"]);
/// ```
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![Platform::crd()]
}
