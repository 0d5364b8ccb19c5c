//! Step 1: the words of the feature.
//!
//! A feature of the product adds them where all words are, so that they are metric labels, filters and API. An example adds
//! none: it takes the nearest that are there, and names here which they are. Copying it, replace each by your own variant.

use keelson_core::{Feature, Reason, Verb};

/// `Feature::Night`, in `crates/core/src/feature.rs`.
pub const FEATURE: Feature = Feature::Scheduling;
/// The controller's name: in metrics, logs and decisions.
pub const CONTROLLER: &str = "night";
/// Something is scaled: `Verb::Scale`, in `decision.rs`.
pub const SCALE: Verb = Verb::Configure;
/// Night falls, or ends: `Reason::NightFell` and `Reason::DayBroke`, in `reason.rs`.
pub const TURNED: Reason = Reason::ModeChanged;
/// An annotation cannot be read. There is a reason for it already.
pub const UNREADABLE: Reason = Reason::InvalidField;

/// The annotation that says how many replicas by day.
pub const DAY: &str = "night.example.com/day";
/// The annotation that says how many by night.
pub const NIGHT: &str = "night.example.com/night";
