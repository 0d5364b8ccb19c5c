//! What a feature is allowed to do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far a feature may go; ordered, so that a ceiling is a `min`.
///
/// ```
/// use keelson_core::Mode;
/// assert_eq!(Mode::Enforce.min(Mode::Observe), Mode::Observe);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Mode {
    /// Stopped, and whatever it installed on nodes is undone.
    Off,
    /// Decides and explains; touches nothing. What a new install does.
    #[default]
    Observe,
    /// Decides and acts.
    Enforce,
}

/// A word that is no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mode {word:?} is unknown; use Off, Observe or Enforce")]
pub struct UnknownMode {
    /// The word as given.
    pub word: String,
}

impl Mode {
    /// Every mode, lowest first.
    pub const ALL: [Self; 3] = [Self::Off, Self::Observe, Self::Enforce];

    /// The word used in manifests, labels and on the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "Off",
            Self::Observe => "Observe",
            Self::Enforce => "Enforce",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;
    /// Letter case is ignored: people type `--mode enforce`.
    fn from_str(word: &str) -> Result<Self, UnknownMode> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownMode { word: word.chars().take(64).collect() })
    }
}
