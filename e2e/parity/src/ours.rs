//! What our engine says, in the shape of the oracle's answer.
//!
//! This is the one file that knows both sides: when the engine learns a plugin, its verdicts and scores are added here, and
//! its row to [`crate::COMPARED`].

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::serde::de::DeserializeOwned;
use keelson_cluster::read::{ReadSelecting, selecting, volumes};
use keelson_cluster::{Event, ReadVolumes, State, read};
use keelson_placement::filter::Failure;
use keelson_placement::preempt::candidates;
use keelson_placement::score::{Spread, scored};
use keelson_placement::{Cycle, Victim, failures_at, preempt};
use serde_json::Value;

use crate::oracle::{Candidate, Code, Points, Preemption, Scores, Verdict};
use crate::request::{Request, typed};

/// Our verdicts and scores.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ours {
    /// By node, then by plugin; a plugin without a row says yes.
    pub verdicts: BTreeMap<String, BTreeMap<String, Verdict>>,
    /// Of the nodes that were compared.
    pub scores: Scores,
    /// Whom we would evict, when that was asked and no node is feasible.
    pub preemption: Option<Preemption>,
}

/// Judges the pod of a request; scores compare the nodes that the oracle found feasible, so that a verdict that differs does
/// not make every score differ.
///
/// # Errors
/// When an object is none of Kubernetes'.
pub fn judge(request: &Request, feasible: &[String]) -> Result<Ours> {
    let mut state = State::default();
    for node in &request.nodes {
        state.apply(Event::node(&typed(node).with_context(|| node.to_string())?));
    }
    for pod in &request.pods {
        state.apply(Event::pod(&typed(pod).with_context(|| pod.to_string())?));
    }
    selecting(&mut state, &request.services, selecting::service)?;
    selecting(&mut state, &request.replication_controllers, selecting::replication_controller)?;
    selecting(&mut state, &request.replica_sets, selecting::replica_set)?;
    selecting(&mut state, &request.stateful_sets, selecting::stateful_set)?;
    let read = read::pod(&typed(&request.pod).with_context(|| request.pod.to_string())?);
    let read = state.live().selectors().spread(read);
    let mut pod = read.pod;
    // One that is to be judged is not bound; the name in its spec is a wish.
    pod.node_name = read.bound_to;
    for namespace in &request.namespaces {
        let namespace: Namespace = typed(namespace).with_context(|| namespace.to_string())?;
        let (name, labels) =
            (namespace.metadata.name.unwrap_or_default(), namespace.metadata.labels.unwrap_or_default());
        state.apply(Event::NamespaceApplied { name, labels });
    }
    for budget in &request.pod_disruption_budgets {
        let budget = read::budget(&typed(budget).with_context(|| budget.to_string())?);
        state.apply(Event::BudgetApplied(Box::new(budget)));
    }
    storage(&mut state, &request.persistent_volume_claims, volumes::claim)?;
    storage(&mut state, &request.persistent_volumes, volumes::volume)?;
    storage(&mut state, &request.storage_classes, volumes::class)?;
    storage(&mut state, &request.csi_drivers, volumes::driver)?;
    storage(&mut state, &request.csi_storage_capacities, volumes::capacity)?;
    storage(&mut state, &request.csi_nodes, volumes::node_drivers)?;
    storage(&mut state, &request.volume_attachments, volumes::attachment)?;
    let view = state.view();
    let snapshot = view.snapshot_for(&pod);
    let cycle = Cycle::new(&pod, &snapshot);
    let mut ours = Ours::default();
    for (index, node) in snapshot.nodes().enumerate() {
        let mut by_plugin: BTreeMap<String, Vec<Failure>> = BTreeMap::new();
        for failure in failures_at(&cycle, index) {
            by_plugin.entry(failure.check().to_owned()).or_default().push(failure);
        }
        let verdicts = by_plugin.iter().map(|(plugin, found)| (plugin.clone(), verdict(plugin, found)));
        ours.verdicts.insert(node.name.clone(), verdicts.collect());
    }
    let compared: Vec<_> = snapshot.nodes().filter(|node| feasible.contains(&node.name)).collect();
    for (node, (raw, scores)) in compared.iter().zip(scored(&cycle, &compared)) {
        for part in scores.parts() {
            let points = |raw| Points { raw, normalized: part.value };
            let points = points(match part.name.as_ref() {
                "TaintToleration" => raw.disliked,
                "NodeAffinity" => raw.preferred,
                "InterPodAffinity" => raw.drawn,
                "PodTopologySpread" => match raw.spread {
                    Spread::Costs(cost) => cost,
                    Spread::Not | Spread::Nowhere => 0,
                },
                _ => part.value,
            });
            ours.scores.entry(part.name.to_string()).or_default().insert(node.name.clone(), points);
        }
    }
    if request.preempt && feasible.is_empty() {
        ours.preemption = Some(preemption(&cycle));
    }
    Ok(ours)
}

/// Whom we would evict, and all nodes on which it would help.
fn preemption(cycle: &Cycle<'_>) -> Preemption {
    let best = match preempt(cycle, 0) {
        Ok(best) => best,
        Err(spared) => return Preemption { why: spared.text(), ..Preemption::default() },
    };
    let name = |index| cycle.snapshot.node(index).map_or_else(String::new, |node| node.name.clone());
    let victims = |victims: &[Victim]| victims.iter().map(|victim| victim.uid.to_string()).collect::<Vec<_>>();
    let (found, _) = candidates(cycle);
    let ties = found.iter().filter(|one| one.cost() == best.cost()).map(|one| name(one.node));
    let all = found.iter().map(|one| {
        let violations = i64::try_from(one.violations).unwrap_or(i64::MAX);
        (name(one.node), Candidate { victims: victims(&one.victims), violations })
    });
    Preemption {
        why: String::new(),
        node: name(best.node),
        victims: victims(&best.victims),
        ties: ties.collect(),
        candidates: all.collect(),
    }
}

fn storage<T: DeserializeOwned>(state: &mut State, written: &[Value], read: fn(&T) -> ReadVolumes) -> Result<()> {
    for object in written {
        state.apply(Event::VolumesApplied(Box::new(read(&typed(object).with_context(|| object.to_string())?))));
    }
    Ok(())
}

fn selecting<T: DeserializeOwned>(state: &mut State, written: &[Value], read: fn(&T) -> ReadSelecting) -> Result<()> {
    for object in written {
        state.apply(Event::SelectorApplied(Box::new(read(&typed(object).with_context(|| object.to_string())?))));
    }
    Ok(())
}

/// One plugin's failures as upstream sums them up: eviction helps when it would help against each of them. Of rules about
/// other pods, and of volumes that others have, it names the first alone that is broken.
fn verdict(plugin: &str, found: &[Failure]) -> Verdict {
    let mut found: Vec<&Failure> = found.iter().collect();
    if plugin == "InterPodAffinity" {
        found.sort_by_key(|failure| match failure {
            Failure::NoPeers { .. } => 0,
            Failure::Peers { .. } => 1,
            _ => 2,
        });
    }
    if ["InterPodAffinity", "PodTopologySpread", "VolumeRestrictions"].contains(&plugin) {
        found.truncate(1);
    }
    let code = if found.iter().all(|failure| failure.may_pass_with_time()) {
        Code::Unschedulable
    } else {
        Code::UnschedulableAndUnresolvable
    };
    let mut reasons: Vec<String> = found.iter().map(|failure| failure.reason_text()).collect();
    reasons.dedup();
    Verdict::new(code, reasons)
}
