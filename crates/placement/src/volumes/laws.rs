//! Laws of volumes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::affinity::NodeTerm;
use crate::cycle::Cycle;
use crate::filter::{failures, fits};
use crate::node::Node;
use crate::pod::Pod;
use crate::snapshot::Snapshot;

const CLASSES: [&str; 3] = ["local", "late", "now"];

fn nodes() -> Vec<Node> {
    (0..4).map(|number| Node::new(&format!("n{number}"), []).label("host", &format!("n{number}"))).collect()
}

fn claims() -> impl Strategy<Value = VolumeClaim> {
    (0..4_u8, 0..3_usize, 1..6_i64, 0..8_u8, prop::option::of(0..4_u8)).prop_map(
        |(name, class, bytes, state, selected)| {
            let claim = VolumeClaim::new("law", &format!("c{name}")).asking(CLASSES[class], bytes);
            match state {
                0 => claim.bound_to(&format!("v{name}")),
                1 => VolumeClaim { leaving: true, ..claim },
                2 => VolumeClaim { selected_node: selected.map(|node| format!("n{node}")), ..claim },
                3 => claim.mode(AccessMode::ReadWriteOncePod),
                _ => claim,
            }
        },
    )
}

fn volumes() -> impl Strategy<Value = Volume> {
    (0..9_u8, 0..3_usize, 1..8_i64, 0..5_u8, prop::option::of(0..4_u8)).prop_map(|(name, class, bytes, node, kept)| {
        let mut volume = Volume::new(&format!("v{name}"), CLASSES[class], bytes);
        if node < 4 {
            volume = volume.reached(NodeTerm::label("host", &format!("n{node}")));
        }
        match kept {
            Some(claim) => volume.kept_for(&VolumeClaim::new("law", &format!("c{claim}"))),
            None => volume,
        }
    })
}

fn objects() -> impl Strategy<Value = Vec<VolumeObject>> {
    let claims = prop::collection::vec(claims().prop_map(VolumeObject::Claim), 0..6);
    let volumes = prop::collection::vec(volumes().prop_map(VolumeObject::Volume), 0..12);
    (claims, volumes).prop_map(|(claims, volumes)| {
        let local = StorageClass::waiting("local", "kubernetes.io/no-provisioner");
        let late = StorageClass::waiting("late", "csi.example.com");
        let classes = [local, late].map(VolumeObject::Class);
        classes.into_iter().chain(claims).chain(volumes).collect()
    })
}

fn pods() -> impl Strategy<Value = Pod> {
    prop::collection::vec(0..4_u8, 0..4).prop_map(|claims| {
        let claim = |pod: Pod, claim| pod.mounting(PodVolume::Claim(format!("c{claim}")));
        claims.into_iter().fold(Pod::new("law", "pod"), claim)
    })
}

fn feasible(pod: &Pod, nodes: &[Node], volumes: &Volumes) -> BTreeSet<String> {
    let snapshot = Snapshot::of(nodes).with_volumes(volumes);
    let cycle = Cycle::new(pod, &snapshot);
    nodes.iter().filter(|node| fits(&cycle, node)).map(|node| node.name.clone()).collect()
}

/// The smallest volume that matches, found as upstream does: every volume is looked at for every node.
fn smallest<'a>(claim: &VolumeClaim, all: &'a [Volume], node: &Node, chosen: &[&Volume]) -> Option<&'a Volume> {
    let fits = |volume: &&Volume| {
        let reached = volume.affinity.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches(node)));
        reached && volume.class == claim.class && volume.bytes >= claim.bytes.unwrap_or(0)
    };
    let free = |volume: &&Volume| volume.claim.is_none() && claim.modes.is_subset(&volume.modes);
    let left = || all.iter().filter(|volume| !chosen.iter().any(|chosen| chosen.name == volume.name));
    let kept = |volume: &&Volume| {
        let ours = volume.claim.as_ref().is_some_and(|kept| kept.names(claim));
        ours && volume.class == claim.class && volume.bytes >= claim.bytes.unwrap_or(0)
    };
    if all.iter().any(|volume| kept(&volume)) {
        return left().filter(kept).find(fits);
    }
    left().filter(free).filter(fits).min_by_key(|volume| (volume.bytes, &volume.name))
}

