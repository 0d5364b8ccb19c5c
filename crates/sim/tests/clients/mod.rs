//! Ordinary clients, and what they are told: kubectl, a Python program, and kube-rs with its watcher and reflector.
//!
//! Each has one script, run by this code against the double (`api_clients.rs`) and against a real kube-apiserver
//! (`e2e/harness/tests/clients.rs`). What it printed there is kept beside it, and is what is expected from both.
//!
//! Promises: nothing a script prints is left out; what differs from run to run (uids, versions, times, ages) stands as `*`,
//! and a JSON object in a line of its own has its keys in order.
#![allow(dead_code)]

mod kube_rs;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use regex::Regex;
use serde_json::{Map, Value};

/// The clients, by the names of their files.
pub const CLIENTS: [&str; 3] = ["kubectl", "python", "kube-rs"];
/// Debian's, for which `python3-kubernetes` is.
const PYTHON: &str = "/usr/bin/python3";

fn folder() -> PathBuf {
    let folder = Path::new(file!()).parent().unwrap();
    // The compiler names files from the root of the workspace.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder)
}

/// Where what a client is told is kept.
pub fn kept(client: &str) -> PathBuf {
    folder().join(format!("{client}.txt"))
}

/// Runs a client against a server and returns what it was told.
pub fn told(client: &str, kubeconfig: &Path, kubectl: &Path) -> String {
    let script = |program: &str, file: &str| {
        let empty = tempfile::tempdir().unwrap();
        let copy = empty.path().join("kubeconfig");
        // Python's client knows no tls-server-name; the name is in both certificates.
        let by_name = std::fs::read_to_string(kubeconfig).unwrap().replace("https://127.0.0.1:", "https://localhost:");
        std::fs::write(&copy, by_name).unwrap();
        let mut command = Command::new(program);
        command.arg(folder().join(file)).env("KUBECONFIG", copy).env("KUBECTL", kubectl).env("HOME", empty.path());
        let output = command.current_dir(empty.path()).stdin(Stdio::null()).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && err.is_empty(), "{program} {file}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    };
    let said = match client {
        "kubectl" => script("bash", "kubectl.sh"),
        "python" => script(PYTHON, "python.py"),
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
                let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
                kube_rs::run(Client::try_from(config).unwrap()).await
            })
        }
    };
    normal(&said)
}

/// The lines in which two texts differ; nothing when they are the same.
pub fn differences(client: &str, told: &str) -> Vec<String> {
    let expected = std::fs::read_to_string(kept(client)).unwrap_or_default();
    let (expected, told): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), told.lines().collect());
    let mut different = Vec::new();
    let (mut at, mut there) = (0, 0);
    while at < expected.len() || there < told.len() {
        let (line, other) = (expected.get(at), told.get(there));
        if line == other {
            (at, there) = (at + 1, there + 1);
            continue;
        }
        // What comes back soonest, on either side, is where both go on.
        let ahead = |lines: &[&str], from: usize, wanted: Option<&&str>| {
            lines.iter().skip(from).take(40).position(|line| Some(line) == wanted)
        };
        match (ahead(&told, there, line), ahead(&expected, at, other)) {
            (Some(more), less) if line.is_some() && less.is_none_or(|less| more <= less) => {
                different.extend(told.iter().skip(there).take(more).map(|line| format!("{client}: + {line}")));
                there += more;
            }
            (_, Some(less)) if other.is_some() => {
                different.extend(expected.iter().skip(at).take(less).map(|line| format!("{client}: - {line}")));
                at += less;
            }
            _ => {
                different.extend(line.map(|line| format!("{client}: - {line}")));
                different.extend(other.map(|line| format!("{client}: + {line}")));
                (at, there) = (at + 1, there + 1);
            }
        }
    }
    different
}

fn normal(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, with) in [
        ("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "*"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+\d\d:\d\d)", "*"),
        (r#"(resourceVersion\\*"?: ?\\*"?)\d+"#, "$1*"),
        (r"(?m)(\s)\d+m?s(\s|$)", "$1*$2"),
        // What a patch made and a decoder refused, as Go prints both.
        ("(patch: Invalid value: ).*", "$1*"),
        ("/tmp/[A-Za-z0-9_./-]+", "*"),
        (" +", " "),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text.lines().map(|line| format!("{}\n", sorted(line))).collect()
}

/// A line that is a JSON object, with its keys in order; any other as it is.
fn sorted(line: &str) -> String {
    let object = serde_json::from_str::<Map<String, Value>>(line);
    object.map_or_else(|_| line.to_owned(), |object| Value::Object(object).to_string())
}
