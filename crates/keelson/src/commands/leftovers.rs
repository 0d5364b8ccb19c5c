//! What an uninstallation leaves in a cluster, and how each of it goes.
//!
//! The chart takes what it brought. What stays on purpose is the definition of Platform with the one object of it; what
//! stays by accident (hooks skipped, a pod that died first) looks the same from outside. So everything of ours is looked
//! for, by label and by name, and named with the command that removes it.
//!
//! Promises: reads only; what may not be read is said, and is not taken for absent.

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use keelson_api::names;
use keelson_core::Mode;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, ResourceExt};

use crate::cluster;

/// One thing that is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its kind and name.
    pub what: String,
    /// What it does there.
    pub why: String,
    /// The command that removes it.
    pub remove: String,
}

/// What the chart makes, by group, version, kind and plural.
const BROUGHT: [(&str, &str, &str, &str); 12] = [
    ("apps", "v1", "Deployment", "deployments"),
    ("batch", "v1", "Job", "jobs"),
    ("", "v1", "Service", "services"),
    ("", "v1", "ConfigMap", "configmaps"),
    ("", "v1", "ServiceAccount", "serviceaccounts"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    ("coordination.k8s.io", "v1", "Lease", "leases"),
];

/// Everything of ours in a cluster.
///
/// # Errors
/// What may not be read.
pub async fn find(client: &kube::Client) -> Result<Vec<Leftover>> {
    let mut found = Vec::new();
    for (group, version, kind, plural) in BROUGHT {
        let label =
            if kind == "Lease" { "app.kubernetes.io/managed-by=keelson" } else { "app.kubernetes.io/part-of=keelson" };
        let resource = resource(group, version, kind, plural);
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        for object in objects.list(&ListParams::default().labels(label)).await? {
            let name = object.name_any();
            let place = object.namespace().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
            found.push(Leftover {
                what: format!(
                    "{kind} {}",
                    object.namespace().map_or_else(|| name.clone(), |ns| format!("{ns}/{name}"))
                ),
                why: "was brought by an installation".to_owned(),
                remove: format!("kubectl delete {plural} {name}{place}"),
            });
        }
    }
    found.extend(platform(client).await?);
    let definition = resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");
    let definitions: Api<DynamicObject> = Api::all_with(client.clone(), &definition);
    for name in keelson_api::crds::own().iter().map(ResourceExt::name_any) {
        if definitions.get_opt(&name).await?.is_some() {
            found.push(Leftover {
                what: format!("CustomResourceDefinition {name}"),
                why: "is kept on purpose: every object of its kind goes with it".to_owned(),
                remove: format!("kubectl delete crd {name}"),
            });
        }
    }
    Ok(found)
}

/// The Platform, and the pods that wait for whom it names.
async fn platform(client: &kube::Client) -> Result<Vec<Leftover>> {
    let Some(platform) = cluster::platform(client).await? else { return Ok(Vec::new()) };
    let scheduling = &platform.spec.features.scheduling;
    let mut found = Vec::new();
    for name in waiting(client, &scheduling.settings.scheduler_name).await? {
        found.push(Leftover {
            what: format!("Pod {name}"),
            why: format!("waits for the scheduler {:?}, which nobody is", scheduling.settings.scheduler_name),
            remove: "give its workload another spec.template.spec.schedulerName".to_owned(),
        });
    }
    let why = match scheduling.mode {
        Mode::Off => "keeps settings for the next installation".to_owned(),
        mode => format!("still says {mode}: the next installation would begin there"),
    };
    let remove = format!("kubectl delete platform {}", names::PLATFORM);
    found.push(Leftover { what: format!("Platform {}", names::PLATFORM), why, remove });
    Ok(found)
}

/// The pods that have no node and name a scheduler, as `namespace/name`.
///
/// # Errors
/// When pods may not be listed.
pub async fn waiting(client: &kube::Client, scheduler: &str) -> Result<Vec<String>> {
    let pods: Api<Pod> = Api::all(client.clone());
    let wanted = ListParams::default().fields(&format!("spec.schedulerName={scheduler},status.phase=Pending"));
    let listed = pods.list(&wanted).await?;
    let unplaced = listed.into_iter().filter(|pod| pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()));
    Ok(unplaced.map(|pod| format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any())).collect())
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let gvk = kube::core::GroupVersionKind::gvk(group, version, kind);
    ApiResource::from_gvk_with_plural(&gvk, plural)
}
