//! One platform feature, as the runtime and the one binary see it.

use keelson_core::{Feature, Metric, Mode};

use crate::answers::Answers;
use crate::permissions::Permissions;
use crate::spawn::Task;
use crate::{Runtime, StartError};

/// A platform feature. Declares what it needs; the runtime provides it.
pub trait Operator {
    /// Which feature it is.
    const FEATURE: Feature;

    /// What it counts beside what the framework counts for every feature; docs/metrics.md is generated from it.
    const METRICS: &'static [Metric] = &[];

    /// What it asks of the API server when its ceiling is this; the chart's RBAC is generated from it.
    fn permissions(ceiling: Mode) -> Permissions;

    /// The questions it answers.
    fn answers(&self) -> Answers;

    /// The sockets it needs.
    fn listeners(&self) -> Vec<Listener>;

    /// Registers controllers, folds and loops.
    ///
    /// # Errors
    /// What it cannot start with, and the fix.
    fn start(self, runtime: &Runtime) -> Result<Running, StartError>;
}

/// A socket that a feature needs, and who may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Lower case: `extender`.
    pub name: &'static str,
    /// The TCP port.
    pub port: u16,
    /// Who connects, for the NetworkPolicy and for people.
    pub from: &'static str,
}

/// A started feature: its tasks, for as long as they run.
#[derive(Debug, Default)]
pub struct Running(pub Vec<Task>);
