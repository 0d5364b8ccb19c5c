//! A log line: one JSON object, flat, so that whoever searches needs no path.
//!
//! After `timestamp`, `level`, `target` and what the event says (its fields and `message`) come the fields of the spans
//! around it, the inner ones first. The names that a person searches by are short: [`NAMES`].
//!
//! Promises: a line inside a span carries its trace, the same that decisions and exported spans carry; what an event says
//! itself is not overwritten by a span.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// What spans call by its OpenTelemetry name, and a line by a short one. `controller` and `object` are short already.
const NAMES: [(&str, &str); 1] = [("keelson.decision.id", "decision_id")];

/// Writes lines.
pub(crate) struct Lines;

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, JsonFields> for Lines {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), timestamp.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        let mut own = String::new();
        context.field_format().format_fields(Writer::new(&mut own), event)?;
        add(&mut line, &own);
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                add(&mut line, fields);
            }
        }
        let trace_id = crate::trace_id();
        if !trace_id.is_empty() {
            line.insert("trace_id".to_owned(), trace_id.into());
        }
        writeln!(out, "{}", Value::Object(line))
    }
}

/// Adds fields that were written as JSON, except those that are there.
fn add(line: &mut Map<String, Value>, fields: &str) {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(fields) else { return };
    for (name, value) in fields {
        let short = NAMES.iter().find(|(long, _)| *long == name).map(|(_, short)| (*short).to_owned());
        line.entry(short.unwrap_or(name)).or_insert(value);
    }
}
