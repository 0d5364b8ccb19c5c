//! `keelson replay ID`: decides again on what was recorded, under the same or under changed settings, and compares.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::Replay;
use crate::client::Client;
use crate::output::{Colour, paint, print};

/// What came out.
#[derive(Debug, Serialize, Deserialize)]
struct Replayed {
    /// Whether the plan is the same, byte for byte.
    same: bool,
    /// Each field that differs: recorded and now.
    #[serde(default)]
    differences: Vec<Difference>,
    /// The sentence of the decision, made again.
    sentence: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Difference {
    field: String,
    recorded: Value,
    now: Value,
}

/// Prints the comparison; false when it comes out otherwise under the same settings, so that a script sees it.
///
/// # Errors
/// When nobody answers, or there is no recording.
pub async fn run(args: &Replay) -> Result<bool> {
    let client = Client::new(&args.server)?;
    let told: Value = client.get(&format!("decisions/{}", args.id), &[]).await?;
    let feature = told.pointer("/decision/feature").and_then(Value::as_str).unwrap_or_default();
    let mut settings: BTreeMap<&str, &str> =
        args.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    settings.extend(args.mode.map(|mode| ("mode", mode.as_str())));
    let asked = json!({"id": args.id.to_string(), "settings": settings});
    let replayed: Replayed = client.post(&format!("features/{feature}/ask/replay"), &asked).await?;
    print(args.print, &replayed, |_| words(&replayed, !settings.is_empty()))?;
    Ok(replayed.same || !settings.is_empty())
}

fn words(replayed: &Replayed, otherwise: bool) -> String {
    let verdict = match (replayed.same, otherwise) {
        (true, _) => paint("same bytes", Colour::Green),
        (false, true) => paint("under these settings it comes out otherwise", Colour::Yellow),
        (false, false) => paint("it comes out otherwise", Colour::Red),
    };
    let mut text = format!("{}\nDecided again: {verdict}.\n", replayed.sentence);
    for Difference { field, recorded, now } in &replayed.differences {
        text.push_str(&format!("  {field}: recorded {recorded}, now {now}\n"));
    }
    text
}
