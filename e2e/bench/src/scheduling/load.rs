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
            let some = Request::get(format!("{collection}?limit=1000")).body(Vec::new())?;
            let some: Value = self.runtime.block_on(self.client.request(some))?;
            let left = some.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "{collection} is not empty after {PATIENCE:?}");
            let name = |one: &Value| one.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
            let names: Vec<String> = left.iter().filter_map(name).collect();
            let delete =
                |name: String| Request::delete(format!("{collection}/{name}?gracePeriodSeconds=0")).body(Vec::new());
            let all: Vec<_> = names.into_iter().map(delete).collect::<Result<_, _>>()?;
            // Somebody else may have been faster; who is left is seen in the next round.
            let deleted = futures::stream::iter(all).map(|one| self.client.request_text(one)).buffer_unordered(AT_ONCE);
            self.runtime.block_on(deleted.for_each(|_| async {}));
        }
    }
}
