//! The kinds that are served.
//!
//! Built-in kinds are a table; custom resource definitions add to it while the API runs. A [`Kind`] is what every other
//! room asks about names, scope, subresources and rules that differ between kinds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::crd::Crd;
use crate::objects::Resource;

/// One kind in one group; all its versions.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    pub group: &'static str,
    /// Served versions, the preferred one first.
    pub versions: Vec<&'static str>,
    pub plural: &'static str,
    pub singular: &'static str,
    pub kind: &'static str,
    pub list_kind: &'static str,
    pub short_names: Vec<&'static str>,
    pub namespaced: bool,
    pub categories: Vec<&'static str>,
    pub subresources: Vec<&'static str>,
    /// Where its objects lie: `events.k8s.io/events` and core `events` are the same objects.
    pub storage: Resource,
    /// Only for custom resources.
    pub crd: Option<Arc<Crd>>,
    /// Answers a question and stores nothing, or is computed: reviews and metrics.
    pub virtual_: bool,
}

impl Kind {
    /// `pods`, `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `v1`, `apps/v1`.
    pub fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    pub fn has(&self, subresource: &str) -> bool {
        self.subresources.contains(&subresource)
    }

    /// Whether `metadata.generation` counts changes of what is wanted.
    pub fn has_generation(&self) -> bool {
        self.crd.is_some() || GENERATIONS.contains(&self.plural)
    }

    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    /// As its objects are stored: refusals of an event's fields are those of the core group.
    pub fn stored(&self) -> Self {
        Self { group: self.storage.group, ..self.clone() }
    }

    /// Whether a deletion answers with what was deleted and not with a status.
    pub fn is_shown_deleted(&self) -> bool {
        match self.group {
            "" => matches!(
                self.plural,
                "pods"
                    | "services"
                    | "serviceaccounts"
                    | "podtemplates"
                    | "resourcequotas"
                    | "persistentvolumes"
                    | "persistentvolumeclaims"
            ),
            "storage.k8s.io" => self.plural != "csistoragecapacities",
            "resource.k8s.io" => true,
            _ => false,
        }
    }

    pub fn verbs(&self) -> &'static [&'static str] {
        match (self.group, self.plural) {
            ("metrics.k8s.io", _) => &["get", "list"],
            _ if self.virtual_ => &["create"],
            _ if self.crd.is_some() => {
                &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
            }
            _ => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }
    }
}

const GENERATIONS: &[&str] = &[
    "pods",
    "deployments",
    "replicasets",
    "statefulsets",
    "daemonsets",
    "replicationcontrollers",
    "jobs",
    "cronjobs",
    "poddisruptionbudgets",
    "ingresses",
    "networkpolicies",
    "customresourcedefinitions",
    "priorityclasses",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "endpointslices",
    "resourceslices",
    "deviceclasses",
];

