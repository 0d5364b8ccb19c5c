//! Why a pod's volumes keep it off a node.
//!
//! A claim that is of no use is found by every check that looks at it, as kube-scheduler's plugins do: each says so in its own
//! name and upstream's words, and all in the same words of ours, so that whoever shows them can say it once.

use std::fmt;

use keelson_core::ResourceName;
use keelson_core::resources::Round;
use serde::{Deserialize, Serialize};

/// The checks of volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VolumeCheck {
    /// Volumes that bear one pod only.
    Restrictions,
    /// How many volumes a driver attaches to a node.
    Limits,
    /// Where the volumes of claims are, or can be made.
    Binding,
    /// The zone and region labels of volumes.
    Zone,
}

impl VolumeCheck {
    /// kube-scheduler's name for the plugin.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restrictions => "VolumeRestrictions",
            Self::Limits => "NodeVolumeLimits",
            Self::Binding => "VolumeBinding",
            Self::Zone => "VolumeZone",
        }
    }
}

/// What is wrong with a claim, whatever the node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trouble {
    /// It does not exist.
    Missing {
        /// Whether it will be made for the pod.
        ephemeral: bool,
    },
    /// Its volume is gone for good.
    Lost {
        /// The volume.
        volume: String,
    },
    /// It is being deleted.
    Leaving,
    /// It has the name of one that is made for the pod, and was not.
    Foreign {
        /// `namespace/name` of the pod.
        pod: String,
    },
    /// It names neither a volume nor a class.
    Classless,
    /// Its class does not exist.
    UnknownClass {
        /// The class.
        class: String,
    },
    /// It is bound without regard to pods, and is not yet.
    Unbound {
        /// The class.
        class: String,
    },
    /// It names its volume, and the binding is not complete.
    Binding {
        /// The volume.
        volume: String,
    },
    /// Its volume does not exist.
    Gone {
        /// The volume.
        volume: String,
    },
}

/// Why no volume of a claim can be had on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Lack {
    /// It is being made for another node.
    Elsewhere {
        /// That node.
        node: String,
    },
    /// None at hand fits, and the class makes none.
    AtHand {
        /// The class.
        class: String,
    },
    /// None at hand fits, and the class makes none for this node.
    Topology {
        /// The class.
        class: String,
    },
}

/// One reason why a pod's volumes keep it off a node. Claims are named as `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VolumeFailure {
    /// A pod on the node has the disk.
    DiskInUse {
        /// Which.
        disk: String,
    },
    /// Another pod has a claim that only one may use.
    ClaimInUse {
        /// Which.
        claim: String,
    },
    /// A claim is of no use on any node.
    Claim {
        /// Who says so.
        check: VolumeCheck,
        /// Which.
        claim: String,
        /// What is wrong with it.
        trouble: Trouble,
    },
    /// The node's driver attaches no more.
    TooManyVolumes {
        /// The driver.
        driver: String,
        /// How many are attached.
        attached: i64,
        /// How many the pod brings.
        more: i64,
        /// How many may be.
        allowed: i64,
    },
    /// The node does not reach a volume.
    OutOfReach {
        /// The claim.
        claim: String,
        /// Its volume.
        volume: String,
    },
    /// A claim has no volume yet, and can have none here.
    NoVolume {
        /// The claim.
        claim: String,
        /// Why.
        lack: Lack,
    },
    /// A volume could be made here, but not of that size.
    NoSpace {
        /// The claim.
        claim: String,
        /// The class.
        class: String,
        /// What the claim requests.
        bytes: i64,
    },
    /// The node is in another zone or region than a volume.
    OtherZone {
        /// The volume.
        volume: String,
        /// The label.
        key: String,
        /// The volume's places.
        places: Vec<String>,
        /// The node's place; none when it lacks the label.
        place: Option<String>,
    },
}

/// A claim's own name.
fn own(claim: &str) -> &str {
    claim.split_once('/').map_or(claim, |(_, name)| name)
}

impl VolumeFailure {
    /// The check.
    #[must_use]
    pub const fn check(&self) -> VolumeCheck {
        match self {
            Self::DiskInUse { .. } | Self::ClaimInUse { .. } => VolumeCheck::Restrictions,
            Self::TooManyVolumes { .. } => VolumeCheck::Limits,
            Self::OutOfReach { .. } | Self::NoVolume { .. } | Self::NoSpace { .. } => VolumeCheck::Binding,
            Self::OtherZone { .. } => VolumeCheck::Zone,
            Self::Claim { check, .. } => *check,
        }
    }

    /// kube-scheduler's words.
    #[must_use]
    pub fn reason_text(&self) -> String {
        match self {
            Self::DiskInUse { .. } => "node(s) had no available disk".into(),
            Self::ClaimInUse { .. } => "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access \
                                        mode already in-use by another pod"
                .into(),
            Self::Claim { check, claim, trouble } => told(*check, claim, trouble),
            Self::TooManyVolumes { .. } => "node(s) exceed max volume count".into(),
            Self::OutOfReach { .. } => "node(s) didn't match PersistentVolume's node affinity".into(),
            Self::NoVolume { .. } => "node(s) didn't find available persistent volumes to bind".into(),
            Self::NoSpace { .. } => "node(s) did not have enough free storage".into(),
            Self::OtherZone { .. } => "node(s) had no available volume zone".into(),
        }
    }

