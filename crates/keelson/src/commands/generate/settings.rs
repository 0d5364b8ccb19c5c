//! `docs/settings.md`: every setting, from the schema that the API server enforces and the words that the command line takes.
//!
//! Promises: a field, a flag, a default or a limit that changes in the code changes here; what is not there is not told of.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, Command, CommandFactory};
use keelson_api::crds;
use serde_json::Value;

use crate::cli::Cli;

const HEAD: &str = "\
<!-- Generated from the code by `cargo xtask generate`; edits are overwritten. -->
# Every setting

Settings of features are fields of one object, `Platform/default`, and change at run time; how a process is started is told by
flags, most of which may come from the environment instead (a flag counts more). The values of the chart, which sets both, are
in [its README](../deploy/helm/keelson/README.md).

## The Platform

What the API server refuses is refused with the field's name and the fix; what is left out has the default.

| field | type | unless said otherwise | limits | what it is for |
|---|---|---|---|---|
";

const STATUS: &str = "
Its status is written by Keelson and read by people and programs.

| field | type | what it says |
|---|---|---|
";

const FLAGS: &str = "
## The command line

A wrong word ends the program with 2 and is named. The same words work as `kubectl keelson ...` when the program is on the path
as `kubectl-keelson`.

";

const ENVIRONMENT: &str = "
## More of the environment

| variable | what it is for |
|---|---|
| `KUBECONFIG` | the cluster, where a command has no `--kubeconfig`; several files are merged as kubectl merges them |
| `POD_UID`, `NODE_NAME` | with `POD_NAME` in the resource of every trace and metric that is sent |
| `NO_COLOR` | no colour at a terminal |
| `SSL_CERT_FILE` | who signs the certificate of an OpenID Connect provider, when nobody the system knows does |
";

/// The document.
pub fn markdown() -> Result<String> {
    let mut text = HEAD.to_owned();
    for definition in crds::own() {
        let definition = serde_json::to_value(definition)?;
        let root = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties");
        let root = root.context("a definition has no schema")?;
        let mut fields = Vec::new();
        walk(&root["spec"], "spec", &mut fields);
        for (path, field) in fields {
            let (kind, default, limits) = (kind(field), default(field), limits(field).join("; "));
            writeln!(text, "| `{path}` | {kind} | {default} | {limits} | {} |", says(field))?;
        }
        text.push_str(STATUS);
        let mut fields = Vec::new();
        walk(&root["status"], "status", &mut fields);
        for (path, field) in fields {
            writeln!(text, "| `{path}` | {} | {} |", kind(field), says(field))?;
        }
    }
    text.push_str(FLAGS);
    let mut command = Cli::command();
    command.build();
    let global: Vec<_> = flags(&command).filter(|flag| flag.is_global_set()).collect();
    table(&mut text, "keelson", "Of every command.", &global)?;
    commands(&mut text, &command)?;
    Ok(text + ENVIRONMENT)
}

/// Every field with a value of its own, by its path; a block is shown where a rule of its own binds its fields together.
fn walk<'a>(schema: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    if properties.is_none() || schema.get("x-kubernetes-validations").is_some() {
        found.push((path.to_owned(), schema));
    }
    for (name, below) in properties.into_iter().flatten() {
        walk(below, &format!("{path}.{name}"), found);
    }
}

fn kind(field: &Value) -> String {
    match field["type"].as_str().unwrap_or("any") {
        "array" => format!("list of {}", field.pointer("/items/title").and_then(Value::as_str).unwrap_or("objects")),
        kind => kind.to_owned(),
    }
}

fn default(field: &Value) -> String {
    match field.get("default") {
        None | Some(Value::Object(_)) => String::new(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(value) => format!("`{value}`"),
    }
}

fn says(field: &Value) -> String {
    cell(field["description"].as_str().unwrap_or_default())
}

fn limits(field: &Value) -> Vec<String> {
    let number = |name: &str| field.get(name).and_then(Value::as_f64);
    let mut limits = Vec::new();
    if let Some(words) = field.get("enum").and_then(Value::as_array) {
        limits.push(
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        );
    }
    limits.extend(between(number("minimum"), number("maximum"), ""));
    limits.extend(between(number("minLength"), number("maxLength"), " characters"));
    let rules = field.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    limits.extend(rules.filter_map(|rule| rule["message"].as_str()).map(cell));
    limits
}

fn between(least: Option<f64>, most: Option<f64>, unit: &str) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (None, None) => None,
    }
}

