//! The way to a Kubernetes cluster.
//!
//! kube's own defaults wait for ever on a connection that died silently and retry for minutes on their own. Both hide
//! trouble from a controller that has back-offs of its own, so neither is used.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// A watch hears a bookmark about every minute; two missed ones mean that nobody is there.
pub const QUIET: Duration = Duration::from_secs(130);
/// The lease path gives up within this, far below the renew deadline.
const LEASE: Duration = Duration::from_secs(5);

/// A client for reading and acting: no silent retries, and a dead connection is noticed.
///
/// # Errors
/// A kubeconfig that is missing or cannot be read.
pub async fn client(kubeconfig: Option<&Path>) -> Result<kube::Client> {
    connect(kubeconfig, QUIET).await
}

/// A client of its own for Leases, so that nothing else can make a renewal late.
///
/// # Errors
/// A kubeconfig that is missing or cannot be read.
pub async fn lease_client(kubeconfig: Option<&Path>) -> Result<kube::Client> {
    connect(kubeconfig, LEASE).await
}

async fn connect(kubeconfig: Option<&Path>, read_timeout: Duration) -> Result<kube::Client> {
    let mut config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).with_context(|| format!("kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
        }
        None => Config::infer().await.context("no kubeconfig and no service account; name one with --kubeconfig")?,
    };
    config.connect_timeout = Some(LEASE);
    config.read_timeout = Some(read_timeout);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
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
    use super::*;

    #[test]
    fn dates_are_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:01:40 GMT"), Some(100));
        assert_eq!(http_date("yesterday"), None);
    }
}
