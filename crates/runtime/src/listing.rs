//! What is read now and then and not watched: kinds that can only be listed, such as those of `metrics.k8s.io`, and single
//! objects of others.
//!
//! An aggregated API is served by somebody beside the API server, who may be absent, come, or fall silent at any time.
//! Whoever reads it asks again and again, and is told which of these it is.
//!
//! Promises: an object that cannot be read is left out and named in the log, and never hides the others; what happens to
//! such an API says nothing about whether the API server answers.

use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::{Api, Resource};

use crate::Runtime;
use crate::cache::{Cached, Tolerant};

/// What was found.
#[derive(Debug, Clone)]
pub enum Listing<K> {
    /// These objects.
    Read(Vec<Arc<K>>),
    /// Nobody serves the kind; or there is no object of the name that was asked for.
    Absent,
    /// This process has no right to it, in the server's words.
    Forbidden(String),
    /// It cannot be read, in the server's words.
    Failed(String),
}

impl Runtime {
    /// Lists every object of a kind, now.
    pub async fn list<K: Cached>(&self) -> Listing<K> {
        let api: Api<Tolerant<K>> = Api::all(self.0.client.clone());
        match api.list(&ListParams::default()).await {
            Ok(list) => Listing::Read(list.items.into_iter().filter_map(Tolerant::read).collect()),
            Err(error) => Listing::failed(error),
        }
    }

    /// Reads one object, now.
    pub async fn look_up<K>(&self, namespace: &str, name: &str) -> Listing<K>
    where
        K: Cached + Resource<Scope = NamespaceResourceScope>,
    {
        let api: Api<K> = Api::namespaced(self.0.client.clone(), namespace);
        api.get(name).await.map_or_else(Listing::failed, |object| Listing::Read(vec![Arc::new(object)]))
    }
}

impl<K> Listing<K> {
    fn failed(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 404 => Self::Absent,
            kube::Error::Api(status) if status.code == 403 => Self::Forbidden(status.message),
            kube::Error::Api(status) => Self::Failed(status.message),
            error => Self::Failed(error.to_string()),
        }
    }
}
