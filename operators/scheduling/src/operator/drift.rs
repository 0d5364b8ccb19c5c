//! Looks at every AppGroup now and then, beside the loop: what would be saved is worked out on a view.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod as Written;
use keelson_api::{AppGroup, names};
use keelson_cluster::{View, read};
use keelson_core::{Feature, Mode, ObjectRef, Span, StepResult, Timestamp};
use keelson_placement::Pod;
use keelson_placement::network::joint::cost;
use keelson_placement::network::{WORKLOAD_LABEL, again, drift};
use keelson_runtime::{Cache, Runtime};
use tokio::sync::mpsc;

use super::answers::{Query, view};
use super::layout;
use crate::decide::{Moment, Settings, scheduler_of};
use crate::drift::{Better, Seen, TOLD, decide, evicted, worth};
use crate::proposal::MOST;

/// How often it is looked.
const EVERY: Span = Span::minutes(1);

/// Looks until the process stops.
pub(super) async fn keep(rt: Runtime, ask: mpsc::Sender<Query>) {
    tokio::select! {
        () = rt.stopping() => {}
        () = look(&rt, &ask) => {}
    }
}

async fn look(rt: &Runtime, ask: &mpsc::Sender<Query>) {
    let (groups, pods) = (rt.optional_cache::<AppGroup>(), rt.cache::<Written>());
    let switch = rt.switch(Feature::Scheduling);
    let mut moved: BTreeMap<String, BTreeMap<String, Timestamp>> = BTreeMap::new();
    loop {
        rt.clock().sleep(EVERY).await;
        let (leading, mode, fence) = {
            let switch = switch.borrow();
            (switch.leading, switch.effective, switch.fence)
        };
        if !leading || mode == Mode::Off {
            continue;
        }
        let all: Vec<Arc<AppGroup>> = groups.list().collect();
        moved.retain(|key, _| all.iter().any(|group| path(group) == *key));
        let ours = layout::settings(&rt.settings().borrow().features.scheduling.settings, mode);
        if all.is_empty() {
            continue;
        }
        let Some((view, waiting)) = view(ask).await else { continue };
        let running = running(&pods, &view, &ours);
        for group in all {
            let Some(pods) = running.get(&path(&group)) else { continue };
            let Some(mut seen) = seen(&group, pods, &view) else { continue };
            seen.waits = waiting.contains(&path(&group));
            seen.mode = mode;
            let moment = Moment { decision: rt.decision_id(), plan: rt.plan_id(), now: rt.clock().now() };
            let moved = moved.entry(path(&group)).or_default();
            let mut plan = decide(&seen, moved, moment);
            if plan.decisions.is_empty() {
                continue;
            }
            plan.decisions.iter_mut().for_each(|decision| decision.fence = fence);
            let workload = evicted(&seen, &plan).map(str::to_owned);
            let report = rt.executor().run(Feature::Scheduling, plan, None).await;
            // What the gate held is tried again.
            if report.has(StepResult::Done) {
                moved.extend(workload.map(|workload| (workload, moment.now)));
            }
        }
    }
}

fn path(group: &AppGroup) -> String {
    let meta = &group.metadata;
    format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

/// By group: its pods that are on nodes, by name, and whether each is ours to place.
pub(super) fn running(pods: &Cache<Written>, view: &View, settings: &Settings) -> BTreeMap<String, Vec<(Pod, bool)>> {
    let network = view.network();
    let mut running: BTreeMap<String, Vec<(Pod, bool)>> = BTreeMap::new();
    for (_, occupant) in view.members().flat_map(|member| member.node.pods()) {
        let claim = &occupant.claim;
        let Some(group) = network.name_of(&claim.namespace, &claim.labels) else { continue };
        let name = occupant.key.split_once('/').map_or("", |(_, name)| name);
        let Some(pod) = pods.get(&claim.namespace, name) else { continue };
        let stays = pod.metadata.deletion_timestamp.is_none();
        let ours = settings.places(scheduler_of(&pod));
        let read = view.complete(read::pod(&pod)).pod.in_layout(settings.layout_of(&pod));
        running.entry(group.to_string()).or_default().push((read, stays && ours));
    }
    running.values_mut().for_each(|pods| pods.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name)));
    running
}

/// What all edges of running pods cost, each once; none when one of them is on no node.
pub(super) fn cost_of(running: &[(Pod, bool)], view: &View) -> Option<i64> {
    let all: Vec<Pod> = running.iter().map(|(pod, _)| pod.clone()).collect();
    let nobody = Pod::new("", "");
    let snapshot = view.snapshot_for(&nobody);
    let at = |pod: &Pod| snapshot.nodes().position(|node| node.claim(&pod.uid).is_some());
    let nodes: Vec<usize> = all.iter().map(at).collect::<Option<_>>()?;
    // The pods are taken off and put where they are.
    let mut empty = snapshot.clone();
    for (pod, node) in all.iter().zip(&nodes) {
        empty.nodes.get_mut(*node).into_iter().for_each(|node| _ = node.to_mut().remove(&pod.uid));
    }
    Some(cost(&all, &empty, &nodes))
}

/// What one group has to lose; none for a group of too many pods.
fn seen(group: &AppGroup, running: &[(Pod, bool)], view: &View) -> Option<Seen> {
    if running.len() > MOST {
        return None;
    }
    let all: Vec<Pod> = running.iter().map(|(pod, _)| pod.clone()).collect();
    let nobody = Pod::new("", "");
    let snapshot = view.snapshot_for(&nobody);
    let total = cost_of(running, view)?;
    let name = |index: usize| snapshot.node(index).map(|node| node.name.clone()).unwrap_or_default();
    let better = |found: keelson_placement::network::Move| {
        let pod = all.get(found.pod)?;
        let ours = running.get(found.pod).is_some_and(|(_, ours)| *ours);
        let again = again(&all, &snapshot, found.pod, 0).filter(|_| ours);
        Some(Better {
            pod: ObjectRef::namespaced("Pod", &pod.namespace, &pod.name).with_uid(&pod.uid),
            workload: pod.labels.get(WORKLOAD_LABEL).cloned().unwrap_or_default(),
            from: name(found.from),
            to: name(found.to),
            saving: found.saving,
            again: again.map(|(node, saving)| (name(node), saving)),
        })
    };
    let moves = drift(&all, &snapshot, worth(total), TOLD).into_iter().filter_map(better).collect();
    let meta = &group.metadata;
    let subject = ObjectRef::namespaced(
        "AppGroup",
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    );
    Some(Seen {
        group: subject.in_group("appgroup.diktyo.x-k8s.io").with_uid(meta.uid.as_deref().unwrap_or_default()),
        asked: meta.annotations.as_ref().and_then(|all| all.get(names::DRIFT).cloned()),
        mode: Mode::Observe,
        cost: total,
        waits: false,
        moves,
    })
}
