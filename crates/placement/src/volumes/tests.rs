//! What volumes forbid, and what is decided about them. The answers are those of kube-scheduler 1.36.3's own plugins
//! (`pkg/scheduler/framework/plugins/{volumerestrictions,nodevolumelimits,volumebinding,volumezone}`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use super::*;
use crate::affinity::NodeTerm;
use crate::cycle::Cycle;
use crate::filter::failures_at;
use crate::node::Node;
use crate::pod::Pod;
use crate::snapshot::Snapshot;

const GIB: i64 = 1 << 30;
const ZONE: &str = "topology.kubernetes.io/zone";

fn pod(claims: &[&str]) -> Pod {
    claims.iter().fold(Pod::new("shop", "cart"), |pod, claim| pod.mounting(PodVolume::Claim((*claim).into())))
}

fn claim(name: &str) -> VolumeClaim {
    VolumeClaim::new("shop", name)
}

fn node(name: &str, zone: &str) -> Node {
    Node::new(name, []).label("host", name).label(ZONE, zone)
}

fn of(objects: &[VolumeObject]) -> Volumes {
    Volumes::of(objects.iter().cloned())
}

fn local(name: &str, node: &str, gib: i64) -> VolumeObject {
    VolumeObject::Volume(Volume::new(name, "local", gib * GIB).reached(NodeTerm::label("host", node)))
}

fn waiting(name: &str, class: &str, gib: i64) -> VolumeObject {
    VolumeObject::Claim(claim(name).asking(class, gib * GIB))
}

fn class(name: &str, provisioner: &str) -> VolumeObject {
    VolumeObject::Class(StorageClass::waiting(name, provisioner))
}

/// What each check says of each node, as `Check: reason`.
fn said(pod: &Pod, nodes: &[Node], volumes: &Volumes) -> Vec<Vec<String>> {
    let snapshot = Snapshot::of(nodes).with_volumes(volumes);
    let cycle = Cycle::new(pod, &snapshot);
    let words = |index| {
        let found = failures_at(&cycle, index);
        found.iter().map(|failure| format!("{}: {}", failure.check(), failure.reason_text())).collect()
    };
    (0..nodes.len()).map(words).collect()
}

/// What is decided for each node: claims as `claim=volume` and `claim+`.
fn planned(pod: &Pod, nodes: &[Node], volumes: &Volumes) -> Vec<String> {
    let snapshot = Snapshot::of(nodes).with_volumes(volumes);
    let cycle = Cycle::new(pod, &snapshot);
    let words = |node: &Node| {
        let plan = cycle.volume_plan(node)?;
        let bindings = plan.bindings.iter().map(|(claim, volume)| format!("{claim}={volume}"));
        let all: Vec<String> = bindings.chain(plan.provisions.iter().map(|claim| format!("{claim}+"))).collect();
        Some(all.join(" "))
    };
    nodes.iter().map(|node| words(node).unwrap_or_default()).collect()
}

#[test]
fn a_claim_that_is_missing_is_told_by_every_check_in_the_same_words() {
    let (pod, nodes, volumes) = (pod(&["data"]), [node("n", "a")], Volumes::default());
    assert_eq!(
        said(&pod, &nodes, &volumes),
        [[
            r#"VolumeRestrictions: persistentvolumeclaim "data" not found"#,
            r#"NodeVolumeLimits: looking up PVC shop/data: persistentvolumeclaim "data" not found"#,
            r#"VolumeBinding: persistentvolumeclaim "data" not found"#,
            r#"VolumeZone: persistentvolumeclaim "data" not found"#,
        ]]
    );
    let snapshot = Snapshot::of(&nodes).with_volumes(&volumes);
    let mut texts: Vec<String> = failures_at(&Cycle::new(&pod, &snapshot), 0).iter().map(ToString::to_string).collect();
    texts.dedup();
    assert_eq!(texts, ["claim shop/data does not exist: create it"]);
}

