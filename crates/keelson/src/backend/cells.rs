//! The nodes of the page: what the scheduler says of each and, where it is measured, what each uses; kept current by
//! asking twice a second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Node;
use keelson_core::{ResourceName, Timestamp};
use keelson_dashboard::view::{NodeView, Nodes, ResourceView, Tightest};
use keelson_runtime::Extract;
use keelson_scheduling::used::{Measured, NodeUse};
use serde::Deserialize;
use serde_json::Value;

/// Labels by which clouds and provisioners mark capacity that they may take back.
const SPOT: [(&str, &str); 4] = [
    ("karpenter.sh/capacity-type", "spot"),
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("cloud.google.com/gke-spot", "true"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
];

/// The last answer.
#[derive(Debug, Default)]
pub struct Cells {
    last: Mutex<Arc<Nodes>>,
}

/// A node in the scheduler's answer.
#[derive(Debug, Deserialize)]
pub struct Cell {
    /// Its name.
    pub name: String,
    /// Its zone.
    #[serde(default)]
    pub zone: String,
    /// Its instance type.
    #[serde(default)]
    pub instance_type: String,
    /// Whether its kubelet reports Ready.
    pub ready: bool,
    /// Whether new pods are kept away.
    pub cordoned: bool,
    /// Its resources.
    pub resources: BTreeMap<ResourceName, Use>,
    /// How many pods it holds.
    pub pods: u32,
    /// The resource with the least to spare.
    #[serde(default)]
    tightest: Option<Limit>,
}

/// One resource of a node.
#[derive(Debug, Deserialize)]
pub struct Use {
    /// What pods may request in all.
    pub allocatable: i64,
    /// What they requested.
    pub requested: i64,
}

#[derive(Debug, Deserialize)]
struct Limit {
    resource: ResourceName,
    permille: i64,
}

/// Reads the scheduler's answer.
///
/// # Errors
/// When it has another shape.
pub fn read(answer: Value) -> Result<Vec<Cell>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Answer {
        nodes: Vec<Cell>,
    }
    Ok(serde_json::from_value::<Answer>(answer)?.nodes)
}

impl Cells {
    /// The last answer.
    pub fn nodes(&self) -> Arc<Nodes> {
        Arc::clone(&self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in a new one; the version grows only when something differs.
    pub fn take(&self, cells: Vec<Cell>, spot: &Extract<bool>, used: &NodeUse, now: Timestamp) {
        let spot = spot.rows();
        let is_spot = |name: &str| spot.get(&(String::new(), name.to_owned())) == Some(&true);
        let nodes: Vec<_> =
            cells.into_iter().map(|cell| node(is_spot(&cell.name), used.of(&cell.name, now).ok(), cell)).collect();
        drop(spot);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.nodes != nodes {
            *last = Arc::new(Nodes { nodes, version: last.version + 1 });
        }
    }
}

/// Whether a node may be taken away by whom it was bought from.
pub fn is_spot(node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    SPOT.iter().any(|(key, value)| labels.and_then(|labels| labels.get(*key)).is_some_and(|it| it == value))
}

fn node(spot: bool, measured: Option<&Measured>, cell: Cell) -> NodeView {
    // To a hundredth of the node, or every node would differ with every measurement.
    let hundredths = |name: &ResourceName, there: i64| Some(measured?.share(name, there)? / 10);
    let tightest = cell.tightest.into_iter().chain(cell.resources.iter().filter_map(|(name, there)| {
        Some(Limit { resource: name.clone(), permille: hundredths(name, there.allocatable)? * 10 })
    }));
    // Of equal ones the first: what is requested.
    let tightest = tightest.reduce(|most, next| if next.permille > most.permille { next } else { most });
    let tightest = tightest.map_or_else(
        || Tightest { name: "cpu".to_owned(), permille: 0 },
        |limit| Tightest {
            name: limit.resource.to_string(),
            permille: u32::try_from(limit.permille).unwrap_or(u32::MAX),
        },
    );
    let resources = cell.resources.iter().map(|(name, there)| ResourceView {
        name: name.to_string(),
        capacity: there.allocatable,
        requested: there.requested,
        used: hundredths(name, there.allocatable).map(|share| there.allocatable.saturating_mul(share) / 100),
    });
    NodeView {
        name: cell.name,
        zone: cell.zone,
        instance_type: cell.instance_type,
        spot,
        ready: cell.ready,
        cordoned: cell.cordoned,
        pods: cell.pods,
        resources: resources.collect(),
        tightest,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_core::{Resources, Span};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_measured_stands_beside_what_is_requested_and_the_larger_of_both_limits_the_node() {
        let cell = || {
            let resources = json!({"cpu": {"allocatable": 4_000, "requested": 1_000}, "pods": {"allocatable": 110, "requested": 3}});
            let tightest = json!({"resource": "cpu", "permille": 250});
            let node = json!({"name": "n1", "ready": true, "cordoned": false, "pods": 3, "resources": resources, "tightest": tightest});
            serde_json::from_value(node).unwrap()
        };
        let measured = |milli| {
            let amounts = Resources::new().with(ResourceName::Cpu, milli);
            Measured { at: Timestamp(0), window: Span::seconds(15), amounts }
        };
        let told = |measured: Option<&Measured>| {
            let node = node(false, measured, cell());
            (node.resources.iter().map(|resource| resource.used).collect::<Vec<_>>(), node.tightest.permille)
        };
        assert_eq!(told(None), (vec![None, None], 250));
        assert_eq!(told(Some(&measured(801))), (vec![Some(800), None], 250));
        assert_eq!(told(Some(&measured(3_000))), (vec![Some(3_000), None], 750));
    }
}
