//! The scheduler's view of the nodes, in the page's words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use keelson_cluster::{Cell, View};
use keelson_dashboard::view::{NodeView, Nodes, ResourceView, Tightest};

/// The last answer, kept until the view changes.
#[derive(Debug, Default)]
pub struct Cells {
    last: Mutex<Arc<Nodes>>,
}

impl Cells {
    /// Every node of the view.
    pub fn nodes(&self, view: &View) -> Arc<Nodes> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.version != view.version() {
            let spot: BTreeSet<&str> = view.members().filter(|m| is_spot(&m.node.labels)).map(|m| m.node.name.as_str()).collect();
            let nodes = view.cells().into_iter().map(|cell| node(spot.contains(cell.name.as_str()), cell)).collect();
            *last = Arc::new(Nodes { nodes, version: view.version() });
        }
        Arc::clone(&last)
    }
}

/// Labels by which clouds and provisioners mark capacity that they may take back.
const SPOT: [(&str, &str); 4] = [
    ("karpenter.sh/capacity-type", "spot"),
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("cloud.google.com/gke-spot", "true"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
];

fn is_spot(labels: &BTreeMap<String, String>) -> bool {
    SPOT.iter().any(|(key, value)| labels.get(*key).is_some_and(|there| there == value))
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
        |tightest| Tightest {
            name: tightest.resource.to_string(),
            permille: u32::try_from(tightest.permille).unwrap_or(u32::MAX),
        },
    );
    NodeView {
        name: cell.name,
        zone: cell.zone.unwrap_or_default(),
        instance_type: cell.instance_type.unwrap_or_default(),
        spot,
        ready: cell.ready,
        cordoned: cell.cordoned,
        pods: u32::try_from(cell.pods).unwrap_or(u32::MAX),
        resources: resources.collect(),
        tightest,
    }
}
