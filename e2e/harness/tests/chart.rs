//! The real helm installs the chart on real nodes; what it grants is what is used, and what it brought goes again.
//!
//! One cluster lives through everything, for each start costs seconds. Needs root, the programs of `e2e/tools/README.md`,
//! PostgreSQL, and the image that `cargo xtask image` makes; without them it fails and says what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use keelson_harness::{Cluster, Config};
use serde_json::{Value, json};
use support::installed::{Installed, NAMESPACE, chart, command_in, older_chart};
use support::postgres::Postgres;

/// Rights that no scenario here can use, each with the reason why it is granted.
const UNUSED: &[(&str, &str)] = &[(
    "create pods/eviction",
    "a cluster of a handful of pods has none to spare for a group that drifted; tests/groups.rs of scheduling moves one",
)];

#[test]
fn the_chart_installs_upgrades_survives_a_node_and_leaves_nothing_it_should_not() {
    let config = Config { real_nodes: 2, dns: true, ..Config::default() };
    let cluster = Cluster::start(config).unwrap_or_else(|error| panic!("{error:#}"));
    let mut keelson = Installed::prepare(cluster);
    let postgres = Postgres::start(&keelson.cluster, "default");
    let secret = keelson.json(&["get", "secret", "database", "--namespace=default"])["data"]["url"].clone();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"url": secret},
        "metadata": {"name": "database", "namespace": NAMESPACE}});
    keelson.cluster.apply(&secret.to_string()).unwrap();
    volume(&mut keelson.cluster);
    let before = keelson.objects().unwrap();

    keelson.scenario("a wrong value is refused by its name", |keelson| wrong_values(keelson));
    keelson.scenario("what may not even observe is not started", off);
    keelson.scenario("a fresh installation observes", observe);
    keelson.scenario("an upgrade raises the ceiling, and people take the new mode over", enforce);
    keelson.scenario("each mode by the Platform, too", toggled);
    keelson.scenario("room is made, and claims get volumes", |keelson| room_and_volumes(keelson));
    keelson.scenario("a group is told about itself, and what moving its pods would save", |keelson| group(keelson));
    keelson.scenario("two replicas, and the leader's node dies", crash);
    keelson.scenario("uninstalled with a dead node", |keelson| uninstalled(keelson, &before));
    keelson
        .scenario("installed again, uninstalled without hooks, and found", |keelson| without_hooks(keelson, &before));
    keelson.scenario("purged", |keelson| purged(keelson, &before));

    rights_are_minimal(&keelson);
    keelson.cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
    drop(postgres);
}

fn wrong_values(keelson: &Installed) {
    for (values, said) in [
        (&["features.scheduling.mod=Enforce"][..], "mod"),
        (&["feature.scheduling.mode=Enforce"], "feature"),
        (&["features.scheduling.mode=On"], "/features/scheduling/mode"),
        (
            &["features.scheduling.mode=Enforce"],
            "above features.scheduling.ceiling, which is Observe: raise the ceiling",
        ),
        (
            &["features.scheduling.settings.podMaxBackoffSeconds=0"],
            "/features/scheduling/settings/podMaxBackoffSeconds",
        ),
        (&["features.scheduling.settings.podInitialBackoffSeconds=20"], "above podMaxBackoffSeconds, which is 10"),
        (&["replicas=2"], "replicas is 2 and the database is SQLite"),
        (&["replicas=0"], "/replicas"),
        (&["dashboard.signIn=password"], "/dashboard/signIn"),
        (&["dashboard.tlsSecretName=page"], "set dashboard.signIn to token, oidc or proxy"),
        (&["serviceAccount.create=false"], "name the ServiceAccount that is there"),
        (&["image.digest=sha256:1"], "/image/digest"),
    ] {
        let refusal = keelson.refused(values);
        assert!(refusal.contains(said), "{values:?}: {refusal}");
    }
}

/// A store that goes with its pod: the one volume that there is belongs to the first installation.
const BRIEF: &str = "database.sqlite.persistence.enabled=false";

