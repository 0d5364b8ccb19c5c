//! Where a pod's volumes let it run.
//!
//! A claim that is bound ties its pod to where its volume can be reached. One that waits for its first pod is bound with the
//! choice: to a volume at hand, or to one that is made for the node. Besides, some volumes bear one pod only, and a node
//! attaches no more of a driver's volumes than it can.
//!
//! Promises: a pod without volumes costs nothing here; what lies in the claims alone is found once for a pod and is a failure
//! on every node; what has been decided for other pods and is not written yet is decided for them, not again.
//!
//! | room | what it holds |
//! |---|---|
//! | `mounts` | what a pod mounts |
//! | `objects`, `index` | what the cluster has, and how it is found |
//! | `restrictions`, `limits`, `binding`, `zone` | one check each, in kube-scheduler's names |
//! | `matching` | the smallest volume at hand that a node reaches |
//! | `needs` | all checks of one pod |
//! | `plan` | what is to be written when a node is chosen |
//! | `failure` | why not, in words |
//! | `seen` | what one pod's checks looked at |
//! | `wake` | which change may help whom |

mod binding;
mod failure;
mod index;
mod limits;
mod matching;
mod mounts;
mod needs;
mod objects;
mod plan;
mod restrictions;
mod seen;
mod wake;
mod zone;

pub use failure::{Lack, Trouble, VolumeCheck, VolumeFailure};
pub use index::{VolumeKind, VolumeObject, Volumes};
pub use mounts::{Attached, Disk, DiskKind, PodVolume};
pub use needs::VolumeNeeds;
pub use objects::{
    AccessMode, Attachment, ClaimRef, Driver, Moved, NodeDrivers, StorageCapacity, StorageClass, Version, Volume,
    VolumeClaim,
};
pub use plan::VolumePlan;
pub use seen::SeenVolumes;
pub use wake::VolumeChange;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
