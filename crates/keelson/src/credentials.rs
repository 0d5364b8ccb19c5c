//! Certificates that are replaced while we run.
//!
//! A client reads the authority's certificate, its own and its key once. All three are replaced in time, in files, and a
//! process that runs for months must not be the one that nobody can reach when the old ones end. (Tokens in files kube reads
//! again by itself, within a minute.)
//!
//! Promises: a file that changed is seen within five seconds, and what is asked from then on is asked with it; what cannot be
//! read changes nothing but the log; nobody waits for the look but who makes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use http::Request;
use kube::Client;
use kube::client::Body;
use kube::config::Kubeconfig;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower::{BoxError, service_fn};

/// How often the files are looked at.
const AGAIN: Duration = Duration::from_secs(5);
/// Where a pod finds the authority of its API server.
const IN_CLUSTER: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// Files, and how they were when they were last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Files {
    /// What a pod is given.
    #[must_use]
    pub fn in_cluster() -> Self {
        Self::now([PathBuf::from(IN_CLUSTER)])
    }

    /// A kubeconfig and what it names, but for tokens.
    #[must_use]
    pub fn of(kubeconfig: &Kubeconfig, read_from: &[PathBuf]) -> Self {
        let authorities =
            kubeconfig.clusters.iter().filter_map(|named| named.cluster.as_ref()?.certificate_authority.as_ref());
        let people = kubeconfig.auth_infos.iter().filter_map(|named| named.auth_info.as_ref());
        let own = people.flat_map(|person| [&person.client_certificate, &person.client_key]).flatten();
        Self::now(read_from.iter().cloned().chain(authorities.chain(own).map(PathBuf::from)))
    }

    fn now(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().map(|path| (path.clone(), stamp(&path))).collect())
    }

    fn changed(&self) -> bool {
        self.0.iter().any(|(path, then)| stamp(path) != *then)
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

/// A client, and the files it was made from.
pub type Made = (Client, Files);

/// Makes a client from the files as they are.
pub trait Make: Fn() -> futures::future::BoxFuture<'static, Result<Made>> + Send + Sync + 'static {}
impl<F: Fn() -> futures::future::BoxFuture<'static, Result<Made>> + Send + Sync + 'static> Make for F {}

struct Fresh<M> {
    make: M,
    client: RwLock<Client>,
    looked: Mutex<(Instant, Files)>,
}

/// A client that is made again when its files have changed.
///
/// # Errors
/// When the first cannot be made.
pub async fn fresh(make: impl Make) -> Result<Client> {
    let (client, files) = make().await?;
    let namespace = client.default_namespace().to_owned();
    let looked = Mutex::new((Instant::now(), files));
    let fresh = Arc::new(Fresh { make, client: RwLock::new(client), looked });
    let service = service_fn(move |request: Request<Body>| {
        let fresh = Arc::clone(&fresh);
        async move { fresh.client().await.send(request).await.map_err(BoxError::from) }
    });
    Ok(Client::new(service, namespace))
}

impl<M: Make> Fresh<M> {
    async fn client(&self) -> Client {
        if let Ok(mut looked) = self.looked.try_lock()
            && looked.0.elapsed() >= AGAIN
        {
            looked.0 = Instant::now();
            if looked.1.changed() {
                self.again(&mut looked.1).await;
            }
        }
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn again(&self, files: &mut Files) {
        match (self.make)().await {
            Ok((client, read)) => {
                tracing::info!("the certificates or the kubeconfig have changed, and were read again");
                *files = read;
                *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
            }
            Err(error) => tracing::warn!("changed certificates cannot be read, the old ones are used: {error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A client that nobody answers, and how often one was made.
    fn counted(file: PathBuf) -> (impl Make, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let make = move || -> futures::future::BoxFuture<'static, Result<Made>> {
            let (file, count) = (file.clone(), Arc::clone(&count));
            Box::pin(async move {
                let text = fs::read_to_string(&file)?;
                anyhow::ensure!(text != "broken", "{text}");
                count.fetch_add(1, Ordering::SeqCst);
                let nobody = service_fn(|_: Request<Body>| async {
                    Err::<http::Response<Body>, BoxError>("nobody answers".into())
                });
                Ok((Client::new(nobody, "default"), Files::now([file])))
            })
        };
        (make, made)
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_changed_is_read_again_and_what_is_broken_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        fs::write(&file, "one").unwrap();
        let (make, made) = counted(file.clone());
        let client = fresh(make).await.unwrap();
        let ask = async || {
            tokio::time::sleep(AGAIN).await;
            let asked = client.send(Request::new(Body::empty())).await;
            assert!(asked.is_err());
            made.load(Ordering::SeqCst)
        };
        assert_eq!((ask().await, ask().await), (1, 1), "nothing has changed");
        fs::write(&file, "another").unwrap();
        assert_eq!((ask().await, ask().await), (2, 2));
        fs::write(&file, "broken").unwrap();
        assert_eq!(ask().await, 2, "what cannot be read is left alone");
        fs::write(&file, "mended").unwrap();
        assert_eq!(ask().await, 3);
    }
}
