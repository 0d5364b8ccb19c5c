//! Which field has which number, from upstream's `generated.proto` files.

/// How a field's bytes become JSON.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    Text,
    Int,
    /// A number whose zero says nothing.
    Some,
    Flag,
    /// `metav1.Time`: seconds and nanoseconds.
    Time,
    Message(Table),
    TextMap,
    BytesMap,
    TextList,
    /// `resource.Quantity` by name.
    QuantityMap,
    /// `intstr.IntOrString`.
    IntOrText,
    /// Known, and not for clients to set.
    Skip,
    List(Table),
}

pub(super) type Table = &'static [(u64, &'static str, Field)];

const OWNER: Table = &[
    (5, "apiVersion", Field::Text),
    (1, "kind", Field::Text),
    (3, "name", Field::Text),
    (4, "uid", Field::Text),
    (6, "controller", Field::Flag),
    (7, "blockOwnerDeletion", Field::Flag),
];
const META: Table = &[
    (1, "name", Field::Text),
    (2, "generateName", Field::Text),
    (3, "namespace", Field::Text),
    (5, "uid", Field::Text),
    (6, "resourceVersion", Field::Text),
    (7, "generation", Field::Int),
    (4, "selfLink", Field::Skip),
    (8, "creationTimestamp", Field::Time),
    (9, "deletionTimestamp", Field::Skip),
    (10, "deletionGracePeriodSeconds", Field::Skip),
    (17, "managedFields", Field::Skip),
    (11, "labels", Field::TextMap),
    (12, "annotations", Field::TextMap),
    (13, "ownerReferences", Field::List(OWNER)),
    (14, "finalizers", Field::TextList),
];
const RESOURCE: Table = &[
    (1, "namespace", Field::Text),
    (2, "verb", Field::Text),
    (3, "group", Field::Text),
    (4, "version", Field::Text),
    (5, "resource", Field::Text),
    (6, "subresource", Field::Text),
    (7, "name", Field::Text),
];
const PATH: Table = &[(1, "path", Field::Text), (2, "verb", Field::Text)];
const SELF_ACCESS: Table =
    &[(1, "resourceAttributes", Field::Message(RESOURCE)), (2, "nonResourceAttributes", Field::Message(PATH))];
const ACCESS: Table = &[
    (1, "resourceAttributes", Field::Message(RESOURCE)),
    (2, "nonResourceAttributes", Field::Message(PATH)),
    (3, "user", Field::Text),
    (4, "groups", Field::TextList),
    (6, "uid", Field::Text),
];
const RULES: Table = &[(1, "namespace", Field::Text)];
const TOKEN: Table = &[(1, "token", Field::Text), (2, "audiences", Field::TextList)];
const SECRET: Table = &[
    (1, "metadata", Field::Message(META)),
    (2, "data", Field::BytesMap),
    (3, "type", Field::Text),
    (4, "stringData", Field::TextMap),
    (5, "immutable", Field::Flag),
];
const LEASE_SPEC: Table = &[
    (1, "holderIdentity", Field::Text),
    (2, "leaseDurationSeconds", Field::Int),
    (3, "acquireTime", Field::Time),
    (4, "renewTime", Field::Time),
    (5, "leaseTransitions", Field::Int),
    (6, "strategy", Field::Text),
    (7, "preferredHolder", Field::Text),
];
const LEASE: Table = &[(1, "metadata", Field::Message(META)), (2, "spec", Field::Message(LEASE_SPEC))];
const REFERENCE: Table = &[
    (1, "kind", Field::Text),
    (2, "namespace", Field::Text),
    (3, "name", Field::Text),
    (4, "uid", Field::Text),
    (5, "apiVersion", Field::Text),
    (6, "resourceVersion", Field::Text),
    (7, "fieldPath", Field::Text),
];
const SOURCE: Table = &[(1, "component", Field::Text), (2, "host", Field::Text)];
const EVENT: Table = &[
    (1, "metadata", Field::Message(META)),
    (2, "involvedObject", Field::Message(REFERENCE)),
    (3, "reason", Field::Text),
    (4, "message", Field::Text),
    (5, "source", Field::Message(SOURCE)),
    (6, "firstTimestamp", Field::Time),
    (7, "lastTimestamp", Field::Time),
    (8, "count", Field::Int),
    (9, "type", Field::Text),
    (10, "eventTime", Field::Time),
    (12, "action", Field::Text),
    (14, "reportingComponent", Field::Text),
    (15, "reportingInstance", Field::Text),
];
const PRECONDITIONS: Table = &[(1, "uid", Field::Text), (2, "resourceVersion", Field::Text)];
const DELETE: Table = &[
    (1, "gracePeriodSeconds", Field::Int),
    (2, "preconditions", Field::Message(PRECONDITIONS)),
    (3, "orphanDependents", Field::Flag),
    (4, "propagationPolicy", Field::Text),
    (5, "dryRun", Field::TextList),
];

