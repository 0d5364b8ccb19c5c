//! `keelson why pod/NAME`: where it is, why, and what would change that.

use anyhow::Result;
use keelson_core::{Candidate, Decision};
use keelson_dashboard::view::{Subject, Why as Answer};
use serde::{Deserialize, Serialize};

use crate::cli::Why;
use crate::client::{Client, escape};
use crate::output::{Colour, age, colour_of, paint, print, table};

/// How many of the newest decisions about it are shown.
const DECISIONS: usize = 8;

/// What the server says about one object.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    subject: Subject,
    decisions: Vec<Decision>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    decisions: Vec<Decision>,
}

/// Prints the answer.
///
/// # Errors
/// When nobody answers, or nothing is known about the object.
pub async fn run(args: &Why) -> Result<()> {
    let (kind, name) = &args.subject;
    let namespace = if matches!(kind.as_str(), "Node" | "Platform") { "-" } else { &args.namespace };
    let path = format!("subjects/{kind}/{}/{}", escape(namespace), escape(name));
    let client = Client::new(&args.server)?;
    let subject: Subject = client.get(&path, &[]).await?;
    let query = [("about", format!("{kind}/{namespace}/{name}")), ("limit", DECISIONS.to_string())];
    let Listed { decisions } = client.get("decisions", &query).await?;
    let told = Told { subject, decisions };
    print(args.print, &told, |wide| words(&told, wide))
}

fn words(told: &Told, wide: bool) -> String {
    let mut text = format!("{}\n", paint(&told.subject.sentence, Colour::Bold));
    if let Some(why) = &told.subject.why {
        text.push_str(&because(why, wide));
    }
    for (word, value) in &told.subject.summary {
        text.push_str(&format!("  {:<16} {value}\n", format!("{word}:")));
    }
    if !told.decisions.is_empty() {
        let now = told.decisions.iter().map(|decision| decision.last_at).max().unwrap_or_default();
        text.push_str("\nDecisions, newest first:\n");
        let rows: Vec<_> = told
            .decisions
            .iter()
            .map(|decision| {
                let times = if decision.count > 1 { format!(" (x{})", decision.count) } else { String::new() };
                vec![
                    format!("  {}", age(decision.last_at, now)),
                    decision.subject.to_string(),
                    paint(decision.reason.as_str(), colour_of(decision.verb, decision.outcome)),
                    decision.outcome.to_string(),
                    format!("{}{times}", decision.sentence),
                ]
            })
            .collect();
        text.push_str(&table(&["  BEFORE", "SUBJECT", "REASON", "OUTCOME", "SENTENCE"], &rows));
    }
    text
}

fn because(why: &Answer, wide: bool) -> String {
    let mut text = format!("\nBecause: {}\n", why.sentence);
    let shown = if wide { why.candidates.len() } else { 6 };
    let rows: Vec<_> =
        why.candidates.iter().take(shown).map(|candidate| vec![name(candidate), detail(candidate)]).collect();
    if !rows.is_empty() {
        text.push_str(&table(&["  CANDIDATE", "SCORE OR WHAT IT FAILS"], &rows));
    }
    for change in &why.changes {
        let checked = if change.verified { " (checked)" } else { "" };
        text.push_str(&format!("Would help: {}{}\n", change.sentence, paint(checked, Colour::Dim)));
    }
    text.push('\n');
    text
}

fn name(candidate: &Candidate) -> String {
    format!("  {}", candidate.name)
}

/// The total with its parts, or every failed check with its shortfall.
fn detail(candidate: &Candidate) -> String {
    if let Some(total) = candidate.total {
        let parts: Vec<_> =
            candidate.scores.iter().map(|score| format!("{} {} x{}", score.name, score.value, score.weight)).collect();
        return format!("{total} = {}", parts.join(" + "));
    }
    let failed: Vec<_> = candidate.failed.iter().map(|check| check.text.clone()).collect();
    failed.join("; ")
}
