//! The zone and region labels of volumes.
//!
//! A volume with such labels is mounted only on nodes with the same; a label may name several places. A node without any of
//! them is in a cluster without zones.

use std::collections::BTreeSet;

use super::{PodVolume, Trouble, Volume, VolumeCheck, VolumeFailure, Volumes};
use crate::node::Node;
use crate::pod::Pod;

const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const OLD_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const OLD_REGION: &str = "failure-domain.beta.kubernetes.io/region";

/// The labels, and what they are called now.
const LABELS: [(&str, &str); 4] = [(OLD_ZONE, ZONE), (OLD_REGION, REGION), (ZONE, ZONE), (REGION, REGION)];

#[derive(Debug, Clone)]
struct Place<'a> {
    volume: &'a str,
    key: &'static str,
    now: &'static str,
    values: BTreeSet<&'a str>,
}

#[derive(Debug, Clone)]
pub(super) struct Zones<'a>(Vec<Place<'a>>);

impl<'a> Zones<'a> {
    pub(super) fn of(pod: &'a Pod, volumes: &'a Volumes) -> Result<Self, VolumeFailure> {
        let mut places = Vec::new();
        for volume in &pod.volumes {
            let PodVolume::Claim(name) = volume else { continue };
            match volume_of(&pod.namespace, name, volumes) {
                Ok(Some(volume)) => places.extend(of_volume(volume)),
                Ok(None) => {}
                Err(trouble) => {
                    let claim = format!("{}/{name}", pod.namespace);
                    return Err(VolumeFailure::Claim { check: VolumeCheck::Zone, claim, trouble });
                }
            }
        }
        Ok(Self(places))
    }

    pub(super) fn failure(&self, node: &Node) -> Option<VolumeFailure> {
        if self.0.is_empty() || !LABELS.iter().any(|(key, _)| node.labels.contains_key(*key)) {
            return None;
        }
        self.0.iter().find_map(|place| {
            let there = node.labels.get(place.key).or_else(|| node.labels.get(place.now));
            let same = there.is_some_and(|there| place.values.contains(there.as_str()));
            (!same).then(|| VolumeFailure::OtherZone {
                volume: place.volume.to_owned(),
                key: place.key.to_owned(),
                places: place.values.iter().map(|place| (*place).to_owned()).collect(),
                place: there.cloned(),
            })
        })
    }
}

/// A claim's volume; `None` for one that waits for its first pod.
fn volume_of<'a>(namespace: &str, name: &str, volumes: &'a Volumes) -> Result<Option<&'a Volume>, Trouble> {
    let claim = volumes.claim(namespace, name).ok_or(Trouble::Missing { ephemeral: false })?;
    if !claim.volume.is_empty() {
        let volume = claim.volume.clone();
        return volumes.volume(&claim.volume).map(Some).ok_or(Trouble::Gone { volume });
    }
    let class = claim.class.clone();
    match volumes.class(&class) {
        _ if class.is_empty() => Err(Trouble::Classless),
        None => Err(Trouble::UnknownClass { class }),
        Some(known) if known.waits => Ok(None),
        Some(_) => Err(Trouble::Unbound { class }),
    }
}

/// A label that names an empty place is no label.
fn of_volume(volume: &Volume) -> impl Iterator<Item = Place<'_>> {
    LABELS.iter().filter_map(|(key, now)| {
        let values: BTreeSet<&str> = volume.labels.get(*key)?.split("__").map(str::trim).collect();
        (!values.contains("")).then_some(Place { volume: &volume.name, key, now, values })
    })
}