const CONFIG_MAP: Table = &[
    (1, "metadata", Field::Message(META)),
    (2, "data", Field::TextMap),
    (3, "binaryData", Field::BytesMap),
    (4, "immutable", Field::Flag),
];
const NAMESPACE: Table = &[
    (3, "status", Field::Skip),
    (1, "metadata", Field::Message(META)),
    (2, "spec", Field::Message(&[(1, "finalizers", Field::TextList)])),
];
const ACCOUNT: Table = &[(1, "metadata", Field::Message(META)), (4, "automountServiceAccountToken", Field::Flag)];
const RULE: Table = &[
    (1, "verbs", Field::TextList),
    (2, "apiGroups", Field::TextList),
    (3, "resources", Field::TextList),
    (4, "resourceNames", Field::TextList),
    (5, "nonResourceURLs", Field::TextList),
];
const ROLE: Table = &[(1, "metadata", Field::Message(META)), (2, "rules", Field::List(RULE))];
const SUBJECT: Table =
    &[(1, "kind", Field::Text), (2, "apiGroup", Field::Text), (3, "name", Field::Text), (4, "namespace", Field::Text)];
const ROLE_REF: Table = &[(1, "apiGroup", Field::Text), (2, "kind", Field::Text), (3, "name", Field::Text)];
const BINDING: Table = &[
    (1, "metadata", Field::Message(META)),
    (2, "subjects", Field::List(SUBJECT)),
    (3, "roleRef", Field::Message(ROLE_REF)),
];
const TOKEN_SPEC: Table = &[(1, "audiences", Field::TextList), (4, "expirationSeconds", Field::Int)];
const PRIORITY: Table = &[
    (1, "metadata", Field::Message(META)),
    (2, "value", Field::Int),
    (3, "globalDefault", Field::Flag),
    (4, "description", Field::Text),
    (5, "preemptionPolicy", Field::Text),
];
const LABELS: Table = &[
    (1, "matchLabels", Field::TextMap),
    (
        2,
        "matchExpressions",
        Field::List(&[(1, "key", Field::Text), (2, "operator", Field::Text), (3, "values", Field::TextList)]),
    ),
];
const PORT: Table = &[
    (1, "name", Field::Text),
    (2, "hostPort", Field::Some),
    (3, "containerPort", Field::Int),
    (4, "protocol", Field::Text),
    (5, "hostIP", Field::Text),
];
const RESOURCES: Table = &[(1, "limits", Field::QuantityMap), (2, "requests", Field::QuantityMap)];
const CONTAINER: Table = &[
    (1, "name", Field::Text),
    (2, "image", Field::Text),
    (3, "command", Field::TextList),
    (4, "args", Field::TextList),
    (5, "workingDir", Field::Text),
    (6, "ports", Field::List(PORT)),
    (7, "env", Field::List(&[(1, "name", Field::Text), (2, "value", Field::Text)])),
    (8, "resources", Field::Message(RESOURCES)),
    (13, "terminationMessagePath", Field::Text),
    (14, "imagePullPolicy", Field::Text),
    (20, "terminationMessagePolicy", Field::Text),
];
const POD_SPEC: Table = &[
    (2, "containers", Field::List(CONTAINER)),
    (3, "restartPolicy", Field::Text),
    (4, "terminationGracePeriodSeconds", Field::Int),
    (6, "dnsPolicy", Field::Text),
    (7, "nodeSelector", Field::TextMap),
    (8, "serviceAccountName", Field::Text),
    (10, "nodeName", Field::Text),
    (19, "schedulerName", Field::Text),
    (20, "initContainers", Field::List(CONTAINER)),
    (24, "priorityClassName", Field::Text),
];
const TEMPLATE: Table = &[(1, "metadata", Field::Message(META)), (2, "spec", Field::Message(POD_SPEC))];
const DEPLOYMENT_SPEC: Table = &[
    (1, "replicas", Field::Int),
    (2, "selector", Field::Message(LABELS)),
    (3, "template", Field::Message(TEMPLATE)),
    (4, "strategy", Field::Message(&[(1, "type", Field::Text)])),
    (5, "minReadySeconds", Field::Some),
    (7, "paused", Field::Flag),
];
const JOB_SPEC: Table = &[
    (1, "parallelism", Field::Int),
    (2, "completions", Field::Int),
    (3, "activeDeadlineSeconds", Field::Int),
    (6, "template", Field::Message(TEMPLATE)),
    (7, "backoffLimit", Field::Int),
    (8, "ttlSecondsAfterFinished", Field::Int),
];
const CRON_SPEC: Table = &[
    (1, "schedule", Field::Text),
    (3, "concurrencyPolicy", Field::Text),
    (5, "jobTemplate", Field::Message(&[(1, "metadata", Field::Message(META)), (2, "spec", Field::Message(JOB_SPEC))])),
];
const BUDGET_SPEC: Table = &[
    (1, "minAvailable", Field::IntOrText),
    (2, "selector", Field::Message(LABELS)),
    (3, "maxUnavailable", Field::IntOrText),
    (4, "unhealthyPodEvictionPolicy", Field::Text),
];
const QUOTA_SPEC: Table = &[(1, "hard", Field::QuantityMap), (2, "scopes", Field::TextList)];
const SERVICE_PORT: Table = &[
    (1, "name", Field::Text),
    (2, "protocol", Field::Text),
    (3, "port", Field::Int),
    (4, "targetPort", Field::IntOrText),
    (5, "nodePort", Field::Some),
];
const SERVICE_SPEC: Table = &[
    (1, "ports", Field::List(SERVICE_PORT)),
    (2, "selector", Field::TextMap),
    (3, "clusterIP", Field::Text),
    (4, "type", Field::Text),
    (7, "sessionAffinity", Field::Text),
    (10, "externalName", Field::Text),
];
const EVICTION: Table = &[(1, "metadata", Field::Message(META)), (2, "deleteOptions", Field::Message(DELETE))];

