//! The page `docs/scheduling-fields.md`, from the table.

use std::fmt::Write as _;

use super::{COMPLETE_FOR, Row, Rule, Verdict, rows};

/// Every `VERSION` is [`COMPLETE_FOR`].
const HEAD: &str = "# Pod fields and scheduling

Generated from the table in `operators/scheduling/src/fields`; do not edit.

The table is complete for Kubernetes VERSION: it judges every field that a pod has there. An older API server has fewer of
them. A newer one may have more, which this build does not read: a pod that uses one is placed as if it did not.
`keelson doctor` says when the API server is newer; then upgrade Keelson, or give such pods another `schedulerName`.

What becomes of a pod with `schedulerName: keelson` that uses a field:

- **implemented**: its meaning for placement is the one Kubernetes VERSION gives it.
- **neutral**: it cannot change where the pod may run.
- **refused**: the pod stays Pending with the reason `UnsupportedFeature`, which names the field.

A row stands for everything below its path. In a manifest that is asked about, a field that Kubernetes VERSION does not
have is refused.
";

/// The page.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.replace("VERSION", &format!("1.{COMPLETE_FOR}"));
    for verdict in [Verdict::Refused, Verdict::Implemented, Verdict::Neutral] {
        let _ = write!(page, "\n## {}\n\n| field | when | why |\n|---|---|---|\n", title(verdict));
        for (path, row) in rows() {
            if let Some(when) = when(row, verdict) {
                let _ = writeln!(page, "| `{path}` | {when} | {} |", row.why);
            }
        }
    }
    page
}

const fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Implemented => "Implemented",
        Verdict::Neutral => "Neutral",
        Verdict::Refused => "Refused",
    }
}

impl Row {
    /// Its verdict in words: `refused`, or each verdict with its case.
    #[must_use]
    pub fn rule_text(&self) -> String {
        if let Rule::Always(verdict) = self.rule {
            return verdict.as_str().to_owned();
        }
        [Verdict::Refused, Verdict::Implemented, Verdict::Neutral]
            .into_iter()
            .filter_map(|verdict| Some(format!("{}: {}", verdict.as_str(), when(self, verdict)?)))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// In which cases a row has this verdict; `None` when in none.
fn when(row: &Row, verdict: Verdict) -> Option<String> {
    let cases = |cases: &[(&str, Verdict)], other: Verdict| {
        let mine: Vec<_> =
            cases.iter().filter(|(_, case)| *case == verdict).map(|(word, _)| format!("`{word}`")).collect();
        match (mine.is_empty(), other == verdict) {
            (true, true) => Some("any other value".to_owned()),
            (true, false) => None,
            (false, _) => Some(format!("value {}", mine.join(" or "))),
        }
    };
    match row.rule {
        Rule::Always(always) => (always == verdict).then(|| "set".to_owned()),
        Rule::Value(known, other) => cases(known, other),
        Rule::FalseWhile(other) => match verdict {
            Verdict::Refused => Some(format!("`false` while `spec.{other}` is `true`")),
            Verdict::Neutral => Some("otherwise".to_owned()),
            _ => None,
        },
    }
}