#[test]
fn a_claim_that_is_bound_ties_the_pod_to_the_nodes_that_reach_its_volume() {
    let volume = Volume::new("pv", "now", GIB).reached(NodeTerm::label("host", "n1"));
    let volumes = of(&[VolumeObject::Claim(claim("data").bound_to("pv")), VolumeObject::Volume(volume)]);
    let nodes = [node("n1", "a"), node("n2", "a")];
    let elsewhere = "VolumeBinding: node(s) didn't match PersistentVolume's node affinity".to_owned();
    assert_eq!(said(&pod(&["data"]), &nodes, &volumes), [vec![], vec![elsewhere]]);
    assert_eq!(planned(&pod(&["data"]), &nodes, &volumes), ["", ""]);
}

#[test]
fn a_volume_of_a_plugin_that_moved_is_reached_by_the_drivers_labels_where_the_node_says_so() {
    let affinity = Some(vec![NodeTerm::label("driver/zone", "a")]);
    let moved = Moved { plugin: "kubernetes.io/gce-pd".into(), affinity };
    let volume = Volume { moved: Some(moved), ..Volume::new("pv", "now", GIB) };
    let drivers = NodeDrivers {
        node: "moved".into(),
        moved: ["kubernetes.io/gce-pd".to_owned()].into(),
        ..NodeDrivers::default()
    };
    let volumes = of(&[
        VolumeObject::Claim(claim("data").bound_to("pv")),
        VolumeObject::Volume(volume),
        VolumeObject::NodeDrivers(drivers),
    ]);
    let nodes = [node("moved", "a"), node("other", "a"), node("moved", "a").label("driver/zone", "a")];
    let fits: Vec<bool> = said(&pod(&["data"]), &nodes, &volumes).iter().map(Vec::is_empty).collect();
    assert_eq!(fits, [false, true, true]);
}

#[test]
fn a_claim_that_waits_gets_the_smallest_volume_that_its_node_reaches() {
    let volumes = of(&[
        class("local", "kubernetes.io/no-provisioner"),
        waiting("small", "local", 1),
        waiting("large", "local", 5),
        local("a1", "n1", 20),
        local("a2", "n1", 5),
        local("a3", "n1", 2),
        local("b1", "n2", 5),
    ]);
    let (both, nodes) = (pod(&["large", "small"]), [node("n1", "a"), node("n2", "a"), node("n3", "a")]);
    // The small claim chooses first, and leaves nothing on n2.
    assert_eq!(planned(&both, &nodes, &volumes), ["shop/large=a2 shop/small=a3", "", ""]);
    let none = "VolumeBinding: node(s) didn't find available persistent volumes to bind".to_owned();
    assert_eq!(said(&both, &nodes, &volumes), [vec![], vec![none.clone()], vec![none]]);
}

#[test]
fn what_is_decided_for_another_pod_is_neither_taken_nor_decided_anew() {
    let mut volumes = of(&[
        class("local", "kubernetes.io/no-provisioner"),
        class("late", "csi.example.com"),
        waiting("mine", "local", 1),
        waiting("shared", "late", 1),
        local("a1", "n1", 1),
        local("b1", "n2", 1),
    ]);
    let nodes = [node("n1", "a"), node("n2", "a")];
    assert_eq!(planned(&pod(&["mine"]), &nodes, &volumes), ["shop/mine=a1", "shop/mine=b1"]);
    let other: Arc<str> = "other".into();
    let plan = VolumePlan {
        node: "n1".into(),
        bindings: [("shop/theirs".to_owned(), "a1".to_owned())].into(),
        provisions: ["shop/shared".to_owned()].into(),
    };
    volumes.decide(&other, Some(Arc::new(plan)));
    assert_eq!(planned(&pod(&["mine"]), &nodes, &volumes), ["", "shop/mine=b1"]);
    assert_eq!(planned(&pod(&["shared"]), &nodes, &volumes), ["shop/shared+", ""]);
    // The pod whose plan it is may change its mind.
    let own = pod(&["mine"]).uid("other");
    assert_eq!(planned(&own, &nodes, &volumes), ["shop/mine=a1", "shop/mine=b1"]);
    volumes.decide(&other, None);
    assert_eq!(planned(&pod(&["shared"]), &nodes, &volumes), ["shop/shared+", "shop/shared+"]);
}

