//! `keelson pause`: every action held within a second, every decision still made.

use anyhow::Result;
use keelson_core::Feature;
use keelson_dashboard::view::Switched;
use serde_json::json;

use crate::cli::Pause;
use crate::client::Client;
use crate::output::print;

/// Pauses or resumes one feature, or all.
///
/// # Errors
/// When nobody answers, or the switch cannot be written.
pub async fn run(args: &Pause) -> Result<()> {
    let client = Client::new(&args.server)?;
    let features = args.feature.map_or_else(|| Feature::ALL.to_vec(), |feature| vec![feature]);
    let mut switched = Vec::new();
    for feature in features {
        let body = json!({"paused": !args.resume});
        switched.push(client.post::<Switched>(&format!("features/{feature}/pause"), &body).await?);
    }
    print(args.print, &switched, |_| switched.iter().map(words).collect())
}

fn words(now: &Switched) -> String {
    let word = if now.paused { "paused: it decides and does nothing" } else { "resumed" };
    format!("{} {word} (mode {})\n", now.feature, now.wanted)
}
