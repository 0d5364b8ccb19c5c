//! What a pod asks of its node, as its spec says and, while it is resized in place, its status.
//!
//! Promise: the amounts are those of kube-scheduler 1.36 (`PodRequests` of component-helpers) for the pod as the API server
//! stores it (`SetDefaults_Pod`): what was never stored reads as the stored one would.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod as Written, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use keelson_core::ResourceName;
use keelson_placement::PodRequests;
use keelson_placement::requests::InitKind;

use super::{Amounts, Problem, amounts};

pub(super) fn requests(written: &Written, spec: &PodSpec, problems: &mut Vec<Problem>) -> PodRequests {
    let init = spec.init_containers.as_deref().unwrap_or_default();
    let status = written.status.as_ref();
    let of_containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let of_init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let resizing = Resizing { is_infeasible: is_infeasible(written) };
    let (mut stored, mut counted) = (PodRequests::default(), PodRequests::default());
    for (index, container) in spec.containers.iter().enumerate() {
        let wanted = asked(container.resources.as_ref(), &format!("spec.containers[{index}].resources"), problems);
        counted = counted.container(resizing.of(wanted.clone(), container, of_containers, problems));
        stored = stored.container(wanted);
    }
    for (index, container) in init.iter().enumerate() {
        let wanted = asked(container.resources.as_ref(), &format!("spec.initContainers[{index}].resources"), problems);
        let kind = kind(container);
        // A container that runs to its end is never resized.
        let statuses = if kind == InitKind::Restartable { of_init } else { &[] };
        counted = counted.init(kind, resizing.of(wanted.clone(), container, statuses, problems));
        stored = stored.init(kind, wanted);
    }
    let whole = whole(spec, &stored, problems);
    let known = status.and_then(|status| Some((status.resources.as_ref()?, status.allocated_resources.as_ref())));
    let whole = match known.filter(|_| !whole.is_empty()) {
        Some((actual, allocated)) => {
            let has = resizing.larger(whole.clone(), (actual, allocated), "status", problems);
            let amount = |name: &ResourceName| has.get(name).copied().unwrap_or(0);
            whole.into_keys().map(|name| (name.clone(), amount(&name))).collect()
        }
        None => whole,
    };
    counted.overhead(amounts(spec.overhead.as_ref(), "spec.overhead", problems)).pod_level(whole)
}

fn kind(container: &Container) -> InitKind {
    let restartable = container.restart_policy.as_deref() == Some("Always");
    if restartable { InitKind::Restartable } else { InitKind::RunsToCompletion }
}

/// How a resize under way counts.
struct Resizing {
    /// Whether it will not come: what is wanted does not count then.
    is_infeasible: bool,
}

impl Resizing {
    /// What a container asks; once the kubelet has said what it has, the larger of that and of what is wanted.
    fn of(
        &self,
        wanted: Amounts,
        container: &Container,
        statuses: &[ContainerStatus],
        problems: &mut Vec<Problem>,
    ) -> Amounts {
        let status = statuses.iter().find(|status| status.name == container.name);
        match status.and_then(|status| Some((status.resources.as_ref()?, status.allocated_resources.as_ref()))) {
            Some(has) => self.larger(wanted, has, &format!("status.containerStatuses[{}]", container.name), problems),
            None => wanted,
        }
    }

    fn larger(
        &self,
        wanted: Amounts,
        (actual, allocated): (&ResourceRequirements, Option<&BTreeMap<String, Quantity>>),
        field: &str,
        problems: &mut Vec<Problem>,
    ) -> Amounts {
        let mut larger = if self.is_infeasible { Amounts::new() } else { wanted };
        for (known, path) in [(actual.requests.as_ref(), "resources.requests"), (allocated, "allocatedResources")] {
            for (name, amount) in amounts(known, &format!("{field}.{path}"), problems) {
                let known = larger.entry(name).or_insert(amount);
                *known = (*known).max(amount);
            }
        }
        larger
    }
}

/// Whether a resize is asked for that the node can never grant.
fn is_infeasible(written: &Written) -> bool {
    let conditions = written.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let pending = conditions.into_iter().find(|condition| condition.type_ == "PodResizePending");
    pending.is_some_and(|condition| condition.reason.as_deref() == Some("Infeasible"))
}

/// Requests; a limit without a request is the request, as the API server defaults it.
fn asked(resources: Option<&ResourceRequirements>, field: &str, problems: &mut Vec<Problem>) -> Amounts {
    let Some(resources) = resources else {
        return Amounts::new();
    };
    let mut asked = amounts(resources.limits.as_ref(), &format!("{field}.limits"), problems);
    asked.extend(amounts(resources.requests.as_ref(), &format!("{field}.requests"), problems));
    asked
}

/// What is asked for the pod as a whole. Where it has limits and does not say a request, the API server writes that: the sum
/// of what the containers ask, and the limit where they ask nothing.
fn whole(spec: &PodSpec, containers: &PodRequests, problems: &mut Vec<Problem>) -> Amounts {
    let Some(resources) = &spec.resources else { return Amounts::new() };
    let mut limits = amounts(resources.limits.as_ref(), "spec.resources.limits", problems);
    let mut asked = amounts(resources.requests.as_ref(), "spec.resources.requests", problems);
    limits.retain(|name, _| is_of_a_whole_pod(name));
    asked.retain(|name, _| is_of_a_whole_pod(name));
    if !(limits.is_empty() && asked.is_empty()) {
        for (name, limit) in limits_of_containers(spec).of_containers() {
            if is_huge_page(&name) && !asked.contains_key(&name) {
                limits.entry(name).or_insert(limit);
            }
        }
    }
    if limits.is_empty() {
        return asked;
    }
    let sums =
        containers.of_containers().into_iter().filter(|(name, _)| is_of_a_whole_pod(name) && !is_huge_page(name));
    for (name, amount) in sums.chain(limits) {
        asked.entry(name).or_insert(amount);
    }
    asked
}

