//! The page with a made-up evening behind it: `cargo run -p keelson-dashboard --example demo`, then
//! <http://127.0.0.1:8099/>.
//!
//! For building the page without a cluster. The same seed gives the same evening: 50 nodes in three zones, a streaming
//! company's pods coming and going, and every kind of decision the page has to show.

#![allow(clippy::indexing_slicing, reason = "a made-up world knows its own indices")]

mod cluster;
mod evening;
mod minds;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use evening::Evening;
use keelson_dashboard::{Options, bind, serve};

const PORT: u16 = 8099;
/// Vite's development server, which passes `/api` on to this one.
const VITE: u16 = 5173;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))).await?;
    let mut options = Options::loopback(PORT);
    let vite = Options::loopback(VITE);
    options.hosts.extend(vite.hosts);
    options.origins.extend(vite.origins);
    let evening = Evening::begin().await?;
    let moving = Arc::clone(&evening);
    tokio::spawn(async move {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            if let Err(error) = moving.minute().await {
                eprintln!("the evening stands still: {error}");
            }
        }
    });
    println!("http://127.0.0.1:{PORT}/");
    serve(listener, options, evening, async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await?;
    Ok(())
}
