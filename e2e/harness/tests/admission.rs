//! The generated admission policy on a real API server: it compiles there, warns of what Keelson cannot place, refuses it
//! when told to, and lets every other pod pass. And what becomes of the other policy where there is no kind for it.
//!
//! Needs root and the programs of `e2e/tools/README.md`; without them it fails and says what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;
use keelson_harness::{Cluster, Config, helm, wait};
use serde_json::{Value, json};

const POLICY: &str = include_str!("../../../deploy/admission/scheduling.yaml");
const SHOP: &str = include_str!("../../apps/online-boutique/app.yaml");
const NAME: &str = "keelson-scheduling-fields";
/// Longest wait until the API server has noticed a policy.
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of a pod that uses a refused field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// The policy speaks.
    Told,
    /// The feature is off in Kubernetes 1.36 as it comes: the API server refuses the pod before any policy sees it.
    Refused,
    /// As above, but it leaves the field out.
    LeftOut,
}
use Fate::{LeftOut, Refused, Told};

/// A pod spec for every field of the policy, with the fields that it uses.
fn examples() -> Vec<(Fate, &'static [&'static str], Value)> {
    let claims = json!([{"name": "gpu"}]);
    let claimed = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    let rules = json!([{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [7]}}]);
    vec![
        (
            Told,
            &["spec.containers[].resources.claims", "spec.resourceClaims"],
            json!({"containers": [{"name": "c", "image": "a:1", "resources": {"claims": claims}}],
                "resourceClaims": claimed}),
        ),
        (
            Told,
            &["spec.initContainers[].resources.claims", "spec.resourceClaims"],
            json!({"initContainers": [{"name": "i", "image": "a:1", "resources": {"claims": claims}}],
                "resourceClaims": claimed}),
        ),
        (
            Told,
            &["spec.containers[].restartPolicyRules[].action"],
            json!({"containers": [{"name": "c", "image": "a:1", "restartPolicy": "Never",
                "restartPolicyRules": rules}]}),
        ),
        (
            Told,
            &["spec.initContainers[].restartPolicyRules[].action"],
            json!({"initContainers": [{"name": "i", "image": "a:1", "restartPolicy": "Never",
                "restartPolicyRules": rules}]}),
        ),
        (Refused, &["spec.hostUsers"], json!({"hostUsers": false, "hostNetwork": true})),
        (Refused, &["spec.resources.claims"], json!({"resources": {"claims": claims}})),
        (LeftOut, &["spec.schedulingGroup"], json!({"schedulingGroup": {"podGroupName": "g"}})),
        (
            Refused,
            &["spec.tolerations[].operator"],
            json!({"tolerations": [{"key": "speed", "operator": "Gt", "value": "5", "effect": "NoSchedule"}]}),
        ),
    ]
}

/// The pods of Online Boutique.
fn shop() -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(SHOP).unwrap();
    let specs = documents.iter().map(|document| document["spec"]["template"]["spec"].clone());
    specs.filter(|spec| !spec.is_null()).collect()
}

/// What the API server says when somebody would create a pod: the status, what the policy warned of, and the body.
fn create(cluster: &Cluster, scheduler: &str, spec: &Value) -> (u16, BTreeSet<String>, String) {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"schedulerName": scheduler, "containers": [{"name": "c", "image": "a:1"}]}});
    for (field, value) in spec.as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    let path = "/api/v1/namespaces/default/pods?dryRun=All";
    let json = [("Content-Type", "application/json")];
    let answer = cluster.request("POST", path, &json, pod.to_string().as_bytes()).unwrap();
    let warnings = answer.headers.iter().filter(|(name, text)| name == "warning" && text.contains(NAME));
    let fields = warnings.map(|(_, text)| field(text.rsplit("': ").next().unwrap()).to_owned()).collect();
    (answer.status, fields, String::from_utf8(answer.body).unwrap())
}

