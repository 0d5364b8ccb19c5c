//! Dumps in, reports out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_placement::Layout;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::dump::{Dump, read};
use super::*;

const EXAMPLE: &str = include_str!("../../../../../docs/examples/online-boutique.json");

fn dumped(text: &str) -> Result<Dump, Unusable> {
    read(&[("dump.json".to_owned(), text.to_owned())])
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn node(name: &str, cpu: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": format!("z-{name}")}},
        "status": {"allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "10"}}})
}

fn pod(app: &str, number: u32, node: Option<&str>, cpu: &str) -> Value {
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-5d9"), "uid": app,
        "controller": true});
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{app}-5d9-{number}"), "namespace": "shop", "uid": format!("{app}-{number}"),
            "creationTimestamp": format!("2026-01-01T00:00:0{number}Z"), "ownerReferences": [owner],
            "labels": {"app": app, "pod-template-hash": "5d9"}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}]}})
}

fn asked(layout: Layout) -> Question {
    Question { seed: 1, layout }
}

fn answered(text: &str) -> Answer {
    answer(dumped(text).unwrap(), &asked(Layout::All), &mut |_, _, _| {})
}

/// The report without colours, which a terminal would get.
fn words(answer: &Answer) -> String {
    let told = words::told(answer, false);
    let mut parts = told.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn every_line_of_a_small_report() {
    let apart = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}]}});
    let web = |number| {
        let mut pod = pod("web", number, Some("a"), "300m");
        pod["spec"]["affinity"] = apart.clone();
        pod
    };
    let mut alone = pod("debug", 3, Some("b"), "100m");
    alone["metadata"]["ownerReferences"] = json!([]);
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}});
    let deployment =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "v"}});
    let items = [
        node("a", "1"),
        node("b", "2"),
        web(1),
        web(2),
        alone,
        pod("huge", 4, None, "3"),
        pod("tiny", 5, None, "1200m"),
        service,
        deployment,
        secret,
    ];
    let expected = "\
dump.json: 2 nodes in 2 zones, 5 pods. Not looked at: Deployment 1. 1 Secret passed over unread.

With Keelson's scheduler
  Of 2 pods without a node 1 would get one at once.
  Of 2 running pods that can be placed again 1 would be on another node.
  2 pods break a required rule today; none would.

Pods without a node
  OnlyFeasibleNode, 1 pod: Placed at once.
    shop/tiny-5d9-5 -> b
  Unschedulable, 1 pod: 0/2 nodes are available: 2 Insufficient cpu. With 1.9 cpu instead of 3 it would fit on b.
    shop/huge-5d9-4

Nodes, by the resource of which most is requested
                           TODAY              WITH KEELSON
  nodes in use             2 of 2             2 of 2
  fullest node             60.0 % (cpu of a)  30.0 % (cpu of a)
  mean of nodes            32.5 %             25.0 %
  standard deviation       27.5 %             5.0 %
  nodes over allocatable   0                  0
  pods with a broken rule  2                  0

Required rules broken today
  POD             NODE  RULE
  shop/web-5d9-1  a     InterPodAffinity: 1 pod it must be apart from in kubernetes.io/hostname=a
  shop/web-5d9-2  a     InterPodAffinity: 1 pod it must be apart from in kubernetes.io/hostname=a

Pods that stay where they are
  1 owned by no workload that would make them again

Requests are compared, not usage. Running pods were placed again in one pass, the most urgent and oldest first, AppGroups \
as a unit; among equal nodes the seed 1 decides. Nobody was moved or asked. Every pod and line: --output wide, or json.
";
    assert_eq!(words(&answered(&list(&items))), expected);
}

#[test]
fn the_example_shows_what_a_group_would_save() {
    let answer = answered(EXAMPLE);
    assert_eq!(answer.input.problems, []);
    let report = &answer.scheduling;
    let group = &report.groups[0];
    assert_eq!((group.group.as_str(), group.pods, group.pairs), ("online-boutique/online-boutique", 11, 15));
    assert!(group.as_unit < Some(group.today / 3), "{group:?}");
    assert!(group.per_pod.is_none() || group.as_unit <= group.per_pod, "{group:?}");
    assert!(!report.broken_today.is_empty() && report.broken_after.is_empty() && report.unplaced.is_empty());
    assert_eq!(report.refused_fields[0].field, "spec.resourceClaims");
    // Of which e2e/parity holds the real kube-scheduler against the guide.
    let guide = include_str!("../../../../../docs/guide.md");
    assert!(report.waiting.iter().all(|told| guide.contains(&told.sentence)), "{:?}", report.waiting);
}

