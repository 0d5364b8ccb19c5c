//! Where we are known to differ from upstream, and why.
//!
//! A row says what differs, in which cases, and what to make of it. A disagreement that no row explains fails the run; a row
//! that explains nothing any more does, too, so that the list holds what is true today.
//!
//! Where a reason can be put into the case, a row does so instead of describing where it may apply: the case is changed to what
//! upstream takes it for, and the row explains what differs when our engine then says what upstream said.

#![allow(clippy::indexing_slicing, reason = "a JSON object answers null for a field that it has not")]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use keelson_core::selector::LabelSelector;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::compare::{Disagreement, compare};
use crate::oracle::Answer;
use crate::ours::judge;
use crate::request::Request;

/// A way in which we are known to differ.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// What to call it.
    pub name: &'static str,
    /// What differs, and whose it is.
    pub why: &'static str,
    /// Cases among which it is sure to be seen once.
    pub once_in: u64,
    explains: Explains,
}

/// What a row explains.
#[derive(Debug, Clone, Copy)]
enum Explains {
    /// Disagreements of this look.
    Like(fn(&Request, &Disagreement) -> bool),
    /// Those that are gone when our engine is shown the case as upstream takes it, as far as that node is concerned.
    Taken(fn(&Request, &Disagreement) -> Option<Request>),
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known {
        name: "no pods allowed",
        why: "Upstream says that evicting helps a node on which no pod is allowed; we say that it never does.",
        once_in: 2_000,
        explains: Explains::Like(|asked, one| {
            let named = |name: &Value| asked.nodes.iter().find(|node| node["metadata"]["name"] == *name);
            let none = |node: &Value| [Value::Null, json!("0")].contains(&node["status"]["allocatable"]["pods"]);
            let same = one.theirs.replace("Unschedulable:", "UnschedulableAndUnresolvable:") == one.ours;
            // So nobody waits either for those who leave such a node.
            let waits = one.theirs.ends_with("not eligible due to a terminating pod on the nominated node.")
                && one.ours == "Evict nobody: ";
            (is_fit(one) && same && named(&json!(one.node)).is_none_or(none))
                || (waits && named(&asked.pod["status"]["nominatedNodeName"]).is_some_and(none))
        }),
    },
    Known {
        name: "words of node affinity by name",
        why: "Both refuse; of a pod that names nodes in matchFields, upstream says whether its terms conflict and leaves out \
              only nodes that every term does, before its node selector is asked.",
        once_in: 2_000,
        explains: Explains::Like(|asked, one| {
            let refused = |text: &str| text.starts_with("UnschedulableAndUnresolvable");
            is_affinity(one) && refused(&one.theirs) && refused(&one.ours) && required(asked).contains("matchFields")
        }),
    },
    Known {
        name: "a namespace selector that denies",
        why: "Upstream resolves the namespace selectors of the pod it places to names, and then forgets to drop them: asked \
              without labels, NotIn and DoesNotExist match every namespace. We ask the namespace's labels.",
        once_in: 2_000,
        // Whom an eviction lets in follows from it.
        explains: Explains::Taken(|asked, one| {
            ["InterPodAffinity", "DefaultPreemption"].contains(&one.plugin).then(|| asked_without_labels(asked))
        }),
    },
    Known {
        name: "an empty selector and those who wait",
        why: "Upstream counts no pod that stands for an empty label selector, but every one that waits for room; we count none.",
        once_in: 20_000,
        explains: Explains::Like(|asked, one| {
            let empty = |selector: &Value| selector == &Value::Object(serde_json::Map::new());
            let constraints = &asked.pod["spec"]["topologySpreadConstraints"];
            one.plugin == "PodTopologySpread"
                && !asked.nominated.is_empty()
                && any(constraints, "labelSelector", &empty)
        }),
    },
    Known {
        name: "who waits and must be apart",
        why: "Upstream skips the plugin for a pod without required terms while no pod that stands has any, and so does not see \
              that one which waits for the node must be apart from it; we do.",
        once_in: 20_000,
        explains: Explains::Like(|asked, one| {
            let apart = one.ours == "Unschedulable: node(s) didn't satisfy existing pods anti-affinity rules";
            apart && one.theirs == "Success" && asked.nominated.iter().any(|wish| wish.node == one.node)
        }),
    },
    Known {
        name: "who waits with a claim for one pod",
        why: "Upstream skips the plugin while no pod that stands has the claim, and so does not see that one which waits for the \
              node will; we do.",
        once_in: 20_000,
        explains: Explains::Like(|asked, one| {
            let in_use = one.ours.starts_with("Unschedulable: node(s) unavailable due to PersistentVolumeClaim with");
            let waits = asked.nominated.iter().any(|wish| wish.node == one.node);
            one.plugin == "VolumeRestrictions" && in_use && one.theirs == "Success" && waits
        }),
    },
    Known {
        name: "two that have a claim for one pod",
        why: "Upstream notes that a claim is in use, not by how many: once one of two that have it is evicted, it takes it for \
              free. We count; two that have it cannot be on a cluster that works.",
        once_in: 20_000,
        explains: Explains::Taken(|asked, one| {
            (one.plugin == "DefaultPreemption").then(|| had_by_one(asked, &one.node))
        }),
    },
    Known {
        name: "who is leaving and was never counted",
        why: "Upstream does not count pods that are being deleted for spreading, and takes them off the count when it evicts \
              them; so evicting one seems to help. We do neither.",
        once_in: 20_000,
        explains: Explains::Taken(|asked, one| {
            (one.plugin == "DefaultPreemption").then(|| counted_down(asked, &one.node))
        }),
    },
    Known {
        name: "a claim that was not made for the pod",
        why: "Upstream's VolumeBinding refuses such a pod before any node is looked at; its NodeVolumeLimits, asked by itself, \
              cannot tell. We say the same in both names.",
        once_in: 2_000,
        explains: Explains::Like(|_, one| {
            let same = one.theirs.replace("Error:", "UnschedulableAndUnresolvable:") == one.ours;
            one.plugin == "NodeVolumeLimits" && same && one.ours.ends_with("(pod is not owner)")
        }),
    },
];

