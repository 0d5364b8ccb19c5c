//! What the command line says to those who use it in scripts: exit codes, plain text in pipes, completion, kubectl's
//! plugin, and refusals that name the word at fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::{Command, Output};

use serde_json::{Value, json};

const KEELSON: &str = env!("CARGO_BIN_EXE_keelson");

fn run(program: &str, args: &[&str]) -> (Output, String) {
    let output = Command::new(program).args(args).env_remove("KUBECONFIG").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output, said)
}

/// Something that answers every request with `status` and `body`.
async fn server(status: u16, body: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = move || async move { (axum::http::StatusCode::from_u16(status).unwrap(), body) };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    format!("http://{address}")
}

#[test]
fn a_word_that_makes_no_sense_is_named_and_ends_with_2() {
    for (args, word) in [
        (vec!["decisions", "--reason", "Because"], "use one of: PodPlaced"),
        (vec!["decisions", "--server", "ftp://here"], "http://"),
        (vec!["version", "--log", "keelson=loud"], "keelson=loud"),
        (vec!["version", "--otlp", "collector"], "http://"),
        (vec!["why", "ship/a"], "ship"),
        (vec!["nonsense"], "nonsense"),
        (vec![], "Usage"),
    ] {
        let (output, said) = run(KEELSON, &args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_tell_yes_no_and_nonsense_apart() {
    assert_eq!(run(KEELSON, &["version"]).0.status.code(), Some(0));
    let away = server(503, r#"{"error": {"message": "the database is away", "fix": "Wait."}}"#).await;
    let (output, said) = run(KEELSON, &["decisions", "--server", &away]);
    assert_eq!((output.status.code(), said.contains("the database is away; Wait.")), (Some(1), true), "{said}");
    assert_eq!(run(KEELSON, &["decisions", "--limit", "0"]).0.status.code(), Some(2));
}

#[test]
fn kubectl_finds_it_as_a_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-keelson");
    std::os::unix::fs::symlink(KEELSON, &plugin).unwrap();
    let (output, said) = run(plugin.to_str().unwrap(), &["version", "-o", "json"]);
    assert!(output.status.success(), "{said}");
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["version"], keelson::VERSION);
}

#[test]
fn every_shell_gets_a_completion_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (output, said) = run(KEELSON, &["completion", shell]);
        assert!(output.status.success() && said.contains("decisions") && said.contains("doctor"), "{shell}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_colour_in_a_pipe() {
    let listed = r#"{"decisions": [], "next": "01a20a36-4c94-7c29-ba35-d33514b3210c", "partial": true}"#;
    let there = server(200, listed).await;
    for args in [vec!["decisions", "--server", &there], vec!["doctor", "--server", &there, "--kubeconfig", "/nowhere"]]
    {
        let (_, said) = run(KEELSON, &args);
        assert!(!said.is_empty() && !said.contains('\u{1b}'), "{args:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_told_to_programs_too() {
    let switched = r#"{"feature": "scheduling", "wanted": "Enforce", "paused": true}"#;
    let there = server(200, switched).await;
    let (output, said) = run(KEELSON, &["pause", "scheduling", "-o", "json", "--server", &there]);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        serde_json::from_str::<Value>(&said).unwrap(),
        json!([serde_json::from_str::<Value>(switched).unwrap()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_takes_an_answer_that_is_none_for_a_failure_and_makes_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("keelson.db");
    let there = server(200, "<html>").await;
    let args = ["doctor", "-o", "json", "--kubeconfig", "/nowhere", "--database", database.to_str().unwrap()];
    let (output, said) = run(KEELSON, &[&args[..], &["--server", &there]].concat());
    assert_eq!(output.status.code(), Some(1), "{said}");
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let failed = |name: &str| checks.iter().any(|check| check["name"] == name && check["ok"] == false);
    assert!(failed("API access") && failed("store") && failed("running Keelson"), "{said}");
    assert!(!database.exists(), "looking makes nothing");
    let (output, _) = run(KEELSON, &[&args[..], &["--server", "http://127.0.0.1:9"]].concat());
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let running = checks.iter().find(|check| check["name"] == "running Keelson").unwrap();
    assert_eq!(running["ok"], true, "not running is no illness");
}

#[test]
fn a_platform_file_that_cannot_be_used_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("platform.yaml");
    let head = "apiVersion: keelson.dev/v1alpha1\nkind: Platform\nmetadata: {name: default}\n";
    std::fs::write(&broken, format!("{head}spec: {{features: {{scheduling: {{mod: Off}}}}}}")).unwrap();
    for (file, word) in [("/nowhere/platform.yaml", "/nowhere/platform.yaml"), (broken.to_str().unwrap(), "no field")] {
        let (output, said) = run(KEELSON, &["up", "--listen", "127.0.0.1:0", "--platform", file]);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("--platform") && said.contains(word), "{said}");
    }
}
