//! Which change may help whom.
//!
//! kube-scheduler's plugins ask the same (their queueing hints), of the change and the pod alone. Where it tries every pod
//! again, this looks at the classes of the pod's claims.
//!
//! Promise: a change that lets a pod in that was kept out minds it.

use super::{PodVolume, Volume, Volumes};
use crate::pod::Pod;

/// What became different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeChange {
    /// This claim, as `namespace/name`.
    Claim(String),
    /// This volume, as it is now or was last.
    Volume(Box<Volume>),
    /// This storage class.
    Class(String),
    /// This driver.
    Driver(String),
    /// How much of this class can still be made.
    Capacity(String),
    /// The drivers of a node.
    NodeDrivers,
    /// What is attached to a node.
    Attachment,
}

impl VolumeChange {
    /// Whether it may bear on where a pod may go.
    #[must_use]
    pub fn minds(&self, pod: &Pod, volumes: &Volumes) -> bool {
        let mut names = pod.volumes.iter().filter_map(PodVolume::claim);
        let mut claims = pod.volumes.iter().filter_map(|volume| volumes.claim(&pod.namespace, volume.claim()?));
        match self {
            Self::Claim(key) => key
                .split_once('/')
                .is_some_and(|(namespace, changed)| namespace == pod.namespace && names.any(|name| name == changed)),
            Self::Volume(volume) => claims.any(|claim| claim.volume == volume.name || claim.class == volume.class),
            Self::Class(class) | Self::Capacity(class) => claims.any(|claim| claim.class == *class),
            Self::Driver(driver) => {
                let made_by = |class: &str| volumes.class(class).is_some_and(|class| class.provisioner == *driver);
                claims.any(|claim| made_by(&claim.class))
            }
            Self::NodeDrivers | Self::Attachment => !pod.volumes.is_empty(),
        }
    }
}
