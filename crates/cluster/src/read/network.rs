//! AppGroup, NetworkTopology and netperf's ConfigMap in placement's words.
//!
//! These kinds are others' (Diktyo), in several versions of which the published examples use older field names; so they are
//! read field by field, whatever is there.
//!
//! Promises: nothing panics, whatever is stored; what is off is a [`Problem`] with the field's path, and the rest is read;
//! nothing that cannot be read becomes a cost of zero or a bound.
//!
//! | room | what it holds |
//! |---|---|
//! | `group` | AppGroup |
//! | `topology` | NetworkTopology |
//! | `measured` | round-trip times in a ConfigMap |
//! | `field` | a field of anything, and its path |
//! | `finding` | the kinds of things that are off |

mod field;
mod finding;
mod group;
mod measured;
mod topology;

pub use finding::Finding;
pub use group::{ReadGroup, group};
pub use measured::{MEASURED, MEASURED_P50, Percentile, ReadMeasured, is_measured, measured};
pub use topology::{ReadTopology, WEIGHTS, topology};

use super::{Problem, problem};

/// `namespace` and `name` of an object.
pub type Name = (String, String);

#[cfg(test)]
mod tests;
