//! Where the volumes of claims are, or can be made.
//!
//! A bound claim ties the pod to the nodes that reach its volume. A claim that waits for its first pod gets the smallest
//! volume at hand that the node reaches, smaller claims first; where there is none, a volume must be possible for the node:
//! the class makes some, allows the node, and its driver has the room where it says how much it has.

use std::collections::BTreeMap;

use super::matching::{Matching, reaches};
use super::{
    Lack, PodVolume, StorageClass, Trouble, Volume, VolumeCheck, VolumeClaim, VolumeFailure, VolumePlan, Volumes,
};
use crate::node::Node;
use crate::pod::Pod;

/// The provisioner of classes that make no volumes.
const NOBODY: &str = "kubernetes.io/no-provisioner";

/// A claim that waits for its first pod.
#[derive(Debug, Clone)]
struct Waiting<'a> {
    claim: &'a VolumeClaim,
    class: &'a StorageClass,
    /// The node that its volume is made for already.
    selected: Option<&'a str>,
    matching: Matching<'a>,
}

#[derive(Debug, Clone)]
pub(super) struct Binding<'a> {
    volumes: &'a Volumes,
    bound: Vec<(&'a VolumeClaim, Option<&'a Volume>)>,
    waiting: Vec<Waiting<'a>>,
}

/// What a node has for the claims that wait.
struct Found<'b, 'a> {
    bindings: Vec<(&'a VolumeClaim, &'a Volume)>,
    provisions: Vec<&'b Waiting<'a>>,
}

impl<'a> Binding<'a> {
    pub(super) fn of(pod: &'a Pod, volumes: &'a Volumes) -> Result<Self, VolumeFailure> {
        let mut claims: Vec<&VolumeClaim> = Vec::new();
        for volume in &pod.volumes {
            let Some(name) = volume.claim() else { continue };
            let claim = usable(pod, volume, name, volumes).map_err(|trouble| failure(&pod.namespace, name, trouble))?;
            if !claims.contains(&claim) {
                claims.push(claim);
            }
        }
        let (mut taken, mut selected) = (BTreeMap::new(), BTreeMap::new());
        for plan in volumes.decided(&pod.uid) {
            taken.extend(plan.bindings.iter().map(|(claim, volume)| (volume.as_str(), claim.as_str())));
            selected.extend(plan.provisions.iter().map(|claim| (claim.as_str(), plan.node.as_str())));
        }
        let mut binding = Self { volumes, bound: Vec::new(), waiting: Vec::new() };
        for claim in claims {
            if claim.is_bound() {
                binding.bound.push((claim, volumes.volume(&claim.volume)));
                continue;
            }
            let class = class_of(claim, volumes).map_err(|trouble| failure(&claim.namespace, &claim.name, trouble))?;
            let selected = claim.selected_node.as_deref().or_else(|| selected.get(claim.key().as_str()).copied());
            let matching = match selected {
                None => Matching::of(claim, volumes, &taken),
                Some(_) => Matching::default(),
            };
            binding.waiting.push(Waiting { claim, class, selected, matching });
        }
        binding.waiting.sort_by_key(|waiting| waiting.claim.bytes.unwrap_or(0));
        Ok(binding)
    }

    pub(super) fn failures(&self, node: &Node) -> Vec<VolumeFailure> {
        self.out_of_reach(node).into_iter().chain(self.find(node).err()).collect()
    }

    pub(super) fn allows(&self, node: &Node) -> bool {
        self.out_of_reach(node).is_none() && self.find(node).is_ok()
    }

    pub(super) fn plan(&self, node: &Node) -> Option<VolumePlan> {
        let found = self.find(node).ok().filter(|_| self.out_of_reach(node).is_none())?;
        let bindings = found.bindings.into_iter().map(|(claim, volume)| (claim.key(), volume.name.clone()));
        let provisions = found.provisions.into_iter().map(|waiting| waiting.claim.key());
        Some(VolumePlan { node: node.name.clone(), bindings: bindings.collect(), provisions: provisions.collect() })
    }

    /// The first bound claim whose volume the node does not reach.
    fn out_of_reach(&self, node: &Node) -> Option<VolumeFailure> {
        let drivers = self.volumes.drivers_of(&node.name);
        self.bound.iter().find_map(|(claim, volume)| {
            let Some(volume) = volume else {
                let trouble = Trouble::Gone { volume: claim.volume.clone() };
                return Some(failure(&claim.namespace, &claim.name, trouble));
            };
            let here = |plugin: &str| drivers.is_some_and(|drivers| drivers.moved.contains(plugin));
            let affinity = match &volume.moved {
                Some(moved) if here(&moved.plugin) => &moved.affinity,
                _ => &volume.affinity,
            };
            let (claim, volume) = (claim.key(), volume.name.clone());
            (!reaches(node, affinity.as_deref())).then_some(VolumeFailure::OutOfReach { claim, volume })
        })
    }