/// A volume on a node's disk, as an administrator would make one where nobody provisions them.
fn volume(cluster: &mut Cluster) {
    let path = "/var/lib/kubelet/keelson-data";
    let made = cluster.node("real-0").unwrap().command("mkdir").arg(path).status().unwrap();
    assert!(made.success());
    let here = json!({"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["real-0"]}]});
    let spec = json!({"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "local": {"path": path},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}}});
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}, "spec": spec});
    cluster.apply(&volume.to_string()).unwrap();
}

fn off(keelson: &mut Installed) {
    let (_kept, older) = older_chart();
    // As YAML reads a bare Off.
    let off = ["features.scheduling.mode=false", "features.scheduling.ceiling=Off"];
    let said = keelson.release(&older, &off);
    assert!(said.contains("kubectl -n keelson-system rollout status deployment/keelson"), "{said}");
    keelson.is_in("Off");
    keelson.cluster.kubectl(&["delete", "platform", "default"]).unwrap();
    keelson.until("the Platform is made again", || keelson.cluster.kubectl(&["get", "platform", "default"]));
}

fn observe(keelson: &mut Installed) {
    // From an older chart: one revision more, and the definitions are upgraded as well.
    keelson.release(&chart(), &[]);
    let history = keelson.cluster.helm(&["history", "keelson", "--namespace", NAMESPACE]).unwrap();
    assert!(history.contains("keelson-0.0.1") && history.contains("deployed"), "{history}");
    // People own the Platform: it stays Off although the values say Observe now.
    let difference = keelson.until("the difference is shown", || keelson.condition("ValuesDiffer").context("not yet"));
    assert!(difference["message"].as_str().unwrap().contains("mode is Observe there and Off here"), "{difference}");
    keelson.switch("Observe");
    keelson.is_in("Observe");
    keelson.until("the difference is gone", || {
        ensure!(keelson.condition("ValuesDiffer").is_none(), "still there");
        Ok(())
    });
    keelson.pod("waits", None);
    let overview = keelson.page("/api/v1/overview");
    assert_eq!(overview["features"][0]["ceiling"], "Observe", "{overview}");
    keelson.until("it says what it would do", || {
        let decisions = keelson.page("/api/v1/decisions?namespace=default&kind=Pod&name=waits&limit=5");
        ensure!(decisions["decisions"].as_array().is_some_and(|list| !list.is_empty()), "{decisions}");
        Ok(())
    });
    let pod = keelson.json(&["get", "pod", "waits", "--namespace=default"]);
    assert!(pod["spec"]["nodeName"].is_null(), "observing binds nothing: {pod}");
    // What the ceiling does not allow is said, with the line that would.
    keelson.switch("Enforce");
    let reached = keelson.until("the ceiling is reached", || keelson.condition("CeilingReached").context("not yet"));
    assert!(reached["message"].as_str().unwrap().contains("--set features.scheduling.ceiling=Enforce"), "{reached}");
    keelson.switch("Observe");
    keelson.is_in("Observe");
    security(keelson);
}

/// Pods are as the restricted profile wants them, and a little more.
fn security(keelson: &Installed) {
    let pods = keelson.json(&["get", "pods", "--namespace", NAMESPACE, "--selector=app.kubernetes.io/name=keelson"]);
    let pod = &pods["items"][0];
    assert_eq!(pod["spec"]["serviceAccountName"], "keelson");
    let (whole, container) = (&pod["spec"]["securityContext"], &pod["spec"]["containers"][0]["securityContext"]);
    assert_eq!((&whole["runAsUser"], &whole["runAsNonRoot"]), (&json!(65532), &json!(true)));
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "{}", pod["status"]);
}