    /// Whether it could pass once other pods are gone, node, claims and pod staying as they are.
    #[must_use]
    pub const fn may_pass_with_time(&self) -> bool {
        matches!(self, Self::DiskInUse { .. } | Self::ClaimInUse { .. } | Self::TooManyVolumes { .. })
    }

    /// Whether kube-scheduler finds it before it looks at any node, and then says nothing else.
    #[must_use]
    pub const fn is_found_first(&self) -> bool {
        match self {
            Self::Claim { check: VolumeCheck::Limits, .. } => false,
            Self::Claim { check: VolumeCheck::Binding, trouble: Trouble::Gone { .. }, .. } => false,
            Self::Claim { .. } => true,
            _ => false,
        }
    }
}

/// A troubled claim in upstream's words, which differ by plugin.
fn told(check: VolumeCheck, claim: &str, trouble: &Trouble) -> String {
    let name = own(claim);
    match (check, trouble) {
        (VolumeCheck::Limits, Trouble::Missing { .. }) => {
            format!("looking up PVC {claim}: persistentvolumeclaim {name:?} not found")
        }
        (VolumeCheck::Binding, Trouble::Missing { ephemeral: true }) => {
            format!("waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}")
        }
        (_, Trouble::Missing { .. }) => format!("persistentvolumeclaim {name:?} not found"),
        (_, Trouble::Lost { volume }) => {
            format!("persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}")
        }
        (_, Trouble::Leaving) => format!("persistentvolumeclaim {name:?} is being deleted"),
        (_, Trouble::Foreign { pod }) => format!("PVC {claim} was not created for pod {pod} (pod is not owner)"),
        (VolumeCheck::Binding, Trouble::Gone { .. }) => {
            "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)".into()
        }
        (VolumeCheck::Zone, Trouble::Classless) => "PersistentVolumeClaim had no pv name and storageClass name".into(),
        (VolumeCheck::Zone, Trouble::UnknownClass { class }) => {
            format!("storageclass.storage.k8s.io {class:?} not found")
        }
        (VolumeCheck::Zone, Trouble::Unbound { .. }) => "PersistentVolume had no name".into(),
        (_, Trouble::Gone { volume }) => format!("persistentvolume {volume:?} not found"),
        (_, Trouble::Classless | Trouble::UnknownClass { .. } | Trouble::Unbound { .. } | Trouble::Binding { .. }) => {
            "pod has unbound immediate PersistentVolumeClaims".into()
        }
    }
}

impl fmt::Display for VolumeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskInUse { disk } => write!(f, "a pod here has disk {disk}, which the two cannot share"),
            Self::ClaimInUse { claim } => write!(f, "another pod has claim {claim}, which is ReadWriteOncePod"),
            Self::Claim { claim, trouble, .. } => write!(f, "claim {claim} {trouble}"),
            Self::TooManyVolumes { driver, attached, more, allowed } => {
                let short = attached.saturating_add(*more).saturating_sub(*allowed);
                write!(
                    f,
                    "{attached} of {allowed} allowed volumes of {driver} are attached, {more} more: short {short}"
                )
            }
            Self::OutOfReach { claim, volume } => {
                write!(f, "claim {claim} is bound to volume {volume}, which cannot be reached from here")
            }
            Self::NoVolume { claim, lack } => write!(f, "claim {claim} {lack}"),
            Self::NoSpace { claim, class, bytes } => {
                let asked = ResourceName::Memory.readable(*bytes, Round::Up);
                write!(f, "claim {claim} asks for {asked}, and class {class} has not that much left for this node")
            }
            Self::OtherZone { volume, key, places, place } => {
                write!(f, "volume {volume} is in {key}={}, ", places.join(" or "))?;
                match place {
                    Some(place) => write!(f, "the node in {place}"),
                    None => f.write_str("and the node has no such label"),
                }
            }
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { ephemeral: false } => f.write_str("does not exist: create it"),
            Self::Missing { ephemeral: true } => f.write_str("does not exist yet: it is made for the pod"),
            Self::Lost { volume } => write!(f, "has lost its volume {volume}: make the claim anew"),
            Self::Leaving => f.write_str("is being deleted: make it anew"),
            Self::Foreign { pod } => write!(f, "was not made for pod {pod}: delete it, and it is made anew"),
            Self::Classless => f.write_str("names neither a volume nor a class: give it one"),
            Self::UnknownClass { class } => write!(f, "is of class {class}, which does not exist: create it"),
            Self::Unbound { class } => write!(f, "is not bound yet: class {class} binds it before pods are placed"),
            Self::Binding { volume } => write!(f, "is being bound to volume {volume}"),
            Self::Gone { volume } => write!(f, "is bound to volume {volume}, which does not exist"),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elsewhere { node } => write!(f, "waits for its volume on node {node}"),
            Self::AtHand { class } => write!(f, "finds no volume here, and class {class} makes none: create one"),
            Self::Topology { class } => {
                write!(f, "finds no volume here, and class {class} allows none to be made for this node")
            }
        }
    }
}
