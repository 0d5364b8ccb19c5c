//! What a Pod says about other pods, in placement's words, and the images it runs.

use k8s_openapi::api::core::v1::{PodAffinityTerm, PodSpec, TopologySpreadConstraint};
use keelson_core::selector::{LabelSelector, Operator, Requirement};
use keelson_placement::images::normalised;
use keelson_placement::{Labels, Pod, PodTerm, SpreadConstraint, WeightedPodTerm};

use super::{Problem, problem, selector};

pub(super) fn read(pod: &mut Pod, spec: &PodSpec, problems: &mut Vec<Problem>) {
    let namespace = pod.namespace.clone();
    let terms = |written: Option<&Vec<PodAffinityTerm>>| -> Vec<PodTerm> {
        written.into_iter().flatten().map(|written| term(written, &namespace)).collect()
    };
    let affinity = spec.affinity.as_ref();
    let (with, apart) = (
        affinity.and_then(|affinity| affinity.pod_affinity.as_ref()),
        affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref()),
    );
    pod.affinity.required =
        terms(with.and_then(|with| with.required_during_scheduling_ignored_during_execution.as_ref()));
    pod.affinity.anti =
        terms(apart.and_then(|apart| apart.required_during_scheduling_ignored_during_execution.as_ref()));
    let with = with.and_then(|with| with.preferred_during_scheduling_ignored_during_execution.as_ref());
    let apart = apart.and_then(|apart| apart.preferred_during_scheduling_ignored_during_execution.as_ref());
    for (sign, preferred) in [(1, with), (-1, apart)] {
        for written in preferred.into_iter().flatten() {
            let term = term(&written.pod_affinity_term, &namespace);
            pod.affinity.preferred.push(WeightedPodTerm { weight: written.weight.saturating_mul(sign), term });
        }
    }
    for (index, written) in spec.topology_spread_constraints.iter().flatten().enumerate() {
        let field = format!("spec.topologySpreadConstraints[{index}]");
        pod.spread.push(constraint(written, &pod.labels, &field, problems));
    }
    images(pod, spec);
}

/// A term. `matchLabelKeys` and `mismatchLabelKeys` need no care: the API server has merged them into the selector.
fn term(written: &PodAffinityTerm, namespace: &str) -> PodTerm {
    let mut namespaces: std::collections::BTreeSet<String> = written.namespaces.iter().flatten().cloned().collect();
    if namespaces.is_empty() && written.namespace_selector.is_none() {
        namespaces.insert(namespace.to_owned());
    }
    PodTerm {
        namespaces,
        namespace_selector: written.namespace_selector.as_ref().map(selector),
        selector: written.label_selector.as_ref().map(selector),
        topology_key: written.topology_key.clone(),
    }
}

fn constraint(
    written: &TopologySpreadConstraint,
    labels: &Labels,
    field: &str,
    problems: &mut Vec<Problem>,
) -> SpreadConstraint {
    let hard = match written.when_unsatisfiable.as_str() {
        "DoNotSchedule" => true,
        "ScheduleAnyway" => false,
        other => {
            let text = format!("{other:?} is neither DoNotSchedule nor ScheduleAnyway; it counts as DoNotSchedule");
            problems.push(problem(format!("{field}.whenUnsatisfiable"), text));
            true
        }
    };
    let mut policy = |name: &str, written: Option<&str>, default: bool| match written {
        None => default,
        Some("Honor") => true,
        Some("Ignore") => false,
        Some(other) => {
            let text = format!("{other:?} is neither Honor nor Ignore; it counts as Honor");
            problems.push(problem(format!("{field}.{name}"), text));
            true
        }
    };
    SpreadConstraint {
        max_skew: written.max_skew,
        topology_key: written.topology_key.clone(),
        hard,
        honors_affinity: policy("nodeAffinityPolicy", written.node_affinity_policy.as_deref(), true),
        honors_taints: policy("nodeTaintsPolicy", written.node_taints_policy.as_deref(), false),
        selector: written
            .label_selector
            .as_ref()
            .map(|known| merged(selector(known), &written.match_label_keys, labels)),
        min_domains: written.min_domains.unwrap_or(1),
    }
}

/// The selector with the pod's own values of some labels. Newer API servers have merged them already; twice is as once.
fn merged(mut selector: LabelSelector, keys: &Option<Vec<String>>, labels: &Labels) -> LabelSelector {
    for (key, value) in keys.iter().flatten().filter_map(|key| labels.get_key_value(key)) {
        let own = Requirement::new(key, Operator::In, &[value]);
        if !selector.match_expressions.contains(&own) {
            selector.match_expressions.push(own);
        }
    }
    selector
}

fn images(pod: &mut Pod, spec: &PodSpec) {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let named = containers.clone().filter_map(|container| container.image.as_deref());
    let mounted = spec.volumes.iter().flatten().filter_map(|volume| volume.image.as_ref()?.reference.as_deref());
    pod.images = named.chain(mounted).map(normalised).collect();
    pod.containers = u16::try_from(containers.count()).unwrap_or(u16::MAX);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use serde_json::json;

    #[test]
    fn terms_constraints_and_images_are_read_with_the_defaults_of_the_api() {
        let web = json!({"matchLabels": {"app": "web"}});
        let read = crate::read::pod(
            &serde_json::from_value(json!({
                "metadata": {"name": "p", "namespace": "shop", "labels": {"app": "web", "version": "2"}},
                "spec": {
                    "containers": [{"name": "c", "image": "cart"}],
                    "initContainers": [{"name": "i", "image": "host:5000/init:1"}],
                    "volumes": [{"name": "v", "image": {"reference": "model"}}],
                    "affinity": {
                        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                            {"topologyKey": "zone", "labelSelector": web}]},
                        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 5, "podAffinityTerm": {"topologyKey": "host", "namespaces": ["a"], "labelSelector": web}}]},
                    },
                    "topologySpreadConstraints": [
                        {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": web,
                            "matchLabelKeys": ["version", "absent"], "nodeTaintsPolicy": "Honor"},
                        {"maxSkew": 1, "topologyKey": "host", "whenUnsatisfiable": "Never", "nodeAffinityPolicy": "Sometimes"}],
                },
            }))
            .unwrap(),
        );
        let pod = read.pod;
        assert!(pod.affinity.required[0].namespaces.contains("shop") && pod.affinity.anti.is_empty());
        assert_eq!((pod.affinity.preferred[0].weight, pod.affinity.preferred[0].term.namespaces.len()), (-5, 1));
        assert!(pod.spread[0].hard && pod.spread[0].honors_taints && pod.spread[0].honors_affinity);
        assert!(pod.spread[0].selects(&pod.labels) && !pod.spread[0].selects(&[("app".into(), "web".into())].into()));
        let fields: Vec<_> = read.problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "spec.topologySpreadConstraints[1].whenUnsatisfiable",
                "spec.topologySpreadConstraints[1].nodeAffinityPolicy"
            ]
        );
        assert_eq!(
            (pod.images, pod.containers),
            (vec!["host:5000/init:1".into(), "cart:latest".into(), "model:latest".into()], 2)
        );
    }
}