fn enforce(keelson: &mut Installed) {
    let enforce = [
        "features.scheduling.ceiling=Enforce",
        "features.scheduling.mode=Enforce",
        "features.scheduling.admission=Deny",
        "networkPolicy.enabled=true",
    ];
    keelson.release(&chart(), &enforce);
    let difference = keelson.until("the difference is shown", || keelson.condition("ValuesDiffer").context("not yet"));
    let message = difference["message"].as_str().unwrap();
    let (said, _) = keelson.keelson(&["doctor"]);
    assert!(said.contains("ValuesDiffer") && said.contains(message), "doctor shows it, too: {said}");
    let command = command_in(message).unwrap();
    keelson.cluster.kubectl(&command.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    keelson.is_in("Enforce");
    keelson.runs("waits");
    // What the pod before this one would have done is known: the volume has outlived it.
    let decisions = keelson.page("/api/v1/decisions?namespace=default&kind=Pod&name=waits&limit=50");
    let modes: BTreeSet<_> =
        decisions["decisions"].as_array().unwrap().iter().map(|one| one["mode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["Enforce", "Observe"].into(), "{decisions}");
    keelson.until("the difference is gone", || {
        ensure!(keelson.condition("ValuesDiffer").is_none(), "still there");
        Ok(())
    });
    // As docs/install.md has it: while the controller goes on, through a pod without a shell.
    let file = "--database=/var/lib/keelson/keelson.db";
    let exec = ["exec", "--namespace", NAMESPACE, "deployment/keelson", "--", "keelson", "store", "backup", "-", file];
    let backup = keelson.cluster.kubectl(&exec).unwrap();
    assert!(backup.lines().any(|line| line.contains("\"waits\"")), "the pod's decisions are in the backup: {backup}");
    told_at_once(keelson);
    let account = "system:serviceaccount:keelson-system:keelson";
    let (said, _) = keelson.keelson(&["doctor", "--ceiling", "Enforce", "--as", account]);
    assert!(said.contains("ok    permissions"), "{said}");
}

/// What Keelson cannot place does not come in, once the API server has noticed the policy; other pods do.
fn told_at_once(keelson: &Installed) {
    let create = |scheduler: &str| {
        let spec = json!({"schedulerName": scheduler, "containers": [{"name": "main", "image": "a:1"}],
            "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "claims"}, "spec": spec});
        let json = [("Content-Type", "application/json")];
        let path = "/api/v1/namespaces/default/pods?dryRun=All";
        keelson.cluster.request("POST", path, &json, pod.to_string().as_bytes()).unwrap()
    };
    let refusal = keelson.until("the API server refuses", || {
        let answer = create("keelson");
        ensure!(answer.status == 422, "{}", answer.status);
        Ok(String::from_utf8(answer.body)?)
    });
    assert!(refusal.contains("schedulerName keelson cannot place such a pod"), "{refusal}");
    assert_eq!(create("default-scheduler").status, 201);
}

fn toggled(keelson: &mut Installed) {
    for mode in ["Off", "Observe"] {
        keelson.switch(mode);
        keelson.is_in(mode);
        let name = format!("in-{}", mode.to_lowercase());
        keelson.pod(&name, None);
    }
    let pods = keelson.json(&["get", "pods", "in-off", "in-observe", "--namespace=default"]);
    for pod in pods["items"].as_array().unwrap() {
        assert!(pod["spec"]["nodeName"].is_null(), "{pod}");
    }
    keelson.switch("Enforce");
    keelson.runs("in-off");
    keelson.runs("in-observe");
    // One that fits nowhere is told why, in its status and by an Event.
    let resources = json!({"requests": {"cpu": "900"}});
    let container = json!({"name": "main", "image": "keelson.local/pause:1", "resources": resources});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "too-large", "namespace": "default"},
        "spec": {"schedulerName": "keelson", "containers": [container]}});
    keelson.cluster.apply(&pod.to_string()).unwrap();
    keelson.until("it is told why", || {
        let pod = keelson.json(&["get", "pod", "too-large", "--namespace=default"]);
        let told = pod["status"]["conditions"].as_array().context("no conditions")?;
        ensure!(told.iter().any(|condition| condition["reason"] == "Unschedulable"), "{told:?}");
        Ok(())
    });
    keelson.cluster.kubectl(&["delete", "pod", "too-large", "--namespace=default"]).unwrap();
}

/// A pod of higher priority takes another's place; a claim gets the volume at hand, and one is asked for where none is.
fn room_and_volumes(keelson: &Installed) {
    let pod = |name: &str, spec: Value| {
        let mut whole = json!({"schedulerName": "keelson", "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "keelson.local/pause:1"}]});
        for (key, value) in spec.as_object().unwrap() {
            whole[key] = value.clone();
        }
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": whole})
    };
    let at_the_port = |name: &str, class: Value| {
        let ports = json!([{"containerPort": 80, "hostPort": 9_999}]);
        let container = json!({"name": "main", "image": "keelson.local/pause:1", "ports": ports});
        pod(
            name,
            json!({"priorityClassName": class, "containers": [container],
            "nodeSelector": {"kubernetes.io/hostname": "real-0"}}),
        )
    };
    let named =
        |kind: &str, group: &str, name: &str| json!({"apiVersion": group, "kind": kind, "metadata": {"name": name}});
    let mut urgent = named("PriorityClass", "scheduling.k8s.io/v1", "urgent");
    urgent["value"] = json!(1_000);
    let class = |name: &str, provisioner: &str| {
        let mut class = named("StorageClass", "storage.k8s.io/v1", name);
        class["provisioner"] = json!(provisioner);
        class["volumeBindingMode"] = json!("WaitForFirstConsumer");
        class
    };
    let here = json!({"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["real-1"]}]});
    let mut disk = named("PersistentVolume", "v1", "at-hand");
    disk["spec"] = json!({"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "local": {"path": "/tmp"},
        "storageClassName": "at-hand", "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}}});
    let claim = |name: &str| {
        let mut claim = named("PersistentVolumeClaim", "v1", name);
        claim["metadata"]["namespace"] = json!("default");
        claim["spec"] = json!({"storageClassName": name, "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}});
        claim
    };
    let claiming =
        |name: &str| pod(name, json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]}));
    let apply = |items: &[Value]| {
        keelson.cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    };
    let placed = |name: &str| {
        keelson.until(&format!("{name} has a node"), || {
            let pod = keelson.ask(&["get", "pod", name, "--namespace=default"])?;
            let told = || keelson.page(&format!("/api/v1/decisions?namespace=default&kind=Pod&name={name}&limit=1"));
            pod["spec"]["nodeName"].as_str().map(str::to_owned).with_context(|| format!("{name} waits: {}", told()))
        })
    };
    apply(&[urgent, at_the_port("spare", Value::Null)]);
    keelson.runs("spare");
    apply(&[at_the_port("urgent", json!("urgent"))]);
    assert_eq!(placed("urgent"), "real-0");
    assert!(keelson.ask(&["get", "pod", "spare", "--namespace=default"]).is_err(), "it had to go");

    let none = "kubernetes.io/no-provisioner";
    apply(&[class("at-hand", none), class("made", "nobody.example.com"), disk, claim("at-hand"), claim("made")]);
    apply(&[claiming("at-hand"), claiming("made")]);
    assert_eq!(placed("at-hand"), "real-1");
    keelson.until("it is said where the volume is wanted", || {
        let claim = keelson.ask(&["get", "pvc", "made", "--namespace=default"])?;
        ensure!(claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"].is_string(), "{claim}");
        Ok(())
    });
    let pods = ["delete", "pod", "urgent", "at-hand", "made", "--namespace=default", "--force", "--grace-period=0"];
    keelson.cluster.kubectl(&pods).unwrap();
    keelson.cluster.kubectl(&["delete", "pvc", "at-hand", "made", "--namespace=default"]).unwrap();
    let rest = ["pv/at-hand", "storageclass/at-hand", "storageclass/made", "priorityclass/urgent"];
    keelson.cluster.kubectl(&[&["delete"], rest.as_slice()].concat()).unwrap();
}

/// A group learns what was read in it, and that two of its pods are farther from each other than they must be.
fn group(keelson: &Installed) {
    let pod = |name: &str, node: &str| {
        let labels = json!({"appgroup.diktyo.x-k8s.io": "far", "appgroup.diktyo.x-k8s.io.workload": name});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"schedulerName": "keelson", "nodeName": node, "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": "keelson.local/pause:1"}]}})
    };
    let workload = |name: &str| json!({"kind": "Pod", "name": name, "selector": name});
    let web = json!({"workload": workload("far-web"), "dependencies": [{"workload": workload("far-db")}]});
    let group = json!({"apiVersion": "appgroup.diktyo.x-k8s.io/v1alpha1", "kind": "AppGroup",
        "metadata": {"name": "far", "namespace": "default"},
        "spec": {"numMembers": 2, "workloads": [web, {"workload": workload("far-db")}]}});
    let costs = json!([{"origin": "a", "costList": [{"destination": "b", "networkCost": 5}]},
        {"origin": "b", "costList": [{"destination": "a", "networkCost": 5}]}]);
    let zones = json!([{"topologyKey": "topology.kubernetes.io/zone", "originList": costs}]);
    let topology = json!({"apiVersion": "networktopology.diktyo.x-k8s.io/v1alpha1", "kind": "NetworkTopology",
        "metadata": {"name": "nt-default", "namespace": "default"},
        "spec": {"weights": [{"name": "UserDefined", "topologyList": zones}]}});
    let apply = |items: &[Value]| {
        keelson.cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    };
    apply(&[group, topology, pod("far-web", "real-0"), pod("far-db", "real-1")]);
    for object in ["appgroup/far", "networktopology/nt-default"] {
        keelson.until("it is told that all of it counts", || {
            let object = keelson.ask(&["get", object, "--namespace=default"])?;
            ensure!(object["status"]["conditions"][0]["status"] == "True", "{object}");
            Ok(())
        });
    }
    keelson.until("it is told what a move would save", || {
        let decisions = keelson.page("/api/v1/decisions?namespace=default&name=far&reason=GroupDrifted&limit=1");
        let sentence = decisions["decisions"][0]["sentence"].as_str().unwrap_or_default();
        ensure!(sentence.ends_with("Nothing is moved: keelson.dev/drift is not \"move\"."), "{decisions}");
        Ok(())
    });
    let rest = ["pods", "--selector=appgroup.diktyo.x-k8s.io=far", "--namespace=default", "--ignore-not-found"];
    keelson.cluster.kubectl(&[&["delete"], rest.as_slice()].concat()).unwrap();
    keelson.cluster.kubectl(&["delete", "appgroup/far", "networktopology/nt-default", "--namespace=default"]).unwrap();
}

fn crash(keelson: &mut Installed) {
    let two = [
        "features.scheduling.ceiling=Enforce",
        "features.scheduling.mode=Enforce",
        "replicas=2",
        "database.postgres.secretName=database",
    ];
    keelson.release(&chart(), &two);
    let budget = keelson.json(&["get", "poddisruptionbudget", "keelson", "--namespace", NAMESPACE]);
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    let pods = || -> BTreeMap<String, String> {
        let list = keelson.json(&[
            "get",
            "pods",
            "--namespace",
            NAMESPACE,
            "--selector=app.kubernetes.io/component=controller",
        ]);
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let living =
            list["items"].as_array().unwrap().iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        living.map(|pod| (word(&pod["metadata"]["name"]), word(&pod["spec"]["nodeName"]))).collect()
    };
    let there = keelson.until("two replicas", || {
        let there = pods();
        ensure!(there.len() == 2, "{there:?}");
        Ok(there)
    });
    assert_eq!(there.values().collect::<BTreeSet<_>>().len(), 2, "each on a node of its own: {there:?}");
    let leader = keelson.until("one of the new ones leads", || {
        let leader = keelson.leader();
        ensure!(there.contains_key(&leader), "{leader} of before still leads");
        Ok(leader)
    });
    keelson.told("two replicas, one leads");
    let (dead, alive) = if there[&leader] == "real-0" { ("real-0", "real-1") } else { ("real-1", "real-0") };
    keelson.cluster.node(dead).unwrap().end();
    let next = keelson.until("the other one leads", || {
        let next = keelson.leader();
        ensure!(next != leader, "{next} is dead");
        Ok(next)
    });
    assert_eq!(there[&next], alive);
    keelson.told("the other one has taken over");
    keelson.pod("after-the-crash", Some(alive));
    assert_eq!(keelson.runs("after-the-crash"), alive);
    // What was decided before is known to the one that took over: they share the database.
    keelson.cluster.kubectl(&["cordon", dead]).unwrap();
}

/// What is there now and was not before, but for the test's own pods and what a dead node keeps.
fn left(keelson: &Installed, before: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let now = keelson.objects()?;
    Ok(now.difference(before).filter(|object| !object.starts_with("Pod default/")).cloned().collect())
}

fn kept() -> BTreeSet<String> {
    let groups = ["keelson.dev", "appgroup.diktyo.x-k8s.io", "networktopology.diktyo.x-k8s.io"];
    let services = groups.map(|group| format!("APIService /v1alpha1.{group}"));
    let [own, application, network] = groups;
    let kinds = [(own, "platforms"), (own, "nodenetworks"), (application, "appgroups"), (network, "networktopologies")];
    let definitions = kinds.map(|(group, plural)| format!("CustomResourceDefinition /{plural}.{group}"));
    services.into_iter().chain(definitions).chain(["Platform /default".to_owned()]).collect()
}

fn uninstalled(keelson: &mut Installed, before: &BTreeSet<String>) {
    let said = keelson.cluster.helm(&["uninstall", "keelson", "--namespace", NAMESPACE, "--timeout=120s"]).unwrap();
    assert!(said.contains("scheduling is Off, and its leader has confirmed it."), "{said}");
    // Nobody but a person can say that a dead node's pods are gone.
    keelson
        .cluster
        .kubectl(&["delete", "pods", "--all", "--force", "--grace-period=0", "--namespace", NAMESPACE])
        .unwrap();
    keelson.until("all that was brought is gone", || {
        let left = left(keelson, before)?;
        ensure!(left == kept(), "{left:?}");
        Ok(())
    });
    let missing: Vec<_> = before.difference(&keelson.objects().unwrap()).cloned().collect();
    assert_eq!(missing, Vec::<String>::new(), "what was there before is there still");
    let platform = keelson.json(&["get", "platform", "default"]);
    assert_eq!(platform["spec"]["features"]["scheduling"]["mode"], "Off");
}

fn without_hooks(keelson: &mut Installed, before: &BTreeSet<String>) {
    keelson.release(&chart(), &["features.scheduling.ceiling=Enforce", BRIEF]);
    keelson.switch("Enforce");
    keelson.is_in("Enforce");
    keelson.cluster.helm(&["uninstall", "keelson", "--namespace", NAMESPACE, "--no-hooks"]).unwrap();
    keelson.until("all that was brought is gone", || {
        let left = left(keelson, before)?;
        ensure!(left == kept(), "{left:?}");
        Ok(())
    });
    keelson.pod("nobody-places-it", None);
    let (said, well) = keelson.keelson(&["doctor", "--cleanup"]);
    assert!(!well, "{said}");
    for words in [
        "Platform default still says Enforce",
        "kubectl delete platform default",
        "CustomResourceDefinition platforms.keelson.dev",
        "kubectl delete crd platforms.keelson.dev",
        "Pod default/nobody-places-it waits for the scheduler \"keelson\"",
    ] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    keelson.cluster.kubectl(&["delete", "pod", "nobody-places-it", "--namespace=default"]).unwrap();
}

fn purged(keelson: &mut Installed, before: &BTreeSet<String>) {
    keelson.release(&chart(), &["uninstall.purge=true", "uninstall.waitSeconds=2", BRIEF]);
    // Nobody is there to confirm anything: that is said, and is no reason to stay.
    keelson.cluster.kubectl(&["scale", "deployment/keelson", "--replicas=0", "--namespace", NAMESPACE]).unwrap();
    keelson.until("nobody leads", || {
        let lease = keelson.ask(&["get", "lease", "keelson-scheduling", "--namespace", NAMESPACE])?;
        ensure!(lease["spec"]["holderIdentity"] == "", "{lease}");
        Ok(())
    });
    keelson.switch("Observe");
    let said = keelson.cluster.helm(&["uninstall", "keelson", "--namespace", NAMESPACE, "--timeout=120s"]).unwrap();
    assert!(said.contains("within 2 s nobody confirmed it: nobody holds its Lease"), "{said}");
    keelson.until("everything is gone", || {
        let left = left(keelson, before)?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    });
    let (said, well) = keelson.keelson(&["doctor", "--cleanup"]);
    assert!(well && said.contains("nothing of Keelson is in this cluster"), "{said}");
}

/// Each request had a rule, and each rule has a request that would be refused without it.
fn rights_are_minimal(keelson: &Installed) {
    let asked = || {
        keelson.scenarios.iter().flat_map(|scenario| scenario.asked.iter().map(|(request, _)| (scenario.name, request)))
    };
    assert!(asked().count() > 100, "the log has what Keelson asked");
    let refused: Vec<String> = keelson
        .scenarios
        .iter()
        .flat_map(|scenario| {
            scenario
                .asked
                .iter()
                .filter(|(_, allowed)| !allowed)
                .map(|(request, _)| format!("{}: {request}", scenario.name))
        })
        .collect();
    assert_eq!(refused, Vec::<String>::new(), "was asked for and not granted");
    let without: BTreeSet<String> = asked()
        .filter(|(_, request)| !keelson.granted.iter().any(|right| right.allows(request)))
        .map(|(_, request)| request.to_string())
        .collect();
    assert_eq!(without, BTreeSet::new(), "no rule of the chart's allows it");
    let mut idle = Vec::new();
    for right in &keelson.granted {
        let others = || keelson.granted.iter().filter(|other| *other != right);
        let needed = asked().find(|(_, request)| right.allows(request) && !others().any(|other| other.allows(request)));
        match needed {
            Some((scenario, request)) => println!("  {right}: without it, \"{scenario}\" is refused {request}"),
            None => idle.push(right.to_string()),
        }
    }
    let listed: Vec<&str> = UNUSED.iter().map(|(right, _)| *right).collect();
    assert_eq!(idle, listed, "rights that nothing used, and those that are listed with a reason");
}
