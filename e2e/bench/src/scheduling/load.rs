//! Many objects at once.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Request;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

use crate::clock::now;

/// Requests under way at once.
const AT_ONCE: usize = 32;
/// Longest wait for objects to go.
const PATIENCE: Duration = Duration::from_secs(180);

/// Somebody who makes objects as fast as the API server takes them.
pub(super) struct Load {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Load {
    pub(super) fn at(kubeconfig: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let client = runtime.block_on(async {
            let read = Kubeconfig::read_from(kubeconfig)?;
            let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
            anyhow::Ok(Client::try_from(config)?)
        })?;
        Ok(Self { client, runtime })
    }

    /// Makes objects in a collection.
    pub(super) fn make(&self, collection: &str, all: impl IntoIterator<Item = Value>) -> Result<()> {
        let one = |body: Value| async move {
            let request = Request::post(collection).header("content-type", "application/json");
            self.client.request_text(request.body(serde_json::to_vec(&body)?)?).await?;
            anyhow::Ok(())
        };
        self.runtime.block_on(futures::stream::iter(all).map(one).buffer_unordered(AT_ONCE).try_collect::<()>())
    }

    /// Takes all objects of a collection away, and waits until they are gone.
    pub(super) fn clear(&self, collection: &str) -> Result<()> {
        let began = now();
        loop {
            let delete = Request::delete(format!("{collection}?gracePeriodSeconds=0")).body(Vec::new())?;
            // A deletion of many takes longer than the API server waits for it; it is asked again.
            let _ = self.runtime.block_on(self.client.request_text(delete));
            let left = Request::get(format!("{collection}?limit=1")).body(Vec::new())?;
            let left: Value = self.runtime.block_on(self.client.request(left))?;
            if left.get("items").and_then(Value::as_array).is_none_or(Vec::is_empty) {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "{collection} is not empty after {PATIENCE:?}");
        }
    }
}
