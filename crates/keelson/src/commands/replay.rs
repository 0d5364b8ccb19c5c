//! `keelson replay ID`: decides again on what was recorded, and compares.

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

/// Prints the comparison; a difference is an error, so that a script sees it.
///
/// # Errors
/// When nobody answers, there is no recording, or the decision comes out otherwise.
pub async fn run(args: &Replay) -> Result<bool> {
    let client = Client::new(&args.server)?;
    let told: Value = client.get(&format!("decisions/{}", args.id), &[]).await?;
    let feature = told.pointer("/decision/feature").and_then(Value::as_str).unwrap_or_default();
    let replayed: Replayed =
        client.post(&format!("features/{feature}/ask/replay"), &json!({"id": args.id.to_string()})).await?;
    print(args.print, &replayed, |_| words(&replayed))?;
    Ok(replayed.same)
}

fn words(replayed: &Replayed) -> String {
    let verdict =
        if replayed.same { paint("same bytes", Colour::Green) } else { paint("it comes out otherwise", Colour::Red) };
    let mut text = format!("{}\nDecided again: {verdict}.\n", replayed.sentence);
    for Difference { field, recorded, now } in &replayed.differences {
        text.push_str(&format!("  {field}: recorded {recorded}, now {now}\n"));
    }
    text
}