    /// What the node has for the claims that wait.
    fn find(&self, node: &Node) -> Result<Found<'_, 'a>, VolumeFailure> {
        let mut found = Found { bindings: Vec::new(), provisions: Vec::new() };
        let elsewhere = |waiting: &&Waiting<'_>| waiting.selected.is_some_and(|selected| selected != node.name);
        if let Some(waiting) = self.waiting.iter().find(elsewhere) {
            let lack = Lack::Elsewhere { node: waiting.selected.unwrap_or_default().to_owned() };
            return Err(VolumeFailure::NoVolume { claim: waiting.claim.key(), lack });
        }
        for waiting in &self.waiting {
            let volume = match waiting.selected {
                None => waiting.matching.on(node, &found.bindings),
                Some(_) => None,
            };
            match volume {
                Some(volume) => found.bindings.push((waiting.claim, volume)),
                None => found.provisions.push(waiting),
            }
        }
        // Those that are being made are looked at first.
        found.provisions.sort_by_key(|waiting| waiting.selected.is_none());
        match found.provisions.iter().find_map(|waiting| self.cannot_make(waiting, node)) {
            Some(failure) => Err(failure),
            None => Ok(found),
        }
    }

    /// Why a claim's volume cannot be made for the node.
    fn cannot_make(&self, waiting: &Waiting<'_>, node: &Node) -> Option<VolumeFailure> {
        let StorageClass { name, provisioner, topologies, .. } = waiting.class;
        let lacks = |lack| Some(VolumeFailure::NoVolume { claim: waiting.claim.key(), lack });
        if provisioner.is_empty() || provisioner == NOBODY {
            return lacks(Lack::AtHand { class: name.clone() });
        }
        if !topologies.is_empty() && !topologies.iter().any(|term| term.matches_labels(&node.labels)) {
            return lacks(Lack::Topology { class: name.clone() });
        }
        let bytes = waiting.claim.bytes?;
        let enough = || {
            let mut capacities = self.volumes.capacities(name);
            capacities.any(|capacity| {
                capacity.bytes.is_some_and(|left| left >= bytes)
                    && capacity.nodes.as_ref().is_some_and(|nodes| nodes.matches(&node.labels))
            })
        };
        let tracked = self.volumes.driver(provisioner).is_some_and(|driver| driver.tracks_capacity);
        (tracked && !enough()).then(|| VolumeFailure::NoSpace {
            claim: waiting.claim.key(),
            class: name.clone(),
            bytes,
        })
    }
}

fn failure(namespace: &str, name: &str, trouble: Trouble) -> VolumeFailure {
    VolumeFailure::Claim { check: VolumeCheck::Binding, claim: format!("{namespace}/{name}"), trouble }
}

/// A claim that its pod may use.
fn usable<'a>(pod: &Pod, volume: &PodVolume, name: &str, volumes: &'a Volumes) -> Result<&'a VolumeClaim, Trouble> {
    let ephemeral = matches!(volume, PodVolume::Ephemeral(_));
    let claim = volumes.claim(&pod.namespace, name).ok_or(Trouble::Missing { ephemeral })?;
    if claim.lost {
        return Err(Trouble::Lost { volume: claim.volume.clone() });
    }
    if claim.leaving {
        return Err(Trouble::Leaving);
    }
    if ephemeral && claim.owner.as_deref() != Some(&pod.uid) {
        return Err(Trouble::Foreign { pod: format!("{}/{}", pod.namespace, pod.name) });
    }
    Ok(claim)
}

/// The class of a claim that waits for its first pod; any other should be bound by now.
fn class_of<'a>(claim: &VolumeClaim, volumes: &'a Volumes) -> Result<&'a StorageClass, Trouble> {
    let class = claim.class.clone();
    if !claim.volume.is_empty() {
        return Err(Trouble::Binding { volume: claim.volume.clone() });
    }
    match volumes.class(&class) {
        _ if class.is_empty() => Err(Trouble::Classless),
        None => Err(Trouble::UnknownClass { class }),
        Some(known) if known.waits => Ok(known),
        Some(_) => Err(Trouble::Unbound { class }),
    }
}
