//! A listener for the kubelet alone.
//!
//! The kubelet asks a pod at its own address, where the page does not listen unless people sign in to it. So the two
//! questions it has are answered on a port of their own, and nothing else is there to be asked.
//!
//! Promises: `GET /livez` and `/readyz`, and not one other path; what is said names no object of the cluster.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Args;
use keelson_runtime::Runtime;
use tokio::net::TcpListener;

use crate::health;

/// Where the kubelet asks.
#[derive(Debug, Clone, Args)]
pub struct Probes {
    /// Where /livez and /readyz are answered, and nothing else; the page answers them as well.
    #[arg(long = "probes", env = "KEELSON_PROBES", value_name = "ADDR")]
    pub address: Option<SocketAddr>,
}

impl Probes {
    /// Takes the port, when one is wanted.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn bind(&self) -> Result<Option<TcpListener>> {
        let Some(address) = self.address else { return Ok(None) };
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("--probes {address}: choose another"))?;
        Ok(Some(listener))
    }
}

/// Answers for as long as it is polled; without a listener there is nothing to answer.
///
/// # Errors
/// When the listener fails.
pub async fn answer(listener: Option<TcpListener>, runtime: Runtime) -> Result<()> {
    match listener {
        Some(listener) => Ok(axum::serve(listener, health::probes(runtime)).await?),
        None => std::future::pending().await,
    }
}
