//! One node as the page draws it.

use std::collections::BTreeMap;

use keelson_core::ResourceName;
use serde::Serialize;

use crate::view::Member;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Its name.
    pub name: String,
    /// Its zone, when it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Its instance type, when it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Whether it reports Ready.
    pub ready: bool,
    /// Whether it is cordoned.
    pub cordoned: bool,
    /// What there is and what is asked of it, by resource.
    pub resources: BTreeMap<ResourceName, Use>,
    /// How many pods are on it, assumed ones included.
    pub pods: usize,
    /// The resource of which the largest share is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tightest: Option<Tightest>,
    /// What of it, or of its pods, could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One resource of a node, in its unit: milli-cpu, bytes or whole units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Use {
    /// What the machine has.
    pub capacity: i64,
    /// What pods may ask for.
    pub allocatable: i64,
    /// What they ask for.
    pub requested: i64,
}

/// The resource of which the largest share is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tightest {
    /// Which.
    pub resource: ResourceName,
    /// Requested of allocatable, in thousandths; above 1000 on an overcommitted node.
    pub permille: i64,
}

impl Cell {
    pub(crate) fn of(member: &Member) -> Self {
        let node = &member.node;
        let resources: BTreeMap<ResourceName, Use> = node
            .allocatable
            .iter()
            .map(|(name, allocatable)| (name.clone(), usage(member, name, allocatable)))
            .collect();
        // The first of equals in the order of resources.
        let tightest = resources
            .iter()
            .filter(|(_, used)| used.allocatable > 0)
            .map(|(name, used)| Tightest { resource: name.clone(), permille: permille(used) })
            .reduce(|best, next| if next.permille > best.permille { next } else { best });
        let unread = member.unread.iter().map(|key| format!("pod {key}: its requests could not be read in full"));
        Self {
            name: node.name.clone(),
            zone: member.zone.clone(),
            instance_type: member.instance_type.clone(),
            ready: member.ready,
            cordoned: node.unschedulable,
            pods: node.pod_count(),
            tightest,
            problems: member.problems.iter().map(ToString::to_string).chain(unread).collect(),
            resources,
        }
    }
}

fn usage(member: &Member, name: &ResourceName, allocatable: i64) -> Use {
    let requested = match name {
        ResourceName::Pods => i64::try_from(member.node.pod_count()).unwrap_or(i64::MAX),
        name => member.node.requested().get(name),
    };
    Use { capacity: member.capacity.get(name), allocatable, requested }
}

fn permille(used: &Use) -> i64 {
    i64::try_from(i128::from(used.requested) * 1_000 / i128::from(used.allocatable.max(1))).unwrap_or(i64::MAX)
}
