//! The page, served over a running platform.

use std::future::Future;

use anyhow::Result;
use keelson_dashboard::{Options, serve};
use keelson_runtime::Clock;
use keelson_telemetry::start::METRIC_PERIOD;
use keelson_telemetry::{Metrics, Telemetry};
use tokio::net::TcpListener;

use crate::backend::{About, Live};
use crate::platform::Platform;
use crate::{VERSION, health};

/// The commit this was built from; set by the build of a release.
const COMMIT: &str = match option_env!("KEELSON_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// What is served.
pub struct Page<'a> {
    /// The controller behind it.
    pub platform: Platform,
    /// Changes the Platform when a person switches.
    pub client: kube::Client,
    /// What the page says about the cluster.
    pub about: About,
    /// Under which names, and to whom.
    pub options: Options,
    /// Where metrics are pushed to.
    pub telemetry: Option<&'a Telemetry>,
}

impl Page<'_> {
    /// Serves until `stop`, and on until the platform has ended what it began: not ready, but seen.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let (runtime, platform) = (self.platform.runtime.clone(), self.platform.clone());
        let stop = async move {
            stop.await;
            platform.stop().await;
        };
        let metrics = Metrics::new(VERSION, COMMIT, |registry| {
            runtime.register(registry);
            self.platform.recorder.register(registry);
        });
        let collector = self.telemetry.and_then(Telemetry::collector).cloned();
        let backend = Live::start(self.platform, self.client, self.about, collector);
        let mut options = self.options;
        let routes = health::routes(runtime, metrics.clone());
        (options.extra, options.probes) = (routes.extra, routes.probes);
        let served = serve(listener, options, backend, stop);
        tokio::select! {
            served = served => served?,
            () = push(self.telemetry, &metrics) => {}
        }
        Ok(())
    }
}

/// Sends the metrics for as long as it is polled.
async fn push(telemetry: Option<&Telemetry>, metrics: &Metrics) {
    let Some(telemetry) = telemetry else { return std::future::pending().await };
    loop {
        tokio::time::sleep(METRIC_PERIOD).await;
        telemetry.push(metrics, Clock::system().now()).await;
    }
}