#[test]
fn the_data_of_a_secret_reaches_nothing() {
    let secret = json!({"data": {"token": "c2VjcmV0LXRva2Vu"}, "apiVersion": "v1", "kind": "Secret", "stringData": {"a": "plain-secret"},
        "metadata": {"name": "hidden-name", "namespace": "shop", "annotations": {"last": "annotated-secret"}}});
    let mut mangled = secret.clone();
    mangled["metadata"] = json!({"name": 5});
    let whole = json!({"kind": "SecretList", "items": [secret]});
    for items in [vec![node("a", "1"), secret.clone()], vec![node("a", "1"), mangled], vec![node("a", "1"), whole]] {
        let answer = answered(&list(&items));
        let told =
            [words(&answer), page::html(&answer), serde_json::to_string(&answer).unwrap(), format!("{answer:?}")];
        for word in ["c2VjcmV0", "plain-secret", "annotated-secret", "hidden-name"] {
            assert!(!told.concat().contains(word), "{word}");
        }
    }
    let broken = format!("{}{}", list(&[node("a", "1")]), r#"{"kind": "Secret", "data": {"token": "c2VjcmV0" "#);
    assert!(!dumped(&broken).unwrap_err().to_string().contains("c2VjcmV0"));
    let yaml = "kind: Secret\ndata:\n  token: c2VjcmV0\n bad: [";
    assert!(!dumped(yaml).unwrap_err().to_string().contains("c2VjcmV0"));
}

#[test]
fn what_is_no_dump_is_one_sentence_with_the_command() {
    for (text, word) in [
        ("", "dump.json is empty"),
        ("  \n", "dump.json is empty"),
        ("NAME   STATUS\nnode-1  Ready", "no object of Kubernetes"),
        ("a: [", "neither JSON nor YAML"),
        ("{\"kind\": \"List\", \"items\": [", "breaks off at line 1"),
        ("{} x", "is no JSON at line 1"),
        (&list(&[]), "has no Node"),
        (&list(&[pod("web", 1, None, "1")]), "has no Node"),
    ] {
        let said = dumped(text).unwrap_err().to_string();
        assert!(said.contains(word) && said.contains("kubectl get nodes,"), "{text:?}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
}

#[test]
fn a_malformed_item_is_a_line_and_the_rest_is_read() {
    let mut wrong = pod("web", 1, None, "1");
    wrong["spec"]["containers"][0]["ports"] = json!([{"containerPort": "http"}]);
    let mut unnamed = pod("web", 2, None, "1");
    unnamed["metadata"] = json!({});
    let many = pod("web", 3, Some("a"), "many");
    let answer = answered(&list(&[node("a", "1"), wrong, json!(7), unnamed, many, pod("web", 4, Some("a"), "100m")]));
    let told: Vec<String> = answer.input.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(
        told[0].starts_with("dump.json: item 1 (Pod shop/web-5d9-1): spec.containers[0].ports[0].containerPort: "),
        "{}",
        told[0]
    );
    assert!(told[1].starts_with("dump.json: item 2 (unknown): kind: "), "{}", told[1]);
    assert!(told[2].starts_with("dump.json: item 3 (Pod ): metadata.name: "), "{}", told[2]);
    assert!(told[3].contains("spec.containers[0].resources.requests[cpu]: "), "{}", told[3]);
    assert_eq!((answer.scheduling.counts.pods, answer.scheduling.counts.movable), (2, 1));
}

#[test]
fn lists_in_lists_typed_lists_many_documents_and_yaml_are_read() {
    let typed = json!({"kind": "NodeList", "apiVersion": "v1", "items": [{"metadata": {"name": "b"}}]});
    let nested = json!({"kind": "List", "items": [{"kind": "List", "items": [node("a", "1")]}]});
    let text = format!("{nested}\n{typed}{}", json!([node("c", "1")]));
    let names = |text: &str| {
        let answer = answered(text);
        answer.scheduling.nodes.iter().map(|row| row.node.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&text), "b a c");
    assert_eq!(
        names(
            "apiVersion: v1\nkind: Node\nmetadata: {name: x}\n---\nkind: List\nitems:\n- kind: Node\n  metadata: {name: z}\n"
        ),
        "x z"
    );
    assert_eq!(names(&format!("\u{feff}{}", list(&[node("a", "1")]))), "a");
    let twice =
        answered(&list(&[node("a", "1"), node("a", "2"), pod("w", 1, None, "1500m"), pod("w", 1, None, "100m")]));
    assert_eq!((twice.input.repeated, twice.scheduling.counts.pods, twice.scheduling.waiting_placed_after), (2, 1, 1));
}

#[test]
fn files_in_utf_16_are_read_and_missing_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.json");
    let text = list(&[node("a", "1")]);
    let units = std::iter::once(0xfeff_u16).chain(text.encode_utf16());
    std::fs::write(&file, units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    assert_eq!(dump::load(std::slice::from_ref(&file)).unwrap().cluster.ground.live().members().count(), 1);
    std::fs::write(&file, [0xff, 0x00, 0x81]).unwrap();
    assert!(dump::load(&[file]).unwrap_err().to_string().contains("is no text"));
    assert!(
        dump::load(&[folder.path().join("absent.json")])
            .unwrap_err()
            .to_string()
            .contains("absent.json cannot be read")
    );
}

#[test]
fn a_config_map_is_read_only_when_a_topology_names_it() {
    let map = |name: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"},
        "data": {"netperf.p90.latency.milliseconds.origin.a.destination.b": "much"}})
    };
    let topology = json!({"apiVersion": "networktopology.diktyo.x-k8s.io/v1alpha1", "kind": "NetworkTopology",
        "metadata": {"name": "nt-default", "namespace": "default"}, "spec": {"configmapName": "netperf-metrics", "weights": [
        {"name": "UserDefined", "topologyList": []}]}});
    let answer = answered(&list(&[map("netperf-metrics"), node("a", "1"), topology, map("other")]));
    assert_eq!((answer.input.used["ConfigMap"], answer.input.unused["ConfigMap"]), (1, 1));
    let fields: Vec<_> = answer.input.problems.iter().map(|problem| (problem.item, problem.field.as_str())).collect();
    assert_eq!(fields, [(0, "data[netperf.p90.latency.milliseconds.origin.a.destination.b]")]);
}

