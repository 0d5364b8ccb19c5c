//! Many objects at once, and all of them back.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use futures::StreamExt;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

/// Requests under way at once.
const AT_ONCE: usize = 32;

/// An API server, in plain JSON.
pub struct Load {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Load {
    /// That of a kubeconfig.
    pub fn at(kubeconfig: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let read = Kubeconfig::read_from(kubeconfig).unwrap();
            Client::try_from(kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap())
        });
        Self { client: client.unwrap(), runtime }
    }

    /// Sends every body to its path; how each went.
    pub fn send(&self, method: &str, all: impl IntoIterator<Item = (String, Value)>) -> Vec<Result<Value, String>> {
        self.send_in_turn(method, all.into_iter().map(|one| vec![one]))
    }

    /// The same of several at once, each of which is sent in turn; how the last went.
    pub fn send_in_turn(
        &self,
        method: &str,
        all: impl IntoIterator<Item = Vec<(String, Value)>>,
    ) -> Vec<Result<Value, String>> {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let in_turn = |calls: Vec<(String, Value)>| {
            let (client, method) = (self.client.clone(), method.to_owned());
            async move {
                let mut last = Ok(Value::Null);
                for (path, body) in calls {
                    let request = http::Request::builder().method(method.as_str()).uri(&path);
                    let request =
                        request.header("content-type", kind).body(serde_json::to_vec(&body).unwrap()).unwrap();
                    last = client.request::<Value>(request).await.map_err(|error| format!("{method} {path}: {error}"));
                }
                last
            }
        };
        self.runtime.block_on(futures::stream::iter(all).map(in_turn).buffered(AT_ONCE).collect())
    }

    /// Makes objects in a collection.
    pub fn make(&self, collection: &str, all: impl IntoIterator<Item = Value>) {
        for made in self.send("POST", all.into_iter().map(|one| (collection.to_owned(), one))) {
            made.unwrap();
        }
    }

    /// All objects of a collection.
    pub fn list(&self, collection: &str) -> Vec<Value> {
        let request = http::Request::get(collection).body(Vec::new()).unwrap();
        let mut list: Value = self.runtime.block_on(self.client.request(request)).unwrap();
        list["items"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }
}
