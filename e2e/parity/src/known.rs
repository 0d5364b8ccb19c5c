//! Where we are known to differ from upstream, and why.
//!
//! A row says what differs, in which cases, and what to make of it. A disagreement that no row explains fails the run; a row
//! that explains nothing any more does, too, so that the list holds what is true today.

#![allow(clippy::indexing_slicing, reason = "a JSON object answers null for a field that it has not")]

use serde_json::Value;

use crate::compare::Disagreement;
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
    explains: fn(&Request, &Disagreement) -> bool,
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known {
        name: "no pods allowed",
        why: "Upstream says that evicting helps a node on which no pod is allowed; we say that it never does.",
        once_in: 2_000,
        explains: |asked, one| {
            let node = asked.nodes.iter().find(|node| node["metadata"]["name"] == one.node.as_str());
            let allowed = node.map_or(&Value::Null, |node| &node["status"]["allocatable"]["pods"]);
            let same = one.theirs.replace("Unschedulable:", "UnschedulableAndUnresolvable:") == one.ours;
            is_fit(one) && same && (allowed.is_null() || allowed == "0")
        },
    },
    Known {
        name: "words of node affinity by name",
        why: "Both refuse; of a pod that names nodes in matchFields, upstream says whether its terms conflict and leaves out \
              only nodes that every term does, before its node selector is asked.",
        once_in: 2_000,
        explains: |asked, one| {
            let refused = |text: &str| text.starts_with("UnschedulableAndUnresolvable");
            is_affinity(one) && refused(&one.theirs) && refused(&one.ours) && required(asked).contains("matchFields")
        },
    },
    Known {
        name: "a namespace selector that denies",
        why: "Upstream resolves the namespace selectors of the pod it places to names, and then forgets to drop them: asked \
              without labels, NotIn and DoesNotExist match every namespace. We ask the namespace's labels.",
        once_in: 2_000,
        explains: |asked, one| {
            let affinity = &asked.pod["spec"]["affinity"];
            let denies =
                |selector: &Value| ["NotIn", "DoesNotExist"].iter().any(|word| selector.to_string().contains(word));
            // Whom an eviction lets in follows from it.
            ["InterPodAffinity", "DefaultPreemption"].contains(&one.plugin)
                && any(affinity, "namespaceSelector", &denies)
        },
    },
    Known {
        name: "an empty selector and those who wait",
        why: "Upstream counts no pod that stands for an empty label selector, but every one that waits for room; we count none.",
        once_in: 20_000,
        explains: |asked, one| {
            let empty = |selector: &Value| selector == &Value::Object(serde_json::Map::new());
            let constraints = &asked.pod["spec"]["topologySpreadConstraints"];
            one.plugin == "PodTopologySpread"
                && !asked.nominated.is_empty()
                && any(constraints, "labelSelector", &empty)
        },
    },
    Known {
        name: "who waits and must be apart",
        why: "Upstream skips the plugin for a pod without required terms while no pod that stands has any, and so does not see \
              that one which waits for the node must be apart from it; we do.",
        once_in: 20_000,
        explains: |asked, one| {
            let apart = one.ours == "Unschedulable: node(s) didn't satisfy existing pods anti-affinity rules";
            apart && one.theirs == "Success" && asked.nominated.iter().any(|wish| wish.node == one.node)
        },
    },
    Known {
        name: "who waits with a claim for one pod",
        why: "Upstream skips the plugin while no pod that stands has the claim, and so does not see that one which waits for the \
              node will; we do.",
        once_in: 20_000,
        explains: |asked, one| {
            let in_use = one.ours.starts_with("Unschedulable: node(s) unavailable due to PersistentVolumeClaim with");
            let waits = asked.nominated.iter().any(|wish| wish.node == one.node);
            one.plugin == "VolumeRestrictions" && in_use && one.theirs == "Success" && waits
        },
    },
    Known {
        name: "victims that are equals",
        why: "Of pods of one priority that started at the same moment upstream takes first for the more important which it heard \
              of first, and we go by name.",
        once_in: 2_000,
        explains: |asked, one| {
            let rank = |uid: &str| {
                let pod = asked.pods.iter().find(|pod| pod["metadata"]["uid"] == uid);
                pod.map(|pod| (&pod["spec"]["priority"], &pod["status"]["startTime"]))
            };
            let victims = |text: &str| -> Option<Vec<String>> {
                let (victims, _) = text.strip_prefix("Evict ")?.split_once(" breaking ")?;
                Some(victims.split(", ").map(str::to_owned).collect())
            };
            let (Some(theirs), Some(ours)) = (victims(&one.theirs), victims(&one.ours)) else { return false };
            let equals = theirs.iter().zip(&ours).all(|(theirs, ours)| rank(theirs) == rank(ours));
            one.plugin == "DefaultPreemption" && equals && theirs.len() == ours.len()
        },
    },
    Known {
        name: "two that have a claim for one pod",
        why: "Upstream notes that a claim is in use, not by how many: once one of two that have it is evicted, it takes it for \
              free. We count; two that have it cannot be on a cluster that works.",
        once_in: 20_000,
        explains: |asked, one| {
            let of_one_pod: Vec<&Value> = asked
                .persistent_volume_claims
                .iter()
                .filter(|claim| claim["spec"]["accessModes"].to_string().contains("ReadWriteOncePod"))
                .map(|claim| &claim["metadata"]["name"])
                .collect();
            let mounts = |pod: &Value, claim: &Value| {
                any(&pod["spec"]["volumes"], "claimName", &|name| name == claim)
                    && pod["metadata"]["namespace"] == asked.pod["metadata"]["namespace"]
            };
            let shared = |claim: &&Value| asked.pods.iter().filter(|pod| mounts(pod, claim)).count() > 1;
            one.plugin == "DefaultPreemption"
                && of_one_pod.into_iter().any(|claim| mounts(&asked.pod, claim) && shared(&claim))
        },
    },
    Known {
        name: "who is leaving and was never counted",
        why: "Upstream does not count pods that are being deleted for spreading, and takes them off the count when it evicts \
              them; so evicting one seems to help. We do neither.",
        once_in: 20_000,
        explains: |asked, one| {
            let leaves = |pod: &Value| !pod["metadata"]["deletionTimestamp"].is_null();
            let constraints = &asked.pod["spec"]["topologySpreadConstraints"];
            let required = any(constraints, "whenUnsatisfiable", &|word| word == "DoNotSchedule");
            one.plugin == "DefaultPreemption" && required && asked.pods.iter().any(leaves)
        },
    },
    Known {
        name: "a claim that was not made for the pod",
        why: "Upstream's VolumeBinding refuses such a pod before any node is looked at; its NodeVolumeLimits, asked by itself, \
              cannot tell. We say the same in both names.",
        once_in: 2_000,
        explains: |_, one| {
            let same = one.theirs.replace("Error:", "UnschedulableAndUnresolvable:") == one.ours;
            one.plugin == "NodeVolumeLimits" && same && one.ours.ends_with("(pod is not owner)")
        },
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

/// The row that explains a disagreement.
#[must_use]
pub fn known(asked: &Request, one: &Disagreement) -> Option<&'static Known> {
    KNOWN.iter().find(|known| (known.explains)(asked, one))
}