/// group, version, plural, singular, kind, short names, namespaced, categories, subresources
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    bool,
    &'static [&'static str],
    &'static [&'static str],
);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("", "v1", "namespaces", "namespace", "Namespace", &["ns"], false, &[], &["status", "finalize"]),
    ("", "v1", "nodes", "node", "Node", &["no"], false, &[], &["status"]),
    ("", "v1", "pods", "pod", "Pod", &["po"], true, &["all"], &["status", "binding", "eviction", "resize", "log"]),
    ("", "v1", "bindings", "binding", "Binding", &[], true, &[], &[]),
    ("", "v1", "services", "service", "Service", &["svc"], true, &["all"], &["status"]),
    ("", "v1", "endpoints", "endpoints", "Endpoints", &["ep"], true, &[], &[]),
    ("", "v1", "configmaps", "configmap", "ConfigMap", &["cm"], true, &[], &[]),
    ("", "v1", "secrets", "secret", "Secret", &[], true, &[], &[]),
    ("", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", &["sa"], true, &[], &["token"]),
    ("", "v1", "events", "event", "Event", &["ev"], true, &[], &[]),
    ("", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume", &["pv"], false, &[], &["status"]),
    ("", "v1", "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim", &["pvc"], true, &[], &["status"]),
    ("", "v1", "limitranges", "limitrange", "LimitRange", &["limits"], true, &[], &[]),
    ("", "v1", "resourcequotas", "resourcequota", "ResourceQuota", &["quota"], true, &[], &["status"]),
    ("", "v1", "replicationcontrollers", "replicationcontroller", "ReplicationController", &["rc"], true, &["all"], &["status", "scale"]),
    ("", "v1", "podtemplates", "podtemplate", "PodTemplate", &[], true, &[], &[]),
    ("apps", "v1", "deployments", "deployment", "Deployment", &["deploy"], true, &["all"], &["status", "scale"]),
    ("apps", "v1", "replicasets", "replicaset", "ReplicaSet", &["rs"], true, &["all"], &["status", "scale"]),
    ("apps", "v1", "statefulsets", "statefulset", "StatefulSet", &["sts"], true, &["all"], &["status", "scale"]),
    ("apps", "v1", "daemonsets", "daemonset", "DaemonSet", &["ds"], true, &["all"], &["status"]),
    ("apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision", &[], true, &[], &[]),
    ("batch", "v1", "jobs", "job", "Job", &[], true, &["all"], &["status"]),
    ("batch", "v1", "cronjobs", "cronjob", "CronJob", &["cj"], true, &["all"], &["status"]),
    ("policy", "v1", "poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget", &["pdb"], true, &[], &["status"]),
    ("coordination.k8s.io", "v1", "leases", "lease", "Lease", &[], true, &[], &[]),
    ("events.k8s.io", "v1", "events", "event", "Event", &["ev"], true, &[], &[]),
    ("scheduling.k8s.io", "v1", "priorityclasses", "priorityclass", "PriorityClass", &["pc"], false, &[], &[]),
    ("storage.k8s.io", "v1", "storageclasses", "storageclass", "StorageClass", &["sc"], false, &[], &[]),
    ("storage.k8s.io", "v1", "csinodes", "csinode", "CSINode", &[], false, &[], &[]),
    ("storage.k8s.io", "v1", "csidrivers", "csidriver", "CSIDriver", &[], false, &[], &[]),
    ("storage.k8s.io", "v1", "csistoragecapacities", "csistoragecapacity", "CSIStorageCapacity", &[], true, &[], &[]),
    ("storage.k8s.io", "v1", "volumeattachments", "volumeattachment", "VolumeAttachment", &[], false, &[], &["status"]),
    ("discovery.k8s.io", "v1", "endpointslices", "endpointslice", "EndpointSlice", &[], true, &[], &[]),
    ("rbac.authorization.k8s.io", "v1", "roles", "role", "Role", &[], true, &[], &[]),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "rolebinding", "RoleBinding", &[], true, &[], &[]),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "clusterrole", "ClusterRole", &[], false, &[], &[]),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding", &[], false, &[], &[]),
    ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "validatingadmissionpolicy", "ValidatingAdmissionPolicy", &[], false, &["api-extensions"], &["status"]),
    ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "validatingadmissionpolicybinding", "ValidatingAdmissionPolicyBinding", &[], false, &["api-extensions"], &[]),
    ("admissionregistration.k8s.io", "v1", "mutatingadmissionpolicies", "mutatingadmissionpolicy", "MutatingAdmissionPolicy", &[], false, &["api-extensions"], &[]),
    ("admissionregistration.k8s.io", "v1", "mutatingadmissionpolicybindings", "mutatingadmissionpolicybinding", "MutatingAdmissionPolicyBinding", &[], false, &["api-extensions"], &[]),
    ("autoscaling", "v2", "horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler", &["hpa"], true, &["all"], &["status"]),
    ("networking.k8s.io", "v1", "ingresses", "ingress", "Ingress", &["ing"], true, &[], &["status"]),
    ("networking.k8s.io", "v1", "ingressclasses", "ingressclass", "IngressClass", &[], false, &[], &[]),
    ("networking.k8s.io", "v1", "networkpolicies", "networkpolicy", "NetworkPolicy", &["netpol"], true, &[], &[]),
    ("resource.k8s.io", "v1", "resourceclaims", "resourceclaim", "ResourceClaim", &[], true, &[], &["status"]),
    ("resource.k8s.io", "v1", "resourceclaimtemplates", "resourceclaimtemplate", "ResourceClaimTemplate", &[], true, &[], &[]),
    ("resource.k8s.io", "v1", "resourceslices", "resourceslice", "ResourceSlice", &[], false, &[], &[]),
    ("resource.k8s.io", "v1", "deviceclasses", "deviceclass", "DeviceClass", &[], false, &[], &[]),
    ("node.k8s.io", "v1", "runtimeclasses", "runtimeclass", "RuntimeClass", &[], false, &[], &[]),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "customresourcedefinition", "CustomResourceDefinition", &["crd", "crds"], false, &["api-extensions"], &["status"]),
    ("authentication.k8s.io", "v1", "tokenreviews", "tokenreview", "TokenReview", &[], false, &[], &[]),
    ("authentication.k8s.io", "v1", "selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview", &[], false, &[], &[]),
    ("authorization.k8s.io", "v1", "subjectaccessreviews", "subjectaccessreview", "SubjectAccessReview", &[], false, &[], &[]),
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "selfsubjectaccessreview", "SelfSubjectAccessReview", &[], false, &[], &[]),
    ("authorization.k8s.io", "v1", "localsubjectaccessreviews", "localsubjectaccessreview", "LocalSubjectAccessReview", &[], true, &[], &[]),
    ("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "selfsubjectrulesreview", "SelfSubjectRulesReview", &[], false, &[], &[]),
    ("metrics.k8s.io", "v1beta1", "nodes", "", "NodeMetrics", &[], false, &[], &[]),
    ("metrics.k8s.io", "v1beta1", "pods", "", "PodMetrics", &[], true, &[], &[]),
];

