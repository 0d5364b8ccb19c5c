//! The features of the platform that are built.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One switchable part of the platform. Grows by a variant when a feature is built; nothing else enumerates features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// A second scheduler that explains itself.
    Scheduling,
}

/// A word that is no feature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("feature {word:?} is unknown; this build has: scheduling")]
pub struct UnknownFeature {
    /// The word as given.
    pub word: String,
}

impl Feature {
    /// Every built feature.
    pub const ALL: [Self; 1] = [Self::Scheduling];

    /// The word used in manifests, labels, leases and URLs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduling => "scheduling",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Feature {
    type Err = UnknownFeature;
    fn from_str(word: &str) -> Result<Self, UnknownFeature> {
        Self::ALL
            .into_iter()
            .find(|feature| feature.as_str() == word)
            .ok_or_else(|| UnknownFeature { word: word.chars().take(64).collect() })
    }
}
