//! What a random case uses, by the plugin that looks at it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::dice::Dice;

/// How often a feature is used in a case of all features, in a hundred. With some of all features no verdict dominates.
const USED: u32 = 28;

macro_rules! features {
    ($($name:ident)*) => {
        /// A plugin's features. Those beyond the default plugins are named after what they are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the names are upstream's")]
        pub enum Feature { $($name),* }

        impl Feature {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }

        impl FromStr for Feature {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $(stringify!($name) => Ok(Self::$name),)*
                    other => Err(format!("{other:?} is no feature; use one of {:?}", Self::ALL)),
                }
            }
        }
    };
}

features! {
    NodeUnschedulable
    NodeName
    TaintToleration
    NodeAffinity
    NodePorts
    NodeResourcesFit
    VolumeRestrictions
    NodeVolumeLimits
    VolumeBinding
    VolumeZone
    PodTopologySpread
    InterPodAffinity
    ImageLocality
    DefaultPreemption
    Nominated
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Which features a case may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Any of them, some at a time.
    Mixed,
    /// One alone, on nodes and pods that use nothing else.
    Only(Feature),
}

impl Mode {
    /// The features of one case.
    pub(crate) fn features(self, dice: &mut Dice) -> BTreeSet<Feature> {
        match self {
            Self::Mixed => Feature::ALL.iter().copied().filter(|_| dice.chance(USED)).collect(),
            Self::Only(feature) => BTreeSet::from([feature]),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mixed => f.write_str("mixed"),
            Self::Only(feature) => feature.fmt(f),
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "mixed" { Ok(Self::Mixed) } else { text.parse().map(Self::Only) }
    }
}
