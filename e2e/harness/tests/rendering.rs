//! What the chart makes of its values, without a cluster: each option brings its objects, alone and only when it is asked for.
//!
//! Needs helm, which is built from `e2e/tools/helm`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::process::Command;

use keelson_harness::helm;
use keelson_harness::tools::Toolset;
use serde_json::{Value, json};

const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yaml");
const POLICY: &str = include_str!("../../../deploy/admission/scheduling.yaml");
const OPT_IN: &str = include_str!("../../../deploy/admission/opt-in.yaml");
/// The kinds of Prometheus' operator.
const OPERATOR: &str = "--api-versions=monitoring.coreos.com/v1";
const OPTIONS: [&str; 4] = [
    "--set=networkPolicy.enabled=true",
    "--set=monitoring.rules.enabled=true",
    "--set=features.scheduling.admission=Deny",
    OPERATOR,
];

/// What helm says to the arguments: the objects, or why not.
fn render(args: &[&str]) -> Result<Vec<Value>, String> {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(Toolset::Helm.ready().unwrap().join("helm"));
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(name, home.path());
    }
    command.args(["template", "keelson"]).arg(helm::chart("keelson")).arg("--namespace=keelson-system").args(args);
    let output = command.output().unwrap();
    match output.status.success() {
        true => Ok(serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

fn of_kind(objects: &[Value], kind: &str) -> Option<Value> {
    objects.iter().find(|object| object["kind"] == kind).cloned()
}

fn kinds(objects: &[Value]) -> BTreeSet<String> {
    objects.iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_not_asked_for_is_not_made() {
    let plain = kinds(&render(&[OPERATOR]).unwrap());
    let all = kinds(&render(&OPTIONS).unwrap());
    let more: Vec<_> = all.difference(&plain).map(String::as_str).collect();
    let optional = ["NetworkPolicy", "PrometheusRule", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    assert_eq!(more, optional);
    assert!(plain.is_subset(&all));
}

#[test]
fn no_option_needs_a_right() {
    let rules =
        |objects: Vec<Value>| ["ClusterRole", "Role"].map(|kind| of_kind(&objects, kind).unwrap()["rules"].clone());
    assert_eq!(rules(render(&[]).unwrap()), rules(render(&OPTIONS).unwrap()));
}

#[test]
fn the_platform_of_a_fresh_installation_has_no_field_that_the_platform_has_not() {
    let config = of_kind(&render(&[]).unwrap(), "ConfigMap").unwrap();
    let platform: Value = serde_saphyr::from_str(config["data"]["platform.yaml"].as_str().unwrap()).unwrap();
    for (name, feature) in platform["spec"]["features"].as_object().unwrap() {
        let fields: BTreeSet<&str> = feature.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(fields.is_subset(&BTreeSet::from(["mode", "paused", "settings"])), "{name}: {fields:?}");
    }
}

#[test]
fn one_config_map_of_times_may_be_read_where_it_is_named_and_none_otherwise() {
    let values = [
        "--set=features.scheduling.networkTimes.namespace=net",
        "--set=features.scheduling.networkTimes.configMap=netperf",
    ];
    let of_times = |objects: Vec<Value>| -> Vec<Value> {
        objects.into_iter().filter(|object| object["metadata"]["namespace"] == "net").collect()
    };
    assert_eq!(of_times(render(&[]).unwrap()), Vec::<Value>::new());
    let made = of_times(render(&values).unwrap());
    let rule = json!({"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["netperf"], "verbs": ["get"]});
    assert_eq!(of_kind(&made, "Role").unwrap()["rules"], json!([rule]));
    let binding = of_kind(&made, "RoleBinding").unwrap();
    assert_eq!(binding["roleRef"]["name"], of_kind(&made, "Role").unwrap()["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["namespace"], "keelson-system");
    let half = render(&values[..1]).unwrap_err();
    assert!(half.contains("networkTimes"), "{half}");
}

#[test]
fn a_network_policy_lets_through_what_is_configured_and_nothing_else() {
    let policy = |args: &[&str]| {
        let all: Vec<&str> = ["--set=networkPolicy.enabled=true"].iter().chain(args).copied().collect();
        of_kind(&render(&all).unwrap(), "NetworkPolicy").unwrap()["spec"].clone()
    };
    let to = |spec: &Value| -> Vec<Vec<String>> {
        let ports = |rule: &Value| -> Vec<String> {
            rule["ports"].as_array().unwrap().iter().map(|port| port["port"].to_string()).collect()
        };
        spec["egress"].as_array().unwrap().iter().map(ports).collect()
    };
    let closed = policy(&[]);
    assert_eq!(closed["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(closed["ingress"], json!([]), "the page is on the pod's loopback");
    assert_eq!(to(&closed), [["53", "53"], ["443", "6443"]]);

    let open = policy(&[
        "--set=dashboard.signIn=oidc",
        "--set=dashboard.oidc.issuer=https://example.com:8443/realm",
        "--set=dashboard.oidc.client=keelson",
        "--set=dashboard.hosts={example.com}",
        "--set=log.otlp=http://collector:4318",
        "--set=database.postgres.secretName=database",
        "--set=networkPolicy.databasePort=6432",
        "--set=networkPolicy.apiServerPorts={8443}",
        "--set-json=networkPolicy.from=[{\"namespaceSelector\": {}}]",
    ]);
    assert_eq!(to(&open), [vec!["53", "53"], vec!["8443"], vec!["6432"], vec!["4318"], vec!["8443"]]);
    let page = json!([{"ports": [{"protocol": "TCP", "port": "page"}], "from": [{"namespaceSelector": {}}]}]);
    assert_eq!(open["ingress"], page);
    let usual = policy(&["--set=log.otlp=http://collector"]);
    assert_eq!(to(&usual)[2], ["80"], "a URL without a port means its scheme's");

    // It is about the pods that the chart makes: the controller's, and that of the uninstallation.
    let objects = render(&["--set=networkPolicy.enabled=true"]).unwrap();
    for kind in ["Deployment", "Job"] {
        let labels = of_kind(&objects, kind).unwrap()["spec"]["template"]["metadata"]["labels"].clone();
        for (name, value) in closed["podSelector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(labels[name], *value, "{kind}: {name}");
        }
    }
}

#[test]
fn monitoring_is_made_where_its_kinds_are() {
    let asked = [
        "--set=monitoring.rules.enabled=true",
        "--set=monitoring.rules.labels.release=prometheus",
        "--set=monitoring.serviceMonitor.enabled=true",
        "--set=monitoring.serviceMonitor.tokenSecretName=prometheus",
        "--set=monitoring.serviceMonitor.interval=15s",
        "--set=dashboard.signIn=token",
        "--set=dashboard.tlsSecretName=page",
    ];
    let without = kinds(&render(&asked).unwrap());
    assert!(!without.contains("ServiceMonitor") && !without.contains("PrometheusRule"), "{without:?}");
    let with = render(&[&asked[..], &[OPERATOR]].concat()).unwrap();
    let rules = of_kind(&with, "PrometheusRule").unwrap();
    let judged: Value = serde_saphyr::from_str(ALERTS).unwrap();
    assert_eq!(rules["spec"], judged, "the alerts that promtool judges");
    assert_eq!(rules["metadata"]["labels"]["release"], "prometheus");
    let monitor = of_kind(&with, "ServiceMonitor").unwrap();
    let endpoint = json!({"port": "page", "path": "/metrics", "interval": "15s", "scheme": "https",
        "authorization": {"credentials": {"name": "prometheus", "key": "token"}},
        "tlsConfig": {"serverName": "keelson.keelson-system.svc", "ca": {"secret": {"name": "page", "key": "ca.crt"}}}});
    assert_eq!(monitor["spec"]["endpoints"], json!([endpoint]));
    let service = of_kind(&with, "Service").unwrap();
    for (name, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(service["metadata"]["labels"][name], *value, "it finds the Service");
    }
    assert_eq!(service["spec"]["ports"][0]["name"], "page");
}

#[test]
fn the_extender_is_served_to_those_alone_who_have_a_certificate() {
    let asked = [
        "--set=features.scheduling.extender.enabled=true",
        "--set=features.scheduling.extender.tlsSecretName=served",
        "--set=features.scheduling.extender.clientAuthoritySecretName=clients",
        "--set-json=features.scheduling.extender.from=[{\"ipBlock\": {\"cidr\": \"10.0.0.0/24\"}}]",
        "--set=networkPolicy.enabled=true",
    ];
    let made = render(&asked).unwrap();
    let pod = of_kind(&made, "Deployment").unwrap()["spec"]["template"]["spec"].clone();
    let args: Vec<&str> = pod["containers"][0]["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for flag in [
        "--extender=0.0.0.0:9443",
        "--extender-tls-cert=/etc/keelson/extender/tls.crt",
        "--extender-tls-key=/etc/keelson/extender/tls.key",
        "--extender-client-ca=/etc/keelson/extender-clients/ca.crt",
    ] {
        assert!(args.contains(&flag), "{flag}: {args:?}");
    }
    let mounted = |name: &str| {
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
        let at = mounts.iter().find(|mount| mount["name"] == name).unwrap()["mountPath"].clone();
        let volumes = pod["volumes"].as_array().unwrap();
        (at, volumes.iter().find(|volume| volume["name"] == name).unwrap()["secret"]["secretName"].clone())
    };
    assert_eq!(mounted("extender"), (json!("/etc/keelson/extender"), json!("served")));
    assert_eq!(mounted("extender-clients"), (json!("/etc/keelson/extender-clients"), json!("clients")));
    let service = of_kind(&made, "Service").unwrap();
    assert_eq!(service["metadata"]["name"], "keelson-extender");
    assert_eq!(service["spec"]["ports"], json!([{"name": "extender", "port": 9443, "targetPort": "extender"}]));
    let ingress = of_kind(&made, "NetworkPolicy").unwrap()["spec"]["ingress"].clone();
    let from = json!([{"ipBlock": {"cidr": "10.0.0.0/24"}}]);
    assert_eq!(ingress, json!([{"ports": [{"protocol": "TCP", "port": "extender"}], "from": from}]));
    let platform = of_kind(&made, "ConfigMap").unwrap()["data"]["platform.yaml"].as_str().unwrap().to_owned();
    assert!(!platform.contains("extender"), "the Platform has no such setting: {platform}");
    assert!(!Value::from(render(&[]).unwrap()).to_string().contains("extender"), "off, it leaves nothing");
}

#[test]
fn the_admission_policy_is_the_one_that_is_tested_field_by_field() {
    let values = ["--set=features.scheduling.admission=Warn"];
    let of = |objects: &[Value], kind: &str| {
        let mut object = of_kind(objects, kind).unwrap();
        object["metadata"].as_object_mut().unwrap().remove("labels");
        object
    };
    let tested: Vec<Value> = serde_saphyr::from_multiple(POLICY).unwrap();
    let made = render(&values).unwrap();
    for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
        assert_eq!(of(&made, kind), of(&tested, kind));
    }
    let other = ["--set=features.scheduling.admission=Deny", "--set=features.scheduling.settings.schedulerName=tide"];
    let made = render(&other).unwrap();
    assert_eq!(of(&made, "ValidatingAdmissionPolicyBinding")["spec"]["validationActions"], json!(["Deny"]));
    let policy = of(&made, "ValidatingAdmissionPolicy").to_string();
    assert!(policy.contains("schedulerName == 'tide'") && policy.contains("schedulerName tide cannot"), "{policy}");
    let platform = of_kind(&made, "ConfigMap").unwrap()["data"]["platform.yaml"].as_str().unwrap().to_owned();
    assert!(!platform.contains("admission"), "the Platform has no such setting: {platform}");
}

const OPTED_IN: [&str; 2] =
    ["--set=features.scheduling.optIn.enabled=true", "--set=features.scheduling.ceiling=Enforce"];

#[test]
fn the_policy_for_namespaces_that_opt_in_is_the_one_that_a_real_api_server_runs() {
    let of = |objects: &[Value], kind: &str| {
        let mut object = of_kind(objects, kind)?;
        object["metadata"].as_object_mut().unwrap().remove("labels");
        Some(object)
    };
    let ran: Vec<Value> = serde_saphyr::from_multiple(OPT_IN).unwrap();
    let made =
        render(&[&OPTED_IN[..], &["--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"]].concat());
    let made = made.unwrap();
    for kind in ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"] {
        assert_eq!(of(&made, kind), of(&ran, kind));
        assert!(of(&ran, kind).is_some());
    }
    let older = "--api-versions=admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy";
    for kind in ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"] {
        let object = of_kind(&render(&[&OPTED_IN[..], &[older]].concat()).unwrap(), kind).unwrap();
        assert_eq!(object["apiVersion"], "admissionregistration.k8s.io/v1beta1");
        assert_eq!(of_kind(&render(&OPTED_IN).unwrap(), kind), None, "the cluster has none");
    }
    let platform = of_kind(&made, "ConfigMap").unwrap()["data"]["platform.yaml"].as_str().unwrap().to_owned();
    assert!(!platform.contains("optIn"), "the Platform has no such setting: {platform}");
    assert!(platform.contains("layout: Dedicated") && platform.contains("headroomPercent: 10"), "{platform}");
}

#[test]
fn to_replace_kube_scheduler_its_lease_may_be_read_and_otherwise_not() {
    let reads = |values: &[&str]| {
        let made = render(values).unwrap();
        let rules = of_kind(&made, "ClusterRole").unwrap()["rules"].as_array().unwrap().clone();
        rules.into_iter().find(|rule| rule["resources"] == json!(["leases"]))
    };
    let enforce = "--set=features.scheduling.ceiling=Enforce";
    let replace = "--set=features.scheduling.settings.layout=Replacement";
    let rule = reads(&[enforce, replace]).unwrap();
    assert_eq!((&rule["resourceNames"], &rule["verbs"]), (&json!(["kube-scheduler"]), &json!(["get"])));
    let shared = "--set=features.scheduling.settings.layout=Shared";
    for values in [&[enforce][..], &[enforce, shared], &[replace]] {
        assert_eq!(reads(values), None, "{values:?}");
    }
    let named = "--set=features.scheduling.settings.schedulerName=default-scheduler";
    assert!(render(&[replace, named]).is_ok());
}

#[test]
fn values_that_were_kept_from_before_layouts_ask_for_none() {
    let kept = ["--set=features.scheduling.settings.layout=null", "--set=features.scheduling.optIn=null"];
    let made = render(&kept).unwrap();
    let platform = of_kind(&made, "ConfigMap").unwrap()["data"]["platform.yaml"].as_str().unwrap().to_owned();
    assert!(!platform.contains("layout"), "{platform}");
    assert_eq!(of_kind(&made, "MutatingAdmissionPolicy"), None);
}

#[test]
fn an_option_that_is_wrong_is_refused_by_its_name() {
    for (value, said) in [
        ("features.scheduling.optIn.enabled=true", "features.scheduling.ceiling is Observe"),
        (
            "features.scheduling.optIn.enabled=true,features.scheduling.ceiling=Enforce,\
             features.scheduling.settings.layout=Replacement,features.scheduling.settings.schedulerName=default-scheduler",
            "pods that name no scheduler are Keelson's already",
        ),
        ("features.scheduling.settings.schedulerName=default-scheduler", "layout is Dedicated"),
        ("features.scheduling.settings.layout=Pool", "/features/scheduling/settings/layout"),
        ("features.scheduling.settings.headroomPercent=51", "/features/scheduling/settings/headroomPercent"),
        ("features.scheduling.admission=On", "/features/scheduling/admission"),
        ("features.scheduling.extender.enabled=true", "features.scheduling.extender.tlsSecretName"),
        ("features.scheduling.extender.port=0", "/features/scheduling/extender/port"),
        (
            "features.scheduling.mode=Off,features.scheduling.ceiling=Off,features.scheduling.extender.enabled=true,\
             features.scheduling.extender.tlsSecretName=a,features.scheduling.extender.clientAuthoritySecretName=b",
            "features.scheduling.ceiling is Off",
        ),
        ("networkPolicy.enable=true", "enable"),
        ("networkPolicy.apiServerPorts={0}", "/networkPolicy/apiServerPorts/0"),
        ("networkPolicy.databasePort=70000", "/networkPolicy/databasePort"),
        ("monitoring.rule.enabled=true", "rule"),
        ("monitoring.serviceMonitor.enabled=true", "dashboard.signIn is none"),
        (
            "monitoring.serviceMonitor.enabled=true,dashboard.signIn=token",
            "monitoring.serviceMonitor.tokenSecretName is empty",
        ),
        ("monitoring.serviceMonitor.interval=soon", "/monitoring/serviceMonitor/interval"),
    ] {
        let refusal = render(&[&format!("--set={value}")]).unwrap_err();
        assert!(refusal.contains(said), "{value}: {refusal}");
    }
}
