//! `keelson decisions`: what was decided, newest first.

use anyhow::Result;
use keelson_core::{Decision, DecisionId};
use serde::{Deserialize, Serialize};

use crate::cli::Decisions;
use crate::client::Client;
use crate::output::{Colour, age, colour_of, paint, print, table};

#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    decisions: Vec<Decision>,
    next: Option<DecisionId>,
    #[serde(default)]
    partial: bool,
}

/// Prints the list.
///
/// # Errors
/// When nobody answers, or a filter is refused.
pub async fn run(args: &Decisions) -> Result<()> {
    let mut query = vec![("limit", args.limit.to_string())];
    let mut filter = |name: &'static str, value: Option<String>| query.extend(value.map(|value| (name, value)));
    filter("feature", args.feature.map(|feature| feature.to_string()));
    filter("namespace", args.namespace.clone());
    filter("reason", args.reason.map(|reason| reason.to_string()));
    filter("kind", args.subject.as_ref().map(|(kind, _)| kind.clone()));
    filter("name", args.subject.as_ref().map(|(_, name)| name.clone()));
    let listed: Listed = Client::new(&args.server)?.get("decisions", &query).await?;
    print(args.print, &listed, |wide| words(&listed, wide))
}

fn words(listed: &Listed, wide: bool) -> String {
    if listed.decisions.is_empty() {
        return "No decision matches.\n".to_owned();
    }
    let now = listed.decisions.iter().map(|decision| decision.last_at).max().unwrap_or_default();
    let rows: Vec<_> = listed.decisions.iter().map(|decision| row(decision, now, wide)).collect();
    let mut head = vec!["BEFORE", "SUBJECT", "VERB", "REASON", "OUTCOME", "SENTENCE"];
    if wide {
        head.splice(0..0, ["ID", "FEATURE", "MODE"]);
    }
    let mut text = table(&head, &rows);
    if listed.partial {
        text.push_str(&paint("The store does not answer: only what is in memory is shown.\n", Colour::Yellow));
    }
    if let Some(next) = listed.next {
        text.push_str(&paint(&format!("There are more, before {next}.\n"), Colour::Dim));
    }
    text
}

fn row(decision: &Decision, now: keelson_core::Timestamp, wide: bool) -> Vec<String> {
    let times = if decision.count > 1 { format!(" (x{})", decision.count) } else { String::new() };
    let mut row = vec![
        age(decision.last_at, now),
        decision.subject.to_string(),
        decision.verb.to_string(),
        paint(decision.reason.as_str(), colour_of(decision.verb, decision.outcome)),
        decision.outcome.to_string(),
        format!("{}{times}", decision.sentence),
    ];
    if wide {
        row.splice(0..0, [decision.id.to_string(), decision.feature.to_string(), decision.mode.to_string()]);
    }
    row
}