proptest! {
    #[test]
    fn asking_whether_it_fits_agrees_with_the_list_of_failures(pod in pods(), objects in objects()) {
        let (nodes, volumes) = (nodes(), Volumes::of(objects));
        let snapshot = Snapshot::of(&nodes).with_volumes(&volumes);
        let cycle = Cycle::new(&pod, &snapshot);
        for node in &nodes {
            prop_assert_eq!(fits(&cycle, node), failures(&cycle, node).is_empty(), "{}", node.name);
        }
    }

    #[test]
    fn one_more_volume_of_another_class_changes_nothing(pod in pods(), objects in objects(), bytes in 1..9_i64) {
        let before = feasible(&pod, &nodes(), &Volumes::of(objects.clone()));
        let mut more = Volumes::of(objects);
        more.put(VolumeObject::Volume(Volume::new("unrelated", "unrelated", bytes)));
        prop_assert_eq!(before, feasible(&pod, &nodes(), &more));
    }

    #[test]
    fn one_more_volume_at_hand_never_keeps_a_pod_with_one_claim_from_a_node(
        claim in 0..4_u8, objects in objects(), class in 0..3_usize, bytes in 1..9_i64,
    ) {
        let pod = Pod::new("law", "pod").mounting(PodVolume::Claim(format!("c{claim}")));
        let before = feasible(&pod, &nodes(), &Volumes::of(objects.clone()));
        let mut more = Volumes::of(objects);
        more.put(VolumeObject::Volume(Volume::new("more", CLASSES[class], bytes)));
        prop_assert!(feasible(&pod, &nodes(), &more).is_superset(&before));
    }

    #[test]
    fn what_was_put_and_removed_again_leaves_no_trace(objects in objects(), volume in volumes(), claim in claims()) {
        let volumes = Volumes::of(objects);
        let (volume, claim) = (Volume { name: "passing".into(), ..volume }, VolumeClaim { name: "passing".into(), ..claim });
        let mut visited = volumes.clone();
        for object in [VolumeObject::Volume(volume.clone()), VolumeObject::Claim(claim)] {
            let (kind, key) = (object.kind(), object.key());
            prop_assert!(visited.put(object.clone()).is_some());
            prop_assert!(visited.put(object).is_none(), "the same again is no change");
            prop_assert!(visited.remove(kind, &key).is_some());
            prop_assert!(visited.remove(kind, &key).is_none());
        }
        for claim in 0..4 {
            let pod = Pod::new("law", "pod").mounting(PodVolume::Claim(format!("c{claim}")));
            prop_assert_eq!(feasible(&pod, &nodes(), &volumes), feasible(&pod, &nodes(), &visited));
        }
        prop_assert!(!visited.at_hand(&volume.class, 0).any(|known| known.name == "passing"));
    }

    #[test]
    fn the_order_of_objects_means_nothing(pod in pods(), objects in objects()) {
        let mut last: Vec<VolumeObject> = Vec::new();
        for object in objects {
            last.retain(|known| (known.kind(), known.key()) != (object.kind(), object.key()));
            last.push(object);
        }
        let straight = Volumes::of(last.clone());
        last.reverse();
        prop_assert_eq!(&straight, &Volumes::of(last));
        prop_assert_eq!(feasible(&pod, &nodes(), &straight), feasible(&pod, &nodes(), &straight.clone()));
    }

    #[test]
    fn a_claim_gets_the_volume_that_a_look_at_all_of_them_finds(pod in pods(), objects in objects()) {
        let (nodes, volumes) = (nodes(), Volumes::of(objects.clone()));
        let snapshot = Snapshot::of(&nodes).with_volumes(&volumes);
        let cycle = Cycle::new(&pod, &snapshot);
        let mut all: Vec<Volume> = Vec::new();
        for object in objects {
            if let VolumeObject::Volume(volume) = object {
                all.retain(|known| known.name != volume.name);
                all.push(volume);
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        for node in &nodes {
            let Some(plan) = cycle.volume_plan(node) else { continue };
            let mut claims: Vec<&VolumeClaim> =
                pod.volumes.iter().filter_map(|volume| volumes.claim("law", volume.claim()?)).collect();
            claims.sort_by_key(|claim| claim.bytes);
            claims.dedup();
            let mut chosen: Vec<&Volume> = Vec::new();
            for claim in claims.into_iter().filter(|claim| !claim.is_bound() && claim.selected_node.is_none()) {
                if chosen.iter().any(|volume| plan.bindings.get(&claim.key()) == Some(&volume.name)) {
                    continue;
                }
                let found = smallest(claim, &all, node, &chosen);
                prop_assert_eq!(plan.bindings.get(&claim.key()), found.map(|volume| &volume.name));
                chosen.extend(found);
            }
        }
    }

    #[test]
    fn what_is_decided_once_is_not_decided_for_another_claim(objects in objects(), first in 0..4_u8, second in 0..4_u8) {
        prop_assume!(first != second);
        let (nodes, mut volumes) = (nodes(), Volumes::of(objects));
        let asking = |uid: &str, claim| Pod::new("law", uid).mounting(PodVolume::Claim(format!("c{claim}")));
        let plan = |pod: &Pod, volumes: &Volumes, node: &Node| {
            let snapshot = Snapshot::of(&nodes).with_volumes(volumes);
            Cycle::new(pod, &snapshot).volume_plan(node)
        };
        let Some(taken) = plan(&asking("first", first), &volumes, &nodes[0]) else { return Ok(()) };
        volumes.decide(&"law/first".into(), Some(Arc::new(taken.clone())));
        for node in &nodes {
            let next = plan(&asking("second", second), &volumes, node).unwrap_or_default();
            let both = next.bindings.values().find(|volume| taken.bindings.values().any(|other| other == *volume));
            prop_assert_eq!(both, None);
        }
    }

    #[test]
    fn what_was_seen_gives_the_same_answers_again(pod in pods(), other in pods(), objects in objects(), limit in 0..3_i64) {
        let mut nodes = nodes();
        nodes[0].add(&other.uid("other"));
        let mut volumes = Volumes::of(objects);
        let limits = [("csi.example.com".to_owned(), limit)].into();
        volumes.put(VolumeObject::NodeDrivers(NodeDrivers { node: "n0".into(), limits, ..NodeDrivers::default() }));
        let plan = VolumePlan {
            node: "n1".into(),
            bindings: [("law/c3".to_owned(), "v1".to_owned())].into(),
            provisions: ["law/c2".to_owned()].into(),
        };
        volumes.decide(&"third".into(), Some(Arc::new(plan)));
        let snapshot = Snapshot::of(&nodes).with_volumes(&volumes);
        let restored = SeenVolumes::by(&pod, &snapshot).restored();
        let again = Snapshot::of(&nodes).with_volumes(&restored);
        let (cycle, second) = (Cycle::new(&pod, &snapshot), Cycle::new(&pod, &again));
        for node in &nodes {
            prop_assert_eq!(failures(&cycle, node), failures(&second, node));
            prop_assert_eq!(cycle.volume_plan(node), second.volume_plan(node));
        }
    }
}
