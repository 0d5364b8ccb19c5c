//! The nodes of the page: what the scheduler says of each, kept current by asking it twice a second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Node;
use keelson_core::ResourceName;
use keelson_dashboard::view::{NodeView, Nodes, ResourceView, Tightest};
use keelson_runtime::Cache;
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
    pub fn take(&self, cells: Vec<Cell>, labels: &Cache<Node>) {
        let is_spot = |name: &str| {
            let node = labels.get("", name);
            let labels = node.as_ref().and_then(|node| node.metadata.labels.as_ref());
            SPOT.iter().any(|(key, value)| labels.and_then(|labels| labels.get(*key)).is_some_and(|v| v == value))
        };
        let nodes: Vec<_> = cells.into_iter().map(|cell| node(is_spot(&cell.name), cell)).collect();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.nodes != nodes {
            *last = Arc::new(Nodes { nodes, version: last.version + 1 });
        }
    }
}

fn node(spot: bool, cell: Cell) -> NodeView {
    let resources = cell.resources.into_iter().map(|(name, used)| ResourceView {
        name: name.to_string(),
        capacity: used.allocatable,
        requested: used.requested,
        used: None,
    });
    let tightest = cell.tightest.map_or_else(
        || Tightest { name: "cpu".to_owned(), permille: 0 },
        |limit| Tightest {
            name: limit.resource.to_string(),
            permille: u32::try_from(limit.permille).unwrap_or(u32::MAX),
        },
    );
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