/// The field that a message of the policy begins with.
fn field(message: &str) -> &str {
    message.split(": ").next().unwrap()
}

#[test]
fn the_admission_policy_names_what_keelson_cannot_place_and_lets_other_pods_pass() {
    let cluster = Cluster::start(Config { default_scheduler: false, ..Config::default() })
        .unwrap_or_else(|error| panic!("{error:#}"));
    cluster.apply(POLICY).unwrap();
    wait::until("the API server to check the policy's expressions", PATIENCE, || {
        let status = "--output=jsonpath={.status.observedGeneration} {.status.typeChecking.expressionWarnings}";
        let said = cluster.kubectl(&["get", "validatingadmissionpolicy", NAME, status])?;
        ensure!(said.starts_with('1'), "not yet checked: {said}");
        assert_eq!(said, "1 ", "an expression is not right");
        Ok(())
    })
    .unwrap();
    let claim = json!({"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]});
    wait::until("the API server to notice the policy", PATIENCE, || {
        ensure!(!create(&cluster, "keelson", &claim).1.is_empty());
        Ok(())
    })
    .unwrap();

    let mut problems = Vec::new();
    for (fate, fields, spec) in examples() {
        let (status, warned, body) = create(&cluster, "keelson", &spec);
        let status_expected = if fate == Refused { 422 } else { 201 };
        let expected: &[&str] = if fate == Told { fields } else { &[] };
        if status != status_expected || !warned.iter().map(String::as_str).eq(expected.iter().copied()) {
            problems.push(format!("{fields:?}: {status}, warned of {warned:?}: {body}"));
        }
        let (_, other, _) = create(&cluster, "default-scheduler", &spec);
        assert!(other.is_empty(), "a pod of another scheduler is warned of {other:?}");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));

    let documents: Vec<Value> = serde_saphyr::from_multiple(POLICY).unwrap();
    let messages =
        documents[0]["spec"]["validations"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap());
    let shown: BTreeSet<&str> = examples().iter().flat_map(|(_, fields, _)| *fields).copied().collect();
    assert_eq!(messages.map(field).collect::<BTreeSet<_>>(), shown, "each field of the policy has an example above");

    assert_eq!(shop().len(), 11);
    for spec in shop() {
        let (status, warned, body) = create(&cluster, "keelson", &spec);
        assert_eq!((status, warned.len()), (201, 0), "{body}");
    }

    let deny = r#"{"spec":{"validationActions":["Deny"]}}"#;
    cluster.kubectl(&["patch", "validatingadmissionpolicybinding", NAME, "--type=merge", "--patch", deny]).unwrap();
    wait::until("the API server to refuse", PATIENCE, || {
        let (status, _, body) = create(&cluster, "keelson", &claim);
        ensure!(status == 422, "{status}: {body}");
        assert!(body.contains("dynamic resource allocation is not implemented"), "{body}");
        Ok(())
    })
    .unwrap();
    assert_eq!(create(&cluster, "default-scheduler", &claim).0, 201);
    for spec in shop() {
        assert_eq!(create(&cluster, "keelson", &spec).0, 201);
    }
    cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn where_there_are_no_mutating_policies_the_chart_leaves_ours_out_and_says_so() {
    for (oldest, makes) in [(true, false), (false, true)] {
        let bare = Config { oldest, controllers: false, default_scheduler: false, ..Config::default() };
        let cluster = Cluster::start(bare).unwrap_or_else(|error| panic!("{error:#}"));
        let set = "features.scheduling.ceiling=Enforce,features.scheduling.optIn.enabled=true";
        let chart = helm::chart("keelson").display().to_string();
        let args = ["install", "keelson", &chart, "--namespace=default", "--dry-run=server", "--set", set];
        let said = cluster.helm(&args).unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!(said.contains("kind: MutatingAdmissionPolicyBinding"), makes, "{said}");
        assert_eq!(said.contains("this cluster has no MutatingAdmissionPolicies"), !makes, "{said}");
    }
}