/// Every kind by group and plural.
#[derive(Debug)]
pub(crate) struct Kinds {
    by_plural: BTreeMap<(&'static str, &'static str), Arc<Kind>>,
    by_kind: BTreeMap<(&'static str, &'static str), Arc<Kind>>,
}

impl Kinds {
    pub fn builtin() -> Self {
        let mut kinds = Self { by_plural: BTreeMap::new(), by_kind: BTreeMap::new() };
        for &(group, version, plural, singular, kind, short, namespaced, categories, subresources) in TABLE {
            let virtual_ = plural.ends_with("reviews") || plural == "bindings" || group == "metrics.k8s.io";
            let storage = if plural == "events" { Resource { group: "", plural } } else { Resource { group, plural } };
            kinds.add(Kind {
                group,
                versions: vec![version],
                plural,
                singular,
                kind,
                list_kind: intern(&format!("{kind}List")),
                short_names: short.to_vec(),
                namespaced,
                categories: categories.to_vec(),
                subresources: subresources.to_vec(),
                storage,
                crd: None,
                virtual_,
            });
        }
        kinds
    }

    pub fn add(&mut self, kind: Kind) {
        let kind = Arc::new(kind);
        self.by_kind.insert((kind.group, kind.kind), Arc::clone(&kind));
        self.by_plural.insert((kind.group, kind.plural), kind);
    }

    pub fn remove(&mut self, group: &str, plural: &str) {
        if let Some(kind) = self.get(group, plural) {
            self.by_kind.remove(&(kind.group, kind.kind));
            self.by_plural.remove(&(kind.group, kind.plural));
        }
    }

    pub fn get(&self, group: &str, plural: &str) -> Option<Arc<Kind>> {
        self.by_plural.get(&(group, plural)).cloned()
    }

    pub fn by_resource(&self, resource: Resource) -> Option<Arc<Kind>> {
        self.get(resource.group, resource.plural)
    }

    /// By `apps/v1` and `Deployment`, whatever the version.
    pub fn by_kind(&self, api_version: &str, kind: &str) -> Option<Arc<Kind>> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.by_kind.get(&(group, kind)).cloned()
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.by_plural.values()
    }
}

/// One copy of each name for the life of the process: custom resources bring names that [`Resource`] holds for ever.
pub(crate) fn intern(text: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(text) {
        return known;
    }
    let known: &'static str = Box::leak(text.to_owned().into_boxed_str());
    names.insert(known);
    known
}
