//! How many volumes a driver attaches to a node.
//!
//! A volume counts once, however many pods of the node mount it. One that is not made yet counts by its claim. What is
//! attached and no pod of the node mounts counts as well, even when the pod that comes would mount it: kube-scheduler counts
//! it twice then, and so do we.

use std::collections::{BTreeMap, BTreeSet};

use super::{NodeDrivers, PodVolume, Trouble, VolumeCheck, VolumeFailure, Volumes};
use crate::node::Node;
use crate::pod::Pod;

/// A volume as a driver counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Counted<'a> {
    driver: &'a str,
    handle: Handle<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Handle<'a> {
    Of(&'a str),
    /// It will have one once it is made for this claim.
    Claim(&'a str, &'a str),
}

#[derive(Debug, Clone)]
pub(super) struct Limits<'a> {
    volumes: &'a Volumes,
    brought: BTreeSet<Counted<'a>>,
}

impl<'a> Limits<'a> {
    pub(super) fn of(pod: &'a Pod, volumes: &'a Volumes) -> Result<Self, VolumeFailure> {
        for volume in &pod.volumes {
            let Some(name) = volume.claim() else { continue };
            let trouble = match (volumes.claim(&pod.namespace, name), volume) {
                (None, _) => Trouble::Missing { ephemeral: matches!(volume, PodVolume::Ephemeral(_)) },
                (Some(claim), PodVolume::Ephemeral(_)) if claim.owner.as_deref() != Some(&pod.uid) => {
                    Trouble::Foreign { pod: format!("{}/{}", pod.namespace, pod.name) }
                }
                _ => continue,
            };
            let claim = format!("{}/{name}", pod.namespace);
            return Err(VolumeFailure::Claim { check: VolumeCheck::Limits, claim, trouble });
        }
        let brought = pod.volumes.iter().filter_map(|volume| counted(volume, &pod.namespace, volumes)).collect();
        Ok(Self { volumes, brought })
    }

    pub(super) fn failure(&self, node: &Node) -> Option<VolumeFailure> {
        if self.brought.is_empty() {
            return None;
        }
        let NodeDrivers { limits, .. } = self.volumes.drivers_of(&node.name)?;
        if !self.brought.iter().any(|volume| limits.contains_key(volume.driver)) {
            return None;
        }
        let held: BTreeSet<Counted<'_>> = node
            .claims_with_volumes()
            .flat_map(|pod| pod.volumes.iter().filter_map(|volume| counted(volume, &pod.namespace, self.volumes)))
            .collect();
        let besides: BTreeSet<Counted<'_>> = self
            .volumes
            .attached_to(&node.name)
            .filter_map(|attachment| {
                let known = self.volumes.volume(&attachment.volume).filter(|volume| volume.moved.is_none())?;
                let handle = Handle::Of(&known.attached.as_ref()?.handle);
                Some(Counted { driver: &attachment.driver, handle })
            })
            .filter(|attached| !held.contains(attached))
            .collect();
        let mut more: BTreeMap<&str, i64> = BTreeMap::new();
        for volume in self.brought.difference(&held) {
            *more.entry(volume.driver).or_default() += 1;
        }
        more.into_iter().find_map(|(driver, more)| {
            let allowed = *limits.get(driver)?;
            let there = held.iter().chain(&besides).filter(|volume| volume.driver == driver).count();
            let attached = i64::try_from(there).unwrap_or(i64::MAX);
            (attached.saturating_add(more) > allowed).then(|| VolumeFailure::TooManyVolumes {
                driver: driver.to_owned(),
                attached,
                more,
                allowed,
            })
        })
    }
}

/// How a driver counts a pod's volume; `None` for one that none counts, and for a claim that is not known.
fn counted<'a>(volume: &'a PodVolume, namespace: &str, volumes: &'a Volumes) -> Option<Counted<'a>> {
    let name = match volume {
        PodVolume::Attached(attached) => {
            return Some(Counted { driver: &attached.driver, handle: Handle::Of(&attached.handle) });
        }
        PodVolume::Disk(_) => return None,
        PodVolume::Claim(name) | PodVolume::Ephemeral(name) => name,
    };
    let claim = volumes.claim(namespace, name)?;
    if let Some(known) = volumes.volume(&claim.volume).filter(|_| !claim.volume.is_empty()) {
        let attached = known.attached.as_ref()?;
        return Some(Counted { driver: &attached.driver, handle: Handle::Of(&attached.handle) });
    }
    let driver = volumes.class(&claim.class).filter(|_| !claim.class.is_empty())?.driver.as_deref()?;
    Some(Counted { driver, handle: Handle::Claim(&claim.namespace, &claim.name) })
}
