//! `keelson up`: Online Boutique becomes Running through Keelson, and every answer says why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use support::{BOUTIQUE, KEELSON, Up, until};

fn kubectl(up: &Up, args: &[&str]) -> String {
    let program = std::env::var("KUBECTL").unwrap_or_else(|_| "kubectl".to_owned());
    let output = Command::new(program).env("KUBECONFIG", &up.kubeconfig).args(args).output().expect("kubectl runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn pods(up: &Up, namespace: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(&kubectl(up, &["get", "pods", "-n", namespace, "-o", "json"])).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn running(up: &Up, service: &str) -> Option<Value> {
    pods(up, "online-boutique")
        .into_iter()
        .find(|pod| pod["metadata"]["labels"]["app"] == service && pod["status"]["phase"] == "Running")
}

#[test]
fn online_boutique_runs_and_every_pod_says_why() {
    let up = Up::start(&["--seed", "3"]);
    let kubeconfig = std::fs::read_to_string(&up.kubeconfig).unwrap();
    assert!(kubeconfig.contains("https://127.0.0.1:") && kubeconfig.contains("certificate-authority-data"));
    for service in BOUTIQUE {
        let pod = until(&format!("{service} is Running"), 60, || running(&up, service));
        let name = pod["metadata"]["name"].as_str().unwrap();
        assert_eq!(pod["spec"]["schedulerName"], "keelson");
        let node = pod["spec"]["nodeName"].as_str().unwrap();

        let subject = format!("pod/{name}");
        let decision = until("its decision is stored", 20, || {
            let found = up.decisions(&["-n", "online-boutique", "--subject", &subject]);
            found.into_iter().find(|decision| decision["verb"] == "Place" && decision["outcome"] == "Done")
        });
        assert_eq!(decision["chosen"], node, "{decision:#}");
        assert!(decision["candidates"].as_array().is_some_and(|candidates| !candidates.is_empty()), "{decision:#}");
        assert_eq!(decision["trace_id"].as_str().map(str::len), Some(32), "{decision:#}");

        let (why, code) = up.ask(&["why", &subject, "-n", "online-boutique"]);
        assert_eq!(code, 0, "{why}");
        assert!(why.contains(node), "{why}");
    }

    let short = until("a pod that cannot fit says by how much", 60, || {
        let found = up.decisions(&["-n", "online-boutique", "--reason", "Unschedulable"]);
        found.into_iter().find(|decision| decision.to_string().contains("Insufficient cpu"))
    });
    assert!(short.to_string().contains("short "), "{short:#}");

    until("a pod says that its claim has no class", 60, || {
        let found = up.decisions(&["-n", "online-boutique", "--reason", "Unschedulable"]);
        found.into_iter().find(|decision| decision.to_string().contains("ledger names neither a volume nor a class"))
    });
    let ledger =
        pods(&up, "online-boutique").into_iter().find(|pod| pod["metadata"]["labels"]["app"] == "ledger").unwrap();
    assert_eq!(ledger["status"]["phase"], "Pending");
    assert!(ledger["spec"]["nodeName"].is_null());

    // The evening begins when Keelson looks on: not one binding goes by unseen, on no machine.
    until("every pod that the other scheduler bound is compared", 60, || {
        let compared = up.decisions(&["-n", "streaming"]).into_iter().filter(|decision| decision["verb"] == "Compare");
        let compared: BTreeSet<String> = compared
            .inspect(|it| assert!(["SameChoice", "OtherChoice"].contains(&it["reason"].as_str().unwrap()), "{it:#}"))
            .map(|decision| decision["subject"]["uid"].as_str().unwrap().to_owned())
            .collect();
        let bound = pods(&up, "streaming").into_iter().filter(|pod| pod["spec"]["nodeName"].is_string());
        let bound: BTreeSet<String> = bound.map(|pod| pod["metadata"]["uid"].as_str().unwrap().to_owned()).collect();
        println!("{} are bound, {} are compared", bound.len(), compared.len());
        (!bound.is_empty() && bound.is_subset(&compared)).then_some(())
    });
}

#[test]
fn a_placement_can_be_decided_again() {
    let up = Up::start(&["--seed", "4"]);
    let placed = until("a placement", 60, || {
        up.decisions(&["-n", "online-boutique"]).into_iter().find(|d| d["verb"] == "Place" && d["outcome"] == "Done")
    });
    let id = placed["id"].as_str().unwrap();
    let (text, code) = until("its recording reached the store", 20, || {
        let (text, code) = up.ask(&["replay", id]);
        (!text.contains("not known here")).then_some((text, code))
    });
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("same bytes"), "{text}");
    let (text, code) = up.ask(&["replay", "01a20a36-4c94-7c29-ba35-d33514b3210c"]);
    assert_eq!(code, 1, "{text}");
}