#[test]
fn a_volume_that_is_kept_for_a_claim_goes_before_every_other_and_is_nobody_elses() {
    let mine = claim("mine").asking("late", GIB);
    let kept = Volume::new("kept", "late", 9 * GIB).kept_for(&mine).reached(NodeTerm::label("host", "n1"));
    let volumes = of(&[
        class("late", "csi.example.com"),
        VolumeObject::Claim(mine),
        waiting("other", "late", 1),
        VolumeObject::Volume(kept),
        VolumeObject::Volume(Volume::new("free", "late", 2 * GIB)),
    ]);
    let nodes = [node("n1", "a"), node("n2", "a")];
    // Where the one that is kept cannot be reached, another is made, as upstream does.
    assert_eq!(planned(&pod(&["mine"]), &nodes, &volumes), ["shop/mine=kept", "shop/mine+"]);
    assert_eq!(planned(&pod(&["other"]), &nodes, &volumes), ["shop/other=free", "shop/other=free"]);
}

#[test]
fn only_a_volume_that_is_alike_in_all_that_counts_is_taken() {
    let asked = claim("data").asking("late", GIB).mode(AccessMode::ReadWriteOnce);
    let with = |change: &dyn Fn(&mut Volume)| {
        let mut volume = Volume::new("pv", "late", GIB);
        volume.modes.insert(AccessMode::ReadWriteOnce);
        change(&mut volume);
        let none = class("late", "kubernetes.io/no-provisioner");
        let volumes = of(&[none, VolumeObject::Claim(asked.clone()), VolumeObject::Volume(volume)]);
        planned(&pod(&["data"]), &[node("n", "a")], &volumes) == ["shop/data=pv"]
    };
    assert!(with(&|_| {}));
    assert!(!with(&|volume| volume.bytes = GIB - 1));
    assert!(!with(&|volume| volume.block = true));
    assert!(!with(&|volume| volume.attributes = "gold".into()));
    assert!(!with(&|volume| volume.leaving = true));
    assert!(!with(&|volume| volume.available = false));
    assert!(!with(&|volume| volume.modes = [AccessMode::ReadOnlyMany].into()));
    assert!(!with(&|volume| volume.class = "other".into()));
    assert!(!with(&|volume| volume.affinity = Some(Vec::new())));
}

#[test]
fn a_volume_is_made_where_the_class_allows_and_its_driver_has_room() {
    let topology = |zone| StorageClass {
        topologies: vec![NodeTerm::label(ZONE, zone)],
        ..StorageClass::waiting("late", "csi.example.com")
    };
    let capacity = |zone: &str, gib| {
        let nodes = keelson_core::selector::LabelSelector {
            match_labels: [(ZONE.to_owned(), zone.to_owned())].into(),
            ..Default::default()
        };
        let (key, class) = (format!("kube-system/{zone}"), "tracked".into());
        VolumeObject::Capacity(StorageCapacity { key, class, bytes: Some(gib * GIB), nodes: Some(nodes) })
    };
    let volumes = of(&[
        VolumeObject::Class(topology("a")),
        class("tracked", "tracked.example.com"),
        VolumeObject::Driver(Driver { name: "tracked.example.com".into(), tracks_capacity: true }),
        capacity("a", 1),
        capacity("b", 5),
        waiting("data", "late", 1),
        waiting("much", "tracked", 5),
    ]);
    let nodes = [node("n1", "a"), node("n2", "b"), node("n3", "c")];
    let none = "VolumeBinding: node(s) didn't find available persistent volumes to bind".to_owned();
    let space = "VolumeBinding: node(s) did not have enough free storage".to_owned();
    assert_eq!(said(&pod(&["data"]), &nodes, &volumes), [vec![], vec![none.clone()], vec![none]]);
    assert_eq!(said(&pod(&["much"]), &nodes, &volumes), [vec![space.clone()], vec![], vec![space]]);
}

#[test]
fn a_claim_whose_volume_is_being_made_for_a_node_keeps_its_pod_there() {
    let claim = VolumeClaim { selected_node: Some("n2".into()), ..claim("data").asking("late", GIB) };
    let volumes = of(&[class("late", "csi.example.com"), VolumeObject::Claim(claim)]);
    let nodes = [node("n1", "a"), node("n2", "a")];
    assert_eq!(planned(&pod(&["data"]), &nodes, &volumes), ["", "shop/data+"]);
}

