//! What is asked for and not followed: kinds that can be listed and not watched, such as those of `metrics.k8s.io`, and single
//! objects that may be read by their name alone.
//!
//! An aggregated API is served by somebody beside the API server, who may be absent, come, or fall silent at any time.
//! Whoever reads it asks again and again, and is told which of these it is.
//!
//! Promises: an object that cannot be read is left out and named in the log, and never hides the others; what happens to
//! such an API says nothing about whether the API server answers.

use std::sync::Arc;

use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};

use crate::Runtime;
use crate::cache::{Cached, Tolerant};

/// What was found.
#[derive(Debug, Clone)]
pub enum Listing<K> {
    /// These objects.
    Read(Vec<Arc<K>>),
    /// Nobody serves the kind.
    Absent,
    /// It cannot be read, in the server's words.
    Failed(String),
}

/// What was found of one object.
#[derive(Debug, Clone)]
pub enum Found<K> {
    /// This.
    Read(K),
    /// There is none of this name.
    Absent,
    /// This process has no right to it.
    Forbidden,
    /// It cannot be read, in the server's words.
    Failed(String),
}

impl Runtime {
    /// Asks for one object that nobody follows, now.
    pub async fn find<K>(&self, namespace: &str, name: &str) -> Found<K>
    where
        K: Cached + Resource<Scope = NamespaceResourceScope>,
    {
        let api: Api<K> = Api::namespaced(self.0.client.clone(), namespace);
        match api.get(name).await {
            Ok(object) => Found::Read(object),
            Err(kube::Error::Api(status)) if status.code == 404 => Found::Absent,
            Err(kube::Error::Api(status)) if status.code == 403 => Found::Forbidden,
            Err(kube::Error::Api(status)) => Found::Failed(status.message),
            Err(error) => Found::Failed(error.to_string()),
        }
    }

    /// Lists every object of a kind, now.
    pub async fn list<K: Cached>(&self) -> Listing<K> {
        let api: Api<Tolerant<K>> = Api::all(self.0.client.clone());
        match api.list(&ListParams::default()).await {
            Ok(list) => Listing::Read(list.items.into_iter().filter_map(Tolerant::read).collect()),
            Err(kube::Error::Api(status)) if status.code == 404 => Listing::Absent,
            Err(kube::Error::Api(status)) => Listing::Failed(status.message),
            Err(error) => Listing::Failed(error.to_string()),
        }
    }
}