/// The limits of the containers, as requests. What cannot be read of them was told already.
fn limits_of_containers(spec: &PodSpec) -> PodRequests {
    let limits = |container: &Container| {
        let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        amounts(limits, "", &mut Vec::new())
    };
    let containers = spec.containers.iter().fold(PodRequests::default(), |sum, one| sum.container(limits(one)));
    spec.init_containers.iter().flatten().fold(containers, |sum, one| sum.init(kind(one), limits(one)))
}

/// The resources that can be asked for a pod as a whole.
fn is_of_a_whole_pod(name: &ResourceName) -> bool {
    matches!(name, ResourceName::Cpu | ResourceName::Memory) || is_huge_page(name)
}

fn is_huge_page(name: &ResourceName) -> bool {
    name.as_str().starts_with("hugepages-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use keelson_placement::Pod;
    use keelson_placement::requests::NonZero;
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: Value, status: Value) -> Pod {
        let written = json!({"metadata": {"name": "p"}, "spec": spec, "status": status});
        let read = crate::read::pod(&serde_json::from_value(written).unwrap());
        assert_eq!(read.problems, []);
        read.pod
    }

    fn cpu(pod: &Pod) -> i64 {
        pod.requests.get(&ResourceName::Cpu)
    }

    fn container(asked: Value) -> Value {
        json!({"containers": [{"name": "a", "resources": asked}]})
    }

    fn has(status: Value) -> Value {
        let mut one = json!({"name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0});
        one.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
        json!([one])
    }

    #[test]
    fn requests_follow_sidecars_overhead_and_limits() {
        let spec = json!({
            "containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}}],
            "initContainers": [
                {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}},
                {"name": "i", "resources": {"requests": {"cpu": "20m"}}},
            ],
            "overhead": {"cpu": "5m"},
        });
        let pod = read(spec, json!({}));
        assert_eq!((cpu(&pod), pod.requests.get(&ResourceName::Memory)), (155, 1 << 30));
    }

    /// `determineEffectiveRequests` of component-helpers 0.36.
    #[test]
    fn a_resize_under_way_counts_for_the_largest_once_the_kubelet_says_what_it_has() {
        let asks = container(json!({"requests": {"cpu": "100m"}}));
        let of = |status: Value| cpu(&read(asks.clone(), json!({"containerStatuses": has(status)})));
        let (allocated, actual) = (json!({"cpu": "300m"}), json!({"requests": {"cpu": "200m", "memory": "1Gi"}}));
        assert_eq!(of(json!({"allocatedResources": allocated})), 100, "it has not said what it has");
        assert_eq!(of(json!({"resources": actual})), 200);
        assert_eq!(of(json!({"allocatedResources": allocated, "resources": actual})), 300);
        // What the status alone names counts as well.
        let pod = read(asks, json!({"containerStatuses": has(json!({"resources": actual}))}));
        assert_eq!(pod.requests.get(&ResourceName::Memory), 1 << 30);
    }

    #[test]
    fn what_a_resize_wants_that_can_never_be_does_not_count() {
        let asks = container(json!({"requests": {"cpu": "4"}}));
        let of = |reason: &str| {
            let pending = json!([{"type": "PodResizePending", "status": "True", "reason": reason}]);
            let statuses = has(json!({"resources": {"requests": {"cpu": "1"}}}));
            cpu(&read(asks.clone(), json!({"containerStatuses": statuses, "conditions": pending})))
        };
        assert_eq!((of("Infeasible"), of("Deferred")), (1_000, 4_000));
    }

    /// `defaultPodRequests` of Kubernetes 1.36.
    #[test]
    fn what_is_asked_for_the_whole_pod_is_completed_where_it_has_limits() {
        let whole = |containers: Value, resources: Value| {
            let mut spec = container(containers);
            spec["resources"] = resources;
            read(spec, json!({}))
        };
        let limits = json!({"limits": {"cpu": "4", "memory": "6Gi"}});
        let pod = whole(json!({"requests": {"cpu": "100m"}}), limits);
        assert_eq!((cpu(&pod), pod.requests.get(&ResourceName::Memory)), (100, 6 << 30));
        assert_eq!(pod.once_there, Some(NonZero { cpu_milli: 100, memory_bytes: 6 << 30 }));
        assert_eq!(pod.non_zero, NonZero { cpu_milli: 100, memory_bytes: 200 << 20 });
        // Without limits nothing is completed.
        let pod = whole(json!({"requests": {"memory": "64Mi"}}), json!({"requests": {"cpu": "1"}}));
        assert_eq!((cpu(&pod), pod.requests.get(&ResourceName::Memory)), (1_000, 64 << 20));
        let huge = json!({"limits": {"hugepages-2Mi": "64Mi"}, "requests": {"hugepages-2Mi": "64Mi"}});
        let pod = whole(huge, json!({"requests": {"cpu": "1"}}));
        assert_eq!(pod.requests.get(&ResourceName::from("hugepages-2Mi")), 64 << 20);
    }

    #[test]
    fn a_resize_of_the_whole_pod_counts_as_one_of_a_container_does() {
        let mut spec = container(json!({}));
        spec["resources"] = json!({"requests": {"cpu": "1"}});
        let status = json!({"resources": {"requests": {"cpu": "2"}}, "allocatedResources": {"cpu": "3"}});
        assert_eq!(cpu(&read(spec.clone(), status)), 3_000);
        let infeasible = json!({"resources": {"requests": {"memory": "1Gi"}},
            "conditions": [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}]});
        assert_eq!(cpu(&read(spec, infeasible)), 0);
    }
}