#[test]
fn claims_in_trouble_say_which() {
    let pod = Pod::new("shop", "cart").mounting(PodVolume::Ephemeral("cart-tmp".into()));
    let rows = [
        (None, r#"waiting for ephemeral volume controller to create the persistentvolumeclaim "cart-tmp""#),
        (
            Some(VolumeClaim { lost: true, ..claim("cart-tmp").bound_to("pv") }),
            r#"persistentvolumeclaim "cart-tmp" bound to non-existent persistentvolume "pv""#,
        ),
        (
            Some(VolumeClaim { leaving: true, ..claim("cart-tmp") }),
            r#"persistentvolumeclaim "cart-tmp" is being deleted"#,
        ),
        (Some(claim("cart-tmp")), "PVC shop/cart-tmp was not created for pod shop/cart (pod is not owner)"),
        (
            Some(VolumeClaim { owner: Some("shop/cart".into()), ..claim("cart-tmp") }),
            "pod has unbound immediate PersistentVolumeClaims",
        ),
    ];
    for (claim, reason) in rows {
        let volumes = of(&claim.map(VolumeObject::Claim).into_iter().collect::<Vec<_>>());
        let said = said(&pod, &[node("n", "a")], &volumes);
        assert!(said[0].contains(&format!("VolumeBinding: {reason}")), "{said:?}");
        // The zone is asked of claims that stand in the pod alone.
        assert!(!said[0].iter().any(|said| said.starts_with("VolumeZone")), "{said:?}");
    }
}

#[test]
fn a_claim_for_one_pod_is_free_again_when_that_pod_is_gone() {
    let one = VolumeObject::Claim(claim("data").bound_to("pv").mode(AccessMode::ReadWriteOncePod));
    let volumes = of(&[one, VolumeObject::Volume(Volume::new("pv", "now", GIB))]);
    let other = |namespace: &str| Pod::new(namespace, "other").mounting(PodVolume::Claim("data".into()));
    let found = |other: &Pod| said(&pod(&["data"]), &[node("n1", "a").holding(other), node("n2", "a")], &volumes);
    assert!(found(&other("shop")).iter().all(|said| said.len() == 1 && said[0].contains("ReadWriteOncePod")));
    assert!(found(&other("elsewhere")).iter().all(Vec::is_empty));
}

#[test]
fn disks_are_shared_only_by_pods_that_read() {
    let disk = |kind, read_only| Disk { read_only, ..Disk::new(kind, "d") };
    let rows = [
        (DiskKind::GcePersistentDisk, true, true, false),
        (DiskKind::GcePersistentDisk, true, false, true),
        (DiskKind::AwsElasticBlockStore, true, true, true),
        (DiskKind::Iscsi, false, false, true),
        (DiskKind::Iscsi, true, true, false),
    ];
    for (kind, ours, theirs, conflict) in rows {
        let pod = Pod::new("shop", "cart").mounting(PodVolume::Disk(disk(kind, ours)));
        let other = Pod::new("else", "other").mounting(PodVolume::Disk(disk(kind, theirs)));
        let said = said(&pod, &[node("n", "a").holding(&other)], &Volumes::default());
        assert_eq!(!said[0].is_empty(), conflict, "{kind:?} {ours} {theirs}");
    }
    let rbd = |monitors: &[&str]| Disk {
        monitors: monitors.iter().map(|monitor| (*monitor).to_owned()).collect(),
        ..Disk::new(DiskKind::Rbd, "p/i")
    };
    assert!(rbd(&["a", "b"]).conflicts_with(&rbd(&["b", "c"])));
    assert!(!rbd(&["a"]).conflicts_with(&rbd(&["c"])));
}

#[test]
fn a_driver_attaches_each_volume_once_and_no_more_than_it_can() {
    let shared = |name: &str, handle: &str| {
        let volume = Volume::new(name, "now", GIB).of_driver("csi.example.com", handle);
        [VolumeObject::Claim(claim(name).bound_to(name)), VolumeObject::Volume(volume)]
    };
    let limits =
        NodeDrivers { node: "n".into(), limits: [("csi.example.com".into(), 2)].into(), ..NodeDrivers::default() };
    let mut objects = vec![VolumeObject::NodeDrivers(limits)];
    objects.extend([shared("a", "1"), shared("b", "2"), shared("c", "3"), shared("again", "1")].concat());
    objects.extend([class("late", "csi.example.com"), waiting("new", "late", 1)]);
    let mut volumes = of(&objects);
    let holding = |claims: &[&str]| node("n", "a").holding(&pod(claims).uid("other"));
    let fits =
        |asked: &[&str], held: &[&str], volumes: &Volumes| said(&pod(asked), &[holding(held)], volumes)[0].is_empty();
    assert!(fits(&["c"], &["a"], &volumes));
    assert!(!fits(&["c"], &["a", "b"], &volumes));
    assert!(fits(&["again"], &["a", "b"], &volumes), "it is attached already");
    assert!(!fits(&["new"], &["a", "b"], &volumes), "what is made is attached, too");
    assert!(!fits(&["a", "b", "c"], &[], &volumes));
    // What is attached without a pod counts, even if the pod would mount it.
    let attachment = |name: &str, volume: &str| {
        let (node, driver) = ("n".into(), "csi.example.com".into());
        VolumeObject::Attachment(Attachment { name: name.into(), node, driver, volume: volume.into() })
    };
    volumes.put(attachment("x", "c"));
    assert!(!fits(&["b"], &["a"], &volumes));
    assert!(!fits(&["c"], &["a"], &volumes));
    volumes.remove(VolumeKind::Attachment, "x");
    assert!(fits(&["c"], &["a"], &volumes));
}

#[test]
fn a_volume_with_a_zone_is_mounted_there_and_where_there_are_no_zones() {
    let labelled = |key: &str, places: &str| {
        let volume = Volume::new("pv", "now", GIB).label(key, places);
        of(&[VolumeObject::Claim(claim("data").bound_to("pv")), VolumeObject::Volume(volume)])
    };
    let nodes = [node("n1", "a"), node("n2", "b"), Node::new("n3", [])];
    let fits = |key: &str, places: &str| -> Vec<bool> {
        said(&pod(&["data"]), &nodes, &labelled(key, places)).iter().map(Vec::is_empty).collect()
    };
    assert_eq!(fits(ZONE, "a"), [true, false, true]);
    assert_eq!(fits(ZONE, "a__b"), [true, true, true]);
    assert_eq!(fits(ZONE, "a__"), [true, true, true], "a label with an empty place is no label");
    assert_eq!(fits("failure-domain.beta.kubernetes.io/zone", "b"), [false, true, true]);
    assert_eq!(fits("topology.kubernetes.io/region", "r"), [false, false, true]);
}

#[test]
fn what_a_change_of_storage_may_help_is_tried_again() {
    let volumes = of(&[class("late", "csi.example.com"), waiting("data", "late", 1)]);
    let cart = pod(&["data"]);
    let minds = |change: VolumeChange| change.minds(&cart, &volumes);
    assert!(minds(VolumeChange::Claim("shop/data".into())) && !minds(VolumeChange::Claim("other/data".into())));
    assert!(minds(VolumeChange::Class("late".into())) && !minds(VolumeChange::Class("now".into())));
    assert!(minds(VolumeChange::Capacity("late".into())));
    assert!(minds(VolumeChange::Driver("csi.example.com".into())));
    assert!(minds(VolumeChange::Volume(Box::new(Volume::new("pv", "late", 1)))));
    assert!(!minds(VolumeChange::Volume(Box::new(Volume::new("pv", "local", 1)))));
    assert!(!VolumeChange::Attachment.minds(&pod(&[]), &volumes));
    assert!(pod(&["data"]).minds(&pod(&["other"]).claim(), &crate::peers::Namespaces::new()));
}

#[test]
fn pods_with_claims_of_their_own_are_not_alike() {
    let own = |uid| Pod::new("shop", "cart").mounting(PodVolume::Ephemeral("cart-tmp".into())).uid(uid);
    assert!(!own("1").is_like(&own("2")) && pod(&["a"]).uid("1").is_like(&pod(&["a"]).uid("2")));
    assert!(!pod(&["a"]).is_like(&pod(&["b"])));
}