#[test]
fn interfaces_are_measured_when_the_dump_was_made() {
    let network = |name: &str, at: &str, egress: &str| {
        let measured = json!({"egress": egress, "ingress": "0", "at": at, "windowSeconds": 10});
        json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "NodeNetwork", "metadata": {"name": name}, "spec": {},
            "status": {"capacity": {"egress": "10G", "ingress": "10G"}, "measured": measured}})
    };
    let mut sends = pod("edge", 1, None, "100m");
    sends["metadata"]["annotations"] = json!({"bandwidth.keelson.dev/egress-request": "2G"});
    let (full, earlier) = (network("a", "2020-01-01T00:00:05Z", "9G"), network("b", "2019-12-31T23:00:00Z", "9G"));
    let answer = answered(&list(&[node("a", "1"), node("b", "1"), sends.clone(), full.clone(), earlier]));
    assert_eq!(answer.input.used["NodeNetwork"], 2);
    assert_eq!(
        answer.input.notes.last().unwrap(),
        "Only what pods reserved counts for the interfaces of 1 of 2 nodes: b: its last measurement is too old."
    );
    assert_eq!(answer.scheduling.waiting[0].pods[0].node.as_deref(), Some("b"), "the other is full");
    let answer = answered(&list(&[node("a", "1"), sends, full, network("a2", "soon", "1G")]));
    assert!(!answer.scheduling.waiting[0].placed);
    assert_eq!(answer.input.problems[0].field, "status.measured.at");
}