/// A table for each command that takes something, and for those below it.
fn commands(text: &mut String, command: &Command) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        let name = below.get_bin_name().unwrap_or(below.get_name());
        let own: Vec<_> = flags(below).filter(|flag| !flag.is_global_set()).collect();
        let about = below.get_about().map(ToString::to_string).unwrap_or_default();
        table(text, name, &about, &own)?;
        commands(text, below)?;
    }
    Ok(())
}

/// What a command takes, beside the help and the version that every one has.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|flag| {
        !flag.is_hide_set()
            && !matches!(
                flag.get_action(),
                ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
            )
    })
}

fn table(text: &mut String, name: &str, about: &str, flags: &[&Arg]) -> Result<()> {
    writeln!(text, "### {name}\n\n{}.\n", about.trim_end_matches('.'))?;
    if flags.is_empty() {
        return Ok(());
    }
    text.push_str("| flag | environment | unless said otherwise | what it is for |\n|---|---|---|---|\n");
    for flag in flags {
        let environment = flag.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
        let takes = flag.get_action().takes_values();
        let defaults: Vec<_> = flag.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = match defaults.join(",") {
            value if !takes || value.is_empty() => String::new(),
            value => format!("`{value}`"),
        };
        let mut says = flag.get_help().map(|help| cell(&help.to_string())).unwrap_or_default();
        let words: Vec<_> = flag.get_possible_values().iter().filter(|word| !word.is_hide_set()).map(word).collect();
        if takes && !words.is_empty() {
            says = format!("{}: {}", says.trim_end_matches('.'), words.join(", "));
        }
        writeln!(text, "| `{}` | {environment} | {default} | {says} |", spelled(flag))?;
    }
    text.push('\n');
    Ok(())
}

/// A word that a flag takes, with what it means where that is said.
fn word(word: &clap::builder::PossibleValue) -> String {
    match word.get_help() {
        Some(help) => format!("`{}` ({})", word.get_name(), cell(help.to_string().trim_end_matches('.'))),
        None => format!("`{}`", word.get_name()),
    }
}

/// `--keep <TIME>`, or `<SUBJECT>` where it has its place and no name.
fn spelled(flag: &Arg) -> String {
    let values = flag.get_value_names().filter(|_| flag.get_action().takes_values());
    let values = values.into_iter().flatten().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" ");
    let names = [flag.get_long().map(|long| format!("--{long}")), flag.get_short().map(|short| format!("-{short}"))];
    let names = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
    format!("{names} {values}").trim().replace('|', "\\|")
}

/// A text as one cell of a table; a word in angle brackets would be taken for HTML.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_told_with_what_the_schema_says_of_it() {
        let field = json!({"type": "integer", "default": 10, "minimum": 1.0, "maximum": 3600.0, "description": "The\n wait.",
            "x-kubernetes-validations": [{"message": "not above a | b", "rule": "self < 1"}]});
        let schema = json!({"properties": {"wait": field}});
        let mut found = Vec::new();
        walk(&schema, "spec", &mut found);
        let (path, field) = found.first().unwrap();
        assert_eq!((path.as_str(), default(field).as_str(), says(field).as_str()), ("spec.wait", "`10`", "The wait."));
        assert_eq!(limits(field), ["1 to 3600", "not above a \\| b"]);
    }

    #[test]
    fn no_setting_is_told_of_without_what_it_is_for() {
        let text = markdown().unwrap();
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let last = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
            assert!(last.len() > 5, "{line}");
        }
        for known in ["spec.features.scheduling.settings.podMaxBackoffSeconds", "KEELSON_OIDC_ISSUER", "`--keep <"] {
            assert!(text.contains(known), "{known} in\n{text}");
        }
    }
}