/// Whether a field of this name holds, anywhere below.
fn any(value: &Value, name: &str, holds: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Object(fields) => {
            fields.iter().any(|(key, field)| (key == name && holds(field)) || any(field, name, holds))
        }
        Value::Array(items) => items.iter().any(|item| any(item, name, holds)),
        _ => false,
    }
}

/// Changes every field of this name, anywhere below.
fn each(value: &mut Value, name: &str, change: &dyn Fn(&mut Value)) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(key, field)| {
            if key == name {
                change(field);
            } else {
                each(field, name, change);
            }
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, name, change)),
        _ => {}
    }
}

fn is_fit(one: &Disagreement) -> bool {
    one.plugin == "NodeResourcesFit" && one.is_verdict()
}

fn is_affinity(one: &Disagreement) -> bool {
    one.plugin == "NodeAffinity" && one.is_verdict()
}

/// The required node affinity of the pod to judge, as text.
fn required(asked: &Request) -> String {
    asked.pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"].to_string()
}

/// The pod's terms as they are when its namespace selectors have become names and are asked once more, without labels.
fn asked_without_labels(asked: &Request) -> Request {
    let mut taken = asked.clone();
    each(&mut taken.pod["spec"]["affinity"], "namespaceSelector", &|selector| {
        let read = LabelSelector::deserialize(&*selector).unwrap_or_default();
        if read.matches(&BTreeMap::new()) {
            *selector = json!({});
        }
    });
    taken
}

/// Claims of the pod that are for one pod, had by nobody but the pod of this node that is let back in last.
fn had_by_one(asked: &Request, node: &str) -> Request {
    let mut taken = asked.clone();
    let of_one_pod = asked
        .persistent_volume_claims
        .iter()
        .filter(|claim| claim["spec"]["accessModes"].to_string().contains("ReadWriteOncePod"));
    for claim in of_one_pod.filter(|claim| mounts(&asked.pod, claim)) {
        let there = |pod: &Value| mounts(pod, claim) && pod["spec"]["nodeName"] == node;
        let rank = |pod: &Value| (Reverse(pod["spec"]["priority"].as_i64()), pod["status"]["startTime"].to_string());
        let last = asked.pods.iter().filter(|pod| there(pod)).max_by_key(|pod| rank(pod));
        for pod in taken.pods.iter_mut().filter(|pod| last.is_some_and(|last| last != *pod) && mounts(pod, claim)) {
            let volumes = pod["spec"]["volumes"].as_array_mut();
            let other = |volume: &Value| volume["persistentVolumeClaim"]["claimName"] != claim["metadata"]["name"];
            volumes.into_iter().for_each(|volumes| volumes.retain(other));
        }
    }
    taken
}

/// Whether a pod has a volume of a claim.
fn mounts(pod: &Value, claim: &Value) -> bool {
    any(&pod["spec"]["volumes"], "claimName", &|name| name == &claim["metadata"]["name"])
        && pod["metadata"]["namespace"] == claim["metadata"]["namespace"]
}

/// Pods that are leaving the node as if they stayed, with as much more skew allowed: then they count one more than upstream
/// counts them, before and after they are evicted.
fn counted_down(asked: &Request, node: &str) -> Request {
    let mut taken = asked.clone();
    let pod = &mut taken.pod;
    let leaves = |other: &&mut Value| {
        other["spec"]["nodeName"] == node
            && other["metadata"]["namespace"] == pod["metadata"]["namespace"]
            && other["spec"]["priority"].as_i64() < pod["spec"]["priority"].as_i64()
            && !other["metadata"]["deletionTimestamp"].is_null()
    };
    let leaving: Vec<&mut Value> = taken.pods.iter_mut().filter(leaves).collect();
    for other in leaving {
        other["metadata"]["deletionTimestamp"] = Value::Null;
        let labels = BTreeMap::deserialize(&other["metadata"]["labels"]).unwrap_or_default();
        for constraint in pod["spec"]["topologySpreadConstraints"].as_array_mut().into_iter().flatten() {
            let selector = LabelSelector::deserialize(&constraint["labelSelector"]).unwrap_or_default();
            if !selector.is_empty() && selector.matches(&labels) {
                constraint["maxSkew"] = json!(constraint["maxSkew"].as_i64().unwrap_or_default() + 1);
            }
        }
    }
    taken
}

/// The row that explains a disagreement with an answer.
#[must_use]
pub fn known(asked: &Request, told: &Answer, one: &Disagreement) -> Option<&'static Known> {
    KNOWN.iter().find(|known| match known.explains {
        Explains::Like(looks) => looks(asked, one),
        Explains::Taken(taken) => taken(asked, one)
            .and_then(|taken| judge(&taken, &told.feasible).ok())
            .is_some_and(|ours| compare(told, &ours).iter().all(|still| !still.is_about(one))),
    })
}