#[test]
fn who_says_nothing_of_the_network_asks_for_what_its_workload_was_seen_to_use() {
    let network = |name: &str, egress: &str| {
        let used = json!({"namespace": "shop", "kind": "Deployment", "name": "edge", "egress": egress, "ingress": "0",
            "windows": 360});
        json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "NodeNetwork", "metadata": {"name": name}, "spec": {},
            "status": {"capacity": {"egress": "10G", "ingress": "10G"}, "workloads": [used]}})
    };
    let pods = [pod("edge", 1, Some("a"), "100m"), pod("edge", 2, Some("a"), "100m"), pod("edge", 3, None, "100m")];
    let dump = |egress: &str| list(&[&[node("a", "1"), network("a", egress)], &pods[..]].concat());
    assert!(answered(&dump("3G")).scheduling.waiting[0].placed, "three of 3 Gbit/s in 9 usable");
    assert!(!answered(&dump("4G")).scheduling.waiting[0].placed);
}

#[test]
fn it_is_said_what_of_the_nodes_keelson_has() {
    let text = list(&[node("a", "1"), pod("web", 1, Some("a"), "100m"), pod("web", 2, None, "100m")]);
    let told = |layout| words(&answer(dumped(&text).unwrap(), &asked(layout), &mut |_, _, _| {}));
    assert!(!told(Layout::All).contains("Keelson has") && !told(Layout::All).contains("leaves"));
    assert!(told(Layout::Headroom(20)).contains("Keelson leaves 20 % of every node to others."));
    let pool = told(Layout::Pool(keelson_placement::Pool::new("keelson.dev/pool", "scheduling")));
    assert!(pool.contains("Keelson has the nodes with keelson.dev/pool=scheduling alone."), "{pool}");
    assert!(pool.contains("PoolEmpty, 1 pod"), "{pool}");
}

#[test]
fn what_a_dump_says_is_never_markup() {
    let evil = "<script>alert('x')</script>\"&";
    let mut pod = pod("web", 1, None, "9");
    pod["metadata"]["name"] = json!(evil);
    pod["spec"]["resourceClaims"] = json!([{"name": evil, "resourceClaimName": evil}]);
    let mut named = node("a", "1");
    named["metadata"]["name"] = json!(evil);
    named["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(evil);
    let html = page::html(&answered(&list(&[named, pod])));
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
    let links = ["http://", "https://", "url(", "<link", "<img", "@import", " src="];
    assert!(links.iter().all(|link| !html.contains(link)), "nothing is fetched");
}

/// Anything that may stand in JSON.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9/.<]{0,8}".prop_map(Value::from),
        Just(json!("Node")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            Just("kind"),
            Just("items"),
            Just("metadata"),
            Just("spec"),
            Just("name"),
            Just("status"),
            Just("allocatable"),
            Just("containers"),
            Just("labels"),
            Just("nodeName"),
            Just("apiVersion"),
            Just("uid"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("d");
        std::fs::write(&file, bytes).unwrap();
        let _ = dump::load(&[file]);
    }

    #[test]
    fn no_objects_panic(items in prop::collection::vec(anything(), 0..4), kinds in prop::collection::vec(0..7_usize, 4)) {
        let names =
            ["Node", "Pod", "AppGroup", "NetworkTopology", "PersistentVolumeClaim", "ConfigMap", "NodeNetwork"];
        let mut all = vec![node("a", "1"), pod("web", 1, Some("a"), "100m")];
        all.extend(items.into_iter().zip(kinds).map(|(mut item, kind)| {
            if let Some(object) = item.as_object_mut() {
                object.insert("kind".into(), json!(names[kind]));
                object.remove("apiVersion");
                object.insert("metadata".into(), json!({"name": "x", "namespace": "y"}));
            }
            item
        }));
        let answer = answered(&list(&all));
        let _ = (words(&answer), page::html(&answer));
    }

    #[test]
    fn a_dump_that_is_cut_or_bent_is_read_or_refused(at in 0..70_000_usize, byte: u8, cut: bool) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(dump) = dumped(&text)
        {
            let _ = words(&answer(dump, &asked(Layout::Headroom(10)), &mut |_, _, _| {}));
        }
    }
}
