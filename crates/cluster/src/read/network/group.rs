//! An AppGroup in placement's words.

use keelson_placement::network::{Algorithm, Edge, Graph, Workload};
use serde_json::Value;

use super::field::Field;
use super::{Finding, Name, Problem, problem};

/// The kinds of workloads that have pods of their own.
const KINDS: [&str; 8] =
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "Pod"];

/// An AppGroup as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadGroup {
    /// Its namespace and name.
    pub name: Name,
    /// Its workloads and who depends on whom.
    pub graph: Graph,
    /// How many pods it has when it is whole.
    pub members: u32,
    /// What is off.
    pub problems: Vec<Problem>,
}

/// Reads an AppGroup.
#[must_use]
pub fn group(written: &Value) -> ReadGroup {
    let (mut problems, root) = (Vec::new(), Field::root(written));
    let name = name(&root, "AppGroup", &mut problems);
    let spec = root.spec();
    let algorithm = match spec.text(&["topologySortingAlgorithm"], &mut problems) {
        None => Algorithm::default(),
        Some(word) => Algorithm::named(word).unwrap_or_else(|| {
            let known: Vec<&str> = Algorithm::ALL.iter().map(|(name, _)| *name).collect();
            let text = format!("{word:?} is unknown, so KahnSort is taken; use one of {}", known.join(", "));
            problems.push(problem(spec.missing("topologySortingAlgorithm"), text));
            Algorithm::default()
        }),
    };
    let mut workloads: Vec<Workload> = Vec::new();
    let mut declared: Vec<(usize, Field<'_>)> = Vec::new();
    for item in spec.list(&["workloads"], &mut problems) {
        let Some(workload) = workload(&item, &mut problems) else { continue };
        let known = workloads.iter().position(|known| known.selector == workload.selector);
        if known.is_some() {
            let text = format!("selector {:?} is there twice; both are read as one", workload.selector);
            problems.push(problem(item.path.clone(), text).of(Finding::DuplicateEntry));
        }
        let index = known.unwrap_or(workloads.len());
        if known.is_none() {
            workloads.push(workload);
        }
        declared.push((index, item));
    }
    if workloads.is_empty() {
        let text = "names no workload, so the group has no effect";
        problems.push(problem(spec.missing("workloads"), text).of(Finding::IncompleteEntry));
    }
    let edges: Vec<Edge> =
        declared.iter().flat_map(|(from, item)| edges(*from, item, &workloads, &mut problems)).collect();
    let graph = Graph::new(workloads, edges, algorithm);
    if let Some(circle) = graph.circle() {
        let first = circle.first().copied();
        let names = circle.into_iter().chain(first).filter_map(|at| Some(graph.workloads().get(at)?.selector.clone()));
        let text = format!(
            "depend on each other in a circle: {}; the first declared of them goes first",
            names.collect::<Vec<_>>().join(" -> ")
        );
        problems.push(problem(spec.missing("workloads"), text).of(Finding::DependencyCycle));
    }
    let members = spec.number(&["numMembers"], 1..=i64::from(i32::MAX), &mut problems);
    let members = members.and_then(|members| u32::try_from(members).ok());
    let workloads = u32::try_from(graph.workloads().len()).unwrap_or(u32::MAX);
    ReadGroup { name, graph, members: members.unwrap_or(workloads), problems }
}

/// Namespace and name, and whether it is of this kind.
pub(super) fn name(root: &Field<'_>, kind: &str, problems: &mut Vec<Problem>) -> Name {
    if let Some(other) = root.text(&["kind"], problems).filter(|other| *other != kind) {
        problems.push(problem("kind", format!("{other:?} is read as {kind}")));
    }
    let meta = root.get(&["metadata"]);
    let mut text = |name: &str| {
        let found = meta.as_ref().and_then(|meta| meta.text(&[name], problems));
        found.unwrap_or_default().to_owned()
    };
    let namespace = text("namespace");
    // As kubectl has it for a manifest that names none.
    let namespace = if namespace.is_empty() { "default".to_owned() } else { namespace };
    (namespace, text("name"))
}

/// The workload of an item; pods carry its selector, or its name when it has none.
fn workload(item: &Field<'_>, problems: &mut Vec<Problem>) -> Option<Workload> {
    let Some(field) = item.get(&["workload"]) else {
        let text = "is missing, so this entry is left out";
        problems.push(problem(item.missing("workload"), text).of(Finding::IncompleteEntry));
        return None;
    };
    let (selector, name) = (field.text(&["selector"], problems), field.text(&["name"], problems));
    let Some(word) = selector.or(name) else {
        let text = "is missing, so this entry is left out";
        problems.push(problem(field.missing("selector"), text).of(Finding::IncompleteEntry));
        return None;
    };
    match (selector, name) {
        (None, Some(name)) => {
            let text = format!("is missing; pods are looked for by the name {name:?}");
            problems.push(problem(field.missing("selector"), text).of(Finding::NameSelectorMismatch));
        }
        (Some(selector), Some(name)) if selector != name => {
            let text = format!("{name:?} is not the selector {selector:?}; pods are looked for by the selector");
            problems.push(problem(field.missing("name"), text).of(Finding::NameSelectorMismatch));
        }
        _ => {}
    }
    if let Some(kind) = field.text(&["kind"], problems).filter(|kind| !KINDS.contains(kind)) {
        let text = format!("{kind:?} is no known kind of workload; its pods are found by their labels");
        problems.push(problem(field.missing("kind"), text));
    }
    Some(Workload { selector: word.to_owned(), name: name.unwrap_or(word).to_owned() })
}

/// Whom the workload of an item depends on.
fn edges(from: usize, item: &Field<'_>, workloads: &[Workload], problems: &mut Vec<Problem>) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    for dependency in item.list(&["dependencies"], problems) {
        let Some(field) = dependency.get(&["workload"]) else {
            let text = "is missing, so this dependency is left out";
            problems.push(problem(dependency.missing("workload"), text).of(Finding::IncompleteEntry));
            continue;
        };
        let (selector, name) = (field.text(&["selector"], problems), field.text(&["name"], problems));
        let by_selector = |word: &str| workloads.iter().position(|known| known.selector == word);
        let by_name = |word: &str| workloads.iter().position(|known| known.name == word);
        let to = match selector.and_then(by_selector) {
            Some(to) => to,
            None => match name.and_then(by_name).or_else(|| name.and_then(by_selector)) {
                Some(to) => {
                    let word = selector.unwrap_or_default();
                    let text = format!("{word:?} is the selector of no workload; taken by its name");
                    problems.push(problem(field.missing("selector"), text).of(Finding::NameSelectorMismatch));
                    to
                }
                None => {
                    let word = selector.or(name).unwrap_or_default();
                    let text = format!("{word:?} is no workload of this group, so this dependency is left out");
                    problems.push(problem(field.missing("selector"), text).of(Finding::UnknownDependency));
                    continue;
                }
            },
        };
        let edge = Edge {
            min_bandwidth: dependency.bits(&["minBandwidth"], problems),
            max_network_cost: dependency.number(&["maxNetworkCost"], 0..=10_000, problems),
            ..Edge::new(from, to)
        };
        if edges.iter().any(|known| known.to == to) {
            problems.push(problem(field.path, "is there twice; the first is taken").of(Finding::DuplicateEntry));
        } else {
            edges.push(edge);
        }
    }
    edges
}
