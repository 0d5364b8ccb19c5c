//! Serves the double on loopback until interrupted: `cargo run -p keelson-sim --example serve 8001`.
use keelson_core::Timestamp;
use keelson_sim::{api::{Api, Config}, clock::Clock, face::{Shared, http, tower::Face}};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8001);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let clock = Clock::start(Timestamp(1_790_000_000_000_000), 1);
    let shared = Shared::new(Api::new(Config::default()), clock);
    http::serve(listener, Face::new(shared), std::future::pending()).await
}