#[test]
fn the_mode_is_switched_with_kubectl_and_in_a_file() {
    let up = Up::start(&["--seed", "5"]);
    let mode = |wanted: &str| {
        until(&format!("the mode is {wanted}"), 20, || {
            let (text, _) = up.ask(&["doctor", "-o", "json", "--kubeconfig", &up.kubeconfig]);
            text.contains(&format!("{wanted} (wanted {wanted}")).then_some(())
        });
    };
    mode("Enforce");
    let patch = r#"{"spec":{"features":{"scheduling":{"mode":"Observe"}}}}"#;
    kubectl(&up, &["patch", "platform", "default", "--type=merge", "-p", patch]);
    mode("Observe");
    until("pods that name Keelson are said to wait for it", 60, || {
        up.decisions(&["-n", "online-boutique", "--reason", "SchedulerNotEnforcing"]).into_iter().next()
    });
    let (text, code) = up.ask(&["pause", "scheduling"]);
    assert!(code == 0 && text.contains("paused"), "{text}");
    drop(up);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("platform.yaml");
    let platform = |mode: &str| {
        format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Platform\nmetadata: {{name: default}}\nspec: {{features: {{scheduling: {{mode: {mode}}}}}}}\n"
        )
    };
    std::fs::write(&file, platform("Observe")).unwrap();
    let up = Up::start(&["--seed", "5", "--platform", file.to_str().unwrap()]);
    let headline = || up.ask(&["doctor", "-o", "json", "--kubeconfig", &up.kubeconfig]).0;
    until("the file's mode", 20, || headline().contains("Observe (wanted Observe").then_some(()));
    std::fs::write(&file, platform("Enforce")).unwrap();
    until("the file's new mode", 20, || headline().contains("Enforce (wanted Enforce").then_some(()));
    std::fs::write(&file, "spec: [broken").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(headline().contains("Enforce (wanted Enforce"), "a broken file keeps the last good settings");
}

#[test]
fn what_cannot_start_says_what_to_do() {
    let up = Up::start(&["--seed", "6"]);
    let port = up.page.rsplit(':').next().unwrap();
    for (args, words) in [
        (vec!["up", "--listen", &format!("127.0.0.1:{port}")], "in use"),
        (vec!["up", "--listen", "0.0.0.0:0"], "127.0.0.1"),
        (vec!["up", "--listen", "127.0.0.1:0", "--data", "/proc/nowhere"], "--data"),
        (vec!["up", "--listen", "127.0.0.1:0", "--kubeconfig", "/nowhere"], "kubeconfig /nowhere"),
        (vec!["why", "pod/x", "--server", "http://127.0.0.1:9"], "keelson up"),
    ] {
        let output = Command::new(KEELSON).args(&args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let (text, code) = up.ask(&["why", "pod/nobody"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("does not exist"), "{text}");
}

#[test]
fn what_kubectl_dumps_is_simulated() {
    let up = Up::start(&["--seed", "7"]);
    until("a pod runs", 60, || running(&up, BOUTIQUE[0]));
    let command = keelson::commands::simulate::dump::COMMAND;
    let kinds = command.split_whitespace().nth(2).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, page) = (folder.path().join("dump.json"), folder.path().join("report.html"));
    std::fs::write(&file, kubectl(&up, &["get", kinds, "-A", "-o", "json"])).unwrap();
    drop(up);
    let ask = |args: &[&str]| {
        let output =
            Command::new(KEELSON).args(["simulate", "--from", file.to_str().unwrap()]).args(args).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let told: Value = serde_json::from_str(&ask(&["-o", "json", "--page", page.to_str().unwrap()])).unwrap();
    assert_eq!(told["input"]["problems"], serde_json::json!([]), "{told:#}");
    assert!(told["input"]["used"]["Pod"].as_u64() > Some(5), "{}", told["input"]);
    assert_eq!(told["scheduling"]["replayed"]["nodesOverAllocatable"], 0);
    assert!(
        ask(&[]).contains("With Keelson's scheduler") && std::fs::read_to_string(page).unwrap().contains("</html>")
    );

    let output = Command::new(KEELSON).args(["simulate", "--from", "/dev/null"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("kubectl get nodes,"), "{said}");
}
