//! The rows of the pod as a whole.

use super::{Row, Rule, Verdict, implemented, neutral, refused};

const PROCESS: &str = "how its processes run, not where";
const NAMES: &str = "names and name resolution inside the pod";
const ADMISSION: &str = "the API server resolves it into other fields at admission";
const NODE_AFFINITY: &str = "node affinity";
const PODS: &str = "affinity between pods";
const PODS_PREFERRED: &str = "preferred affinity between pods is scored";
const SPREAD: &str = "topology spread";
const TOLERATION: &str = "taints and tolerations";

/// Paths below `spec`.
pub(super) const ROWS: &[Row] = &[
    neutral("activeDeadlineSeconds", PROCESS),
    implemented(
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchExpressions[].key",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchExpressions[].operator",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchExpressions[].values",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchFields[].key",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchFields[].operator",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].matchFields[].values",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight",
        "preferred node affinity is scored",
    ),
    implemented(
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchExpressions[].key",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchExpressions[].operator",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchExpressions[].values",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchFields[].key",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchFields[].operator",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].preference.matchFields[].values",
        NODE_AFFINITY,
    ),
    implemented(
        "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.labelSelector",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.matchLabelKeys",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.mismatchLabelKeys",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaceSelector",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaces",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.topologyKey",
        PODS_PREFERRED,
    ),
    implemented("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].labelSelector", PODS),
    implemented("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].matchLabelKeys", PODS),
    implemented("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].mismatchLabelKeys", PODS),
    implemented("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaceSelector", PODS),
    implemented("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaces", PODS),
    implemented("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].topologyKey", PODS),
    implemented("affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight", PODS_PREFERRED),
    implemented(
        "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.labelSelector",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.matchLabelKeys",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.mismatchLabelKeys",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaceSelector",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaces",
        PODS_PREFERRED,
    ),
    implemented(
        "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.topologyKey",
        PODS_PREFERRED,
    ),
    implemented("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].labelSelector", PODS),
    implemented("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].matchLabelKeys", PODS),
    implemented("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].mismatchLabelKeys", PODS),
    implemented("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaceSelector", PODS),
    implemented("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaces", PODS),
    implemented("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].topologyKey", PODS),
    implemented("affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight", PODS_PREFERRED),
    neutral("automountServiceAccountToken", PROCESS),
    neutral("dnsConfig", NAMES),
    neutral("dnsPolicy", NAMES),
    neutral("enableServiceLinks", NAMES),
    neutral("ephemeralContainers", "added to pods that run; they may not ask for resources or ports"),
    neutral("hostAliases", NAMES),
    neutral("hostIPC", PROCESS),
    implemented("hostNetwork", "its containers' ports are ports of the node"),
    neutral("hostPID", PROCESS),
    Row {
        path: "hostUsers",
        rule: Rule::FalseWhile("hostNetwork"),
        why: "a user namespace together with the host's network needs a node that declares it; declared features are not \
              implemented",
    },
    neutral("hostname", NAMES),
    neutral("hostnameOverride", NAMES),
    neutral("imagePullSecrets", "how images are pulled"),
    implemented("nodeName", "a pod that names its node is bound already, or goes nowhere else"),
    implemented("nodeSelector", "every label must be there"),
    neutral("os", "the kubelet checks it; kube-scheduler does not either: select nodes by kubernetes.io/os"),
    implemented("overhead", "added to the requests"),
    implemented("preemptionPolicy", "whether pods of lower priority are evicted to make room for it"),
    implemented("priority", "orders the queue; pods of lower priority are evicted when no node has room"),
    neutral("priorityClassName", ADMISSION),
    neutral("readinessGates", PROCESS),
    refused("resourceClaims", "dynamic resource allocation is not implemented"),
    refused("resources.claims", "dynamic resource allocation is not implemented"),
    implemented("resources.limits", "stands for a missing request"),
    implemented("resources.requests", "replaces the sum over containers"),
    neutral("restartPolicy", PROCESS),
    neutral("runtimeClassName", ADMISSION),
    implemented("schedulerName", "whose pod it is"),
    implemented("schedulingGates[].name", "the pod waits until all are gone"),
    refused("schedulingGroup", "pod groups are not implemented"),
    neutral("securityContext", PROCESS),
    neutral("serviceAccount", PROCESS),
    neutral("serviceAccountName", PROCESS),
    neutral("setHostnameAsFQDN", NAMES),
    neutral("shareProcessNamespace", PROCESS),
    neutral("subdomain", NAMES),
    neutral("terminationGracePeriodSeconds", PROCESS),
    implemented("tolerations[].effect", TOLERATION),
    implemented("tolerations[].key", TOLERATION),
    Row {
        path: "tolerations[].operator",
        rule: Rule::Value(&[("Lt", Verdict::Refused), ("Gt", Verdict::Refused)], Verdict::Implemented),
        why: "Equal and Exists are implemented, the comparisons Lt and Gt are not",
    },
    neutral("tolerations[].tolerationSeconds", "how long it stays on a node that is tainted later"),
    implemented("tolerations[].value", TOLERATION),
    implemented("topologySpreadConstraints[].labelSelector", SPREAD),
    implemented("topologySpreadConstraints[].matchLabelKeys", SPREAD),
    implemented("topologySpreadConstraints[].maxSkew", SPREAD),
    implemented("topologySpreadConstraints[].minDomains", SPREAD),
    implemented("topologySpreadConstraints[].nodeAffinityPolicy", SPREAD),
    implemented("topologySpreadConstraints[].nodeTaintsPolicy", SPREAD),
    implemented("topologySpreadConstraints[].topologyKey", SPREAD),
    implemented("topologySpreadConstraints[].whenUnsatisfiable", SPREAD),
];
