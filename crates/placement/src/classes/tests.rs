//! The law of classes: they answer as a choice made anew does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::ResourceName::{Cpu, Memory};
use proptest::prelude::*;

use super::*;
use crate::affinity::NodeTerm;
use crate::choose::choose;
use crate::explain::leaders;
use crate::requests::PodRequests;
use crate::taints::{Taint, TaintEffect, Toleration};

#[derive(Default)]
struct Cluster {
    slots: Vec<Option<Node>>,
    log: Vec<usize>,
    forgotten: u64,
}

impl Nodes for Cluster {
    fn slots(&self) -> usize {
        self.slots.len()
    }
    fn node(&self, slot: usize) -> Option<&Node> {
        self.slots[slot].as_ref()
    }
    fn empty_slots(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_none()).count()
    }
    fn changes(&self) -> u64 {
        self.forgotten + self.log.len() as u64
    }
    fn changed_since(&self, before: u64) -> Option<impl Iterator<Item = usize>> {
        let skip = usize::try_from(before.checked_sub(self.forgotten)?).unwrap();
        Some(self.log.iter().skip(skip).copied())
    }
}

fn pod(kind: u8) -> Pod {
    let asked = [(Cpu, 100 * i64::from(kind % 3)), (Memory, 50)];
    let pod = Pod::new("law", "pod").requesting(&PodRequests::default().container(asked));
    match kind / 3 {
        0 => pod,
        1 => pod.tolerating(Toleration::exists("soft")),
        2 => pod.selecting("zone", "a"),
        _ => pod.preferring(3, NodeTerm::label("zone", "b")).preferring(5, NodeTerm::label("disk", "ssd")),
    }
}

fn node(slot: usize, kind: u8, size: i64) -> Node {
    let node = Node::new(&format!("n{slot}-{kind}"), [(Cpu, size * 100), (Memory, 1_000)]);
    let node = node.label("zone", if kind.is_multiple_of(2) { "a" } else { "b" });
    match kind / 2 {
        0 => node,
        1 => node.taint(Taint::new("soft", "", TaintEffect::PreferNoSchedule)),
        2 => node.label("disk", "ssd"),
        3 => node.cordoned(),
        _ => node.taint(Taint::new("soft", "", TaintEffect::PreferNoSchedule)).taint(Taint::new(
            "other",
            "",
            TaintEffect::PreferNoSchedule,
        )),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Node(usize, u8, i64),
    Gone(usize),
    Forget,
    Place(u8, u64),
}

proptest! {
    #[test]
    fn a_class_answers_as_a_choice_made_anew(steps in prop::collection::vec(prop_oneof![
        3 => (0..12_usize, 0..10_u8, 1..12_i64).prop_map(|(slot, kind, size)| Step::Node(slot, kind, size)),
        1 => (0..12_usize).prop_map(Step::Gone),
        1 => Just(Step::Forget),
        6 => (0..12_u8, any::<u64>()).prop_map(|(kind, seed)| Step::Place(kind, seed)),
    ], 0..80)) {
        let (mut cluster, mut classes) = (Cluster::default(), Classes::default());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Node(slot, kind, size) => {
                    if cluster.slots.len() <= slot {
                        // Slots between are new as well.
                        cluster.log.extend(cluster.slots.len()..slot);
                        cluster.slots.resize(slot + 1, None);
                    }
                    cluster.slots[slot] = Some(node(slot, kind, size));
                    cluster.log.push(slot);
                }
                Step::Gone(slot) => if slot < cluster.slots.len() {
                    cluster.slots[slot] = None;
                    cluster.log.push(slot);
                },
                Step::Forget => cluster.forgotten += std::mem::take(&mut cluster.log).len() as u64,
                Step::Place(kind, seed) => {
                    let pod = pod(kind).uid(&number.to_string());
                    let nodes: Vec<&Node> = cluster.slots.iter().flatten().collect();
                    let anew = choose(&pod, &nodes, seed);
                    let shown = leaders(&pod, &nodes, seed);
                    let known = classes.choose(&pod, &cluster, seed);
                    let name = known.choice.node.map(|slot| cluster.slots[slot].as_ref().unwrap().name.clone());
                    prop_assert_eq!(&name, &anew.node.map(|index| nodes[index].name.clone()));
                    prop_assert_eq!(Choice { node: None, ..known.choice }, Choice { node: None, ..anew });
                    prop_assert_eq!(known.leaders, shown);
                    prop_assert!(classes.knows(&pod));
                    if let Some(slot) = known.choice.node {
                        cluster.slots[slot].as_mut().unwrap().add(&pod);
                        cluster.log.push(slot);
                    }
                }
            }
        }
    }
}

#[test]
fn no_more_classes_are_kept_than_the_bound() {
    let (cluster, mut classes) =
        (Cluster { slots: vec![Some(node(0, 0, 9))], ..Cluster::default() }, Classes::default());
    for size in 0..CLASSES as i64 + 10 {
        let pod = Pod::new("a", "b").requesting(&PodRequests::default().container([(Memory, size)]));
        classes.choose(&pod, &cluster, 1);
    }
    assert_eq!(classes.known.len(), CLASSES);
}
