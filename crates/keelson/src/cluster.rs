//! The way to a Kubernetes cluster.
//!
//! kube's own defaults wait for ever on a connection that died silently and retry for minutes on their own. Both hide
//! trouble from a controller that has back-offs of its own, so neither is used.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::header::USER_AGENT;
use http::uri::Scheme;
use http::{HeaderValue, Uri};
use keelson_api::{Platform, names};
use keelson_runtime::Calls;
use keelson_runtime::user_agent::PRODUCT;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Config};
use tower_http::set_header::SetRequestHeaderLayer;

use crate::credentials::{self, Files};

/// A watch hears a bookmark about every minute; two missed ones mean that nobody is there.
pub const QUIET: Duration = Duration::from_secs(130);
/// The lease path gives up within this, far below the renew deadline.
const LEASE: Duration = Duration::from_secs(5);

/// A client for reading and acting: no silent retries, and a dead connection is noticed.
///
/// # Errors
/// A kubeconfig that is missing or cannot be read.
pub async fn client(kubeconfig: Option<&Path>, calls: &Calls) -> Result<kube::Client> {
    connect(kubeconfig, QUIET, calls).await
}

/// A client of its own for Leases, so that nothing else can make a renewal late.
///
/// # Errors
/// A kubeconfig that is missing or cannot be read.
pub async fn lease_client(kubeconfig: Option<&Path>, calls: &Calls) -> Result<kube::Client> {
    connect(kubeconfig, LEASE, calls).await
}

async fn connect(kubeconfig: Option<&Path>, read_timeout: Duration, calls: &Calls) -> Result<kube::Client> {
    let (kubeconfig, calls) = (kubeconfig.map(Path::to_path_buf), calls.clone());
    credentials::fresh(move || {
        let (kubeconfig, calls) = (kubeconfig.clone(), calls.clone());
        Box::pin(async move { make(kubeconfig.as_deref(), read_timeout, &calls).await })
    })
    .await
}

/// A client from what there is now.
async fn make(kubeconfig: Option<&Path>, read_timeout: Duration, calls: &Calls) -> Result<credentials::Made> {
    let named = std::env::var_os("KUBECONFIG");
    let (file, read_from) = match (kubeconfig, named) {
        (Some(path), _) => {
            let file = Kubeconfig::read_from(path).with_context(|| format!("kubeconfig {}", path.display()))?;
            (Some(file), vec![path.to_path_buf()])
        }
        (None, Some(list)) => (merged(&list)?, std::env::split_paths(&list).collect()),
        (None, None) => (None, Vec::new()),
    };
    let files = file.as_ref().map_or_else(Files::in_cluster, |file| Files::of(file, &read_from));
    let mut config = match file {
        Some(file) => Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?,
        None => Config::infer().await.context("no kubeconfig and no service account; name one with --kubeconfig")?,
    };
    config.connect_timeout = Some(LEASE);
    config.read_timeout = Some(read_timeout);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    let counted = calls.to(&host(&config.cluster_url));
    let introduced = SetRequestHeaderLayer::if_not_present(USER_AGENT, HeaderValue::from_static(PRODUCT));
    Ok((ClientBuilder::try_from(config)?.with_layer(&counted).with_layer(&introduced).build(), files))
}

/// The Platform; none where there is none, or not even its kind (an API server answers that with a page, not a status).
///
/// # Errors
/// When it cannot be read.
pub async fn platform(client: &kube::Client) -> Result<Option<Platform>, kube::Error> {
    match Api::<Platform>::all(client.clone()).get_opt(names::PLATFORM).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        answered => answered,
    }
}

/// Name and port, and nothing else that an address may hold.
fn host(address: &Uri) -> String {
    let usual = if address.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    format!("{}:{}", address.host().unwrap_or_default(), address.port_u16().unwrap_or(usual))
}

/// What `KUBECONFIG` names, merged as kubectl does: the first file to say something wins, a file that is not there is passed
/// over. None when it is empty.
fn merged(list: &OsStr) -> Result<Option<Kubeconfig>> {
    let named: Vec<_> = std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
    let mut there = named.iter().filter(|path| path.exists()).peekable();
    if there.peek().is_none() && !named.is_empty() {
        bail!("no file that KUBECONFIG names is there: {}", list.to_string_lossy());
    }
    let mut merged = None;
    for path in there {
        let file = Kubeconfig::read_from(path).with_context(|| format!("kubeconfig {}", path.display()))?;
        merged = Some(match merged {
            None => file,
            Some(before) => Kubeconfig::merge(before, file)?,
        });
    }
    Ok(merged)
}

/// Seconds since 1970 of an HTTP `Date`; none when it is not one.
#[must_use]
pub fn http_date(text: &str) -> Option<i64> {
    let text = text.strip_suffix("GMT").unwrap_or(text).trim();
    let date = k8s_openapi::jiff::fmt::rfc2822::parse(&format!("{text} +0000")).ok()?;
    Some(date.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn several_kubeconfigs_are_one_as_kubectl_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b"] {
            let text = format!(
                "current-context: {name}\ncontexts: [{{name: {name}, context: {{cluster: {name}, user: {name}}}}}]\n"
            );
            std::fs::write(path(name), text).unwrap();
        }
        let list = |names: &[&str]| std::env::join_paths(names.iter().map(|name| path(name))).unwrap();
        let both = merged(&list(&["a", "gone", "b"])).unwrap().unwrap();
        assert_eq!(both.current_context.as_deref(), Some("a"), "the first to say something wins");
        assert_eq!(both.contexts.len(), 2);
        assert!(merged(OsStr::new("")).unwrap().is_none());
        assert!(merged(OsStr::new(":")).unwrap().is_none());
        let refused = merged(&list(&["gone"])).unwrap_err().to_string();
        assert!(refused.contains("KUBECONFIG") && refused.contains("gone"), "{refused}");
    }

    #[test]
    fn a_label_names_the_server_and_no_password() {
        for (address, label) in [
            ("https://10.0.0.1:6443", "10.0.0.1:6443"),
            ("https://me:secret@api.example/clusters/one", "api.example:443"),
            ("http://[::1]", "[::1]:80"),
        ] {
            assert_eq!(host(&address.parse().unwrap()), label);
        }
    }

    #[test]
    fn dates_are_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:01:40 GMT"), Some(100));
        assert_eq!(http_date("yesterday"), None);
    }
}