/// The table of a kind; for reviews the `spec` only.
pub(super) fn table(kind: &str) -> Option<Table> {
    Some(match kind {
        "SelfSubjectAccessReview" => {
            &[(1, "metadata", Field::Skip), (3, "status", Field::Skip), (2, "spec", Field::Message(SELF_ACCESS))]
        }
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            &[(1, "metadata", Field::Message(META)), (2, "spec", Field::Message(ACCESS)), (3, "status", Field::Skip)]
        }
        "SelfSubjectRulesReview" => {
            &[(1, "metadata", Field::Skip), (3, "status", Field::Skip), (2, "spec", Field::Message(RULES))]
        }
        "TokenReview" => {
            &[(1, "metadata", Field::Skip), (3, "status", Field::Skip), (2, "spec", Field::Message(TOKEN))]
        }
        "SelfSubjectReview" => &[(1, "metadata", Field::Skip), (2, "status", Field::Skip)],
        "TokenRequest" => &[
            (3, "status", Field::Skip),
            (1, "metadata", Field::Message(META)),
            (2, "spec", Field::Message(TOKEN_SPEC)),
        ],
        "Deployment" => &[
            (1, "metadata", Field::Message(META)),
            (2, "spec", Field::Message(DEPLOYMENT_SPEC)),
            (3, "status", Field::Skip),
        ],
        "Job" => {
            &[(1, "metadata", Field::Message(META)), (2, "spec", Field::Message(JOB_SPEC)), (3, "status", Field::Skip)]
        }
        "CronJob" => {
            &[(1, "metadata", Field::Message(META)), (2, "spec", Field::Message(CRON_SPEC)), (3, "status", Field::Skip)]
        }
        "PodDisruptionBudget" => &[
            (1, "metadata", Field::Message(META)),
            (2, "spec", Field::Message(BUDGET_SPEC)),
            (3, "status", Field::Skip),
        ],
        "ResourceQuota" => &[
            (1, "metadata", Field::Message(META)),
            (2, "spec", Field::Message(QUOTA_SPEC)),
            (3, "status", Field::Skip),
        ],
        "Service" => &[
            (1, "metadata", Field::Message(META)),
            (2, "spec", Field::Message(SERVICE_SPEC)),
            (3, "status", Field::Skip),
        ],
        "Pod" => {
            &[(1, "metadata", Field::Message(META)), (2, "spec", Field::Message(POD_SPEC)), (3, "status", Field::Skip)]
        }
        "ConfigMap" => CONFIG_MAP,
        "Namespace" => NAMESPACE,
        "ServiceAccount" => ACCOUNT,
        "Role" | "ClusterRole" => ROLE,
        "RoleBinding" | "ClusterRoleBinding" => BINDING,
        "PriorityClass" => PRIORITY,
        "Eviction" => EVICTION,
        "Secret" => SECRET,
        "Lease" => LEASE,
        "Event" => EVENT,
        "DeleteOptions" => DELETE,
        _ => return None,
    })
}
