//! In-tree disks that have moved to CSI drivers.
//!
//! Kubernetes' own plugins for the disks of clouds are gone; their volumes are served by drivers, which count them under names
//! of their own and look at other labels of nodes. The rules are those of csi-translation-lib 0.36, for the plugins that
//! kube-scheduler 1.36 takes for moved.

use k8s_openapi::api::core::v1::{PersistentVolumeSpec, Volume as Mounted};
use keelson_core::selector::{Operator, Requirement};
use keelson_placement::volumes::{Attached, Moved};
use keelson_placement::{Labels, NodeTerm};

const ZONE: &str = "topology.kubernetes.io/zone";
const OLD_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const OLD_REGION: &str = "failure-domain.beta.kubernetes.io/region";
/// Between the zones of a label that names more than one.
const AND: &str = "__";
/// What a name of a disk says in place of a project or a zone that is not known.
const UNSPECIFIED: &str = "UNSPECIFIED";

/// An in-tree plugin, its driver, and the driver's label of zones.
struct Plugin {
    name: &'static str,
    driver: &'static str,
    zone: Option<&'static str>,
}

const AWS: Plugin =
    Plugin { name: "kubernetes.io/aws-ebs", driver: "ebs.csi.aws.com", zone: Some("topology.ebs.csi.aws.com/zone") };
const AZURE: Plugin = Plugin { name: "kubernetes.io/azure-disk", driver: "disk.csi.azure.com", zone: None };
const CINDER: Plugin = Plugin {
    name: "kubernetes.io/cinder",
    driver: "cinder.csi.openstack.org",
    zone: Some("topology.cinder.csi.openstack.org/zone"),
};
const GCE: Plugin =
    Plugin { name: "kubernetes.io/gce-pd", driver: "pd.csi.storage.gke.io", zone: Some("topology.gke.io/zone") };
const PORTWORX: Plugin = Plugin { name: "kubernetes.io/portworx-volume", driver: "pxd.portworx.com", zone: None };

/// Plugins that have drivers too, but whose volumes kube-scheduler does not count.
const UNCOUNTED: [&str; 2] = ["kubernetes.io/azure-file", "kubernetes.io/vsphere-volume"];

/// The driver that attaches what a provisioner makes; `None` where nobody counts it.
pub(super) fn driver_of(provisioner: &str) -> Option<String> {
    let moved = [AWS, AZURE, CINDER, GCE, PORTWORX].into_iter().find(|plugin| plugin.name == provisioner);
    let driver = moved.map_or(provisioner, |plugin| plugin.driver);
    (!driver.is_empty() && !UNCOUNTED.contains(&driver)).then(|| driver.to_owned())
}

/// What attaches a disk that a pod names itself.
pub(super) fn mounted(volume: &Mounted) -> Option<Attached> {
    let unspecified = |name: &str| gce(UNSPECIFIED, name);
    let gce = volume.gce_persistent_disk.as_ref().map(|disk| (GCE, Some(unspecified(&disk.pd_name))));
    let aws = volume.aws_elastic_block_store.as_ref().map(|disk| (AWS, aws(&disk.volume_id)));
    let azure = volume.azure_disk.as_ref().map(|disk| (AZURE, azure(disk.kind.as_deref(), &disk.disk_uri)));
    let cinder = volume.cinder.as_ref().map(|disk| (CINDER, Some(disk.volume_id.clone())));
    let portworx = volume.portworx_volume.as_ref().map(|disk| (PORTWORX, Some(disk.volume_id.clone())));
    let (plugin, handle) = gce.or(aws).or(azure).or(cinder).or(portworx)?;
    Some(Attached::new(plugin.driver, &handle?))
}

/// What attaches a volume of an in-tree plugin, and which nodes reach it through the driver.
pub(super) fn volume(
    spec: &PersistentVolumeSpec,
    labels: &Labels,
    affinity: Option<&Vec<NodeTerm>>,
) -> Option<(Option<Attached>, Moved)> {
    let gce = spec.gce_persistent_disk.as_ref().map(|disk| (GCE, gce_of(labels, &disk.pd_name)));
    let aws = spec.aws_elastic_block_store.as_ref().map(|disk| (AWS, aws(&disk.volume_id)));
    let azure = spec.azure_disk.as_ref().map(|disk| (AZURE, azure(disk.kind.as_deref(), &disk.disk_uri)));
    let cinder = spec.cinder.as_ref().map(|disk| (CINDER, Some(disk.volume_id.clone())));
    let portworx = spec.portworx_volume.as_ref().map(|disk| (PORTWORX, Some(disk.volume_id.clone())));
    let (plugin, handle) = gce.or(aws).or(azure).or(cinder).or(portworx)?;
    let affinity = match plugin.zone {
        Some(zone) => in_labels_of(zone, labels, affinity),
        None => affinity.cloned(),
    };
    let attached = handle.map(|handle| Attached::new(plugin.driver, &handle));
    Some((attached, Moved { plugin: plugin.name.to_owned(), affinity }))
}

fn gce(zone: &str, disk: &str) -> String {
    format!("projects/{UNSPECIFIED}/zones/{zone}/disks/{disk}")
}

/// A disk in more than one zone is of their region, `{locale}-{region}`.
fn gce_of(labels: &Labels, disk: &str) -> Option<String> {
    let written = [OLD_ZONE, ZONE].into_iter().filter_map(|key| labels.get(key)).find(|zones| !zones.is_empty());
    let zones: Vec<&str> = written.into_iter().flat_map(|zones| zones.split(AND)).collect();
    match zones.as_slice() {
        [] => Some(gce(UNSPECIFIED, disk)),
        [zone] => Some(gce(zone, disk)),
        [first, others @ ..] => {
            let region = |zone: &str| {
                zone.rsplit_once('-')
                    .map(|(region, _)| region.to_owned())
                    .filter(|region| region.matches('-').count() == 1)
            };
            let common = region(first)?;
            let same = others.iter().all(|zone| region(zone).as_ref() == Some(&common));
            same.then(|| format!("projects/{UNSPECIFIED}/regions/{common}/disks/{disk}"))
        }
    }
}

/// `aws://zone/vol-1` is `vol-1`.
fn aws(id: &str) -> Option<String> {
    let Some(located) = id.strip_prefix("aws://") else { return Some(id.to_owned()) };
    let name = located.split_once('/').map_or("", |(_, path)| path).trim_matches('/');
    (name.starts_with("vol-") && !name.contains('/')).then(|| name.to_owned())
}

/// Only managed disks have moved; a disk that does not say is shared.
fn azure(kind: Option<&str>, uri: &str) -> Option<String> {
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("Managed")).then(|| uri.to_owned())
}

/// The affinity with the driver's label in place of the zone's; without any, the zones of the volume's labels.
fn in_labels_of(driver_zone: &str, labels: &Labels, affinity: Option<&Vec<NodeTerm>>) -> Option<Vec<NodeTerm>> {
    let names = |key: &str| {
        let mut wanted = affinity.into_iter().flatten().flat_map(|term| &term.labels);
        wanted.any(|wanted| wanted.key == key)
    };
    let old = !names(ZONE) && (names(OLD_ZONE) || (!labels.contains_key(ZONE) && labels.contains_key(OLD_ZONE)));
    let zone = if old { OLD_ZONE } else { ZONE };
    let has_values = {
        let mut wanted = affinity.into_iter().flatten().flat_map(|term| &term.labels);
        wanted.any(|wanted| wanted.key == zone && !wanted.values.is_empty())
    };
    let mut terms = affinity.cloned();
    if has_values {
        let wanted = terms.iter_mut().flatten().flat_map(|term| &mut term.labels);
        wanted.filter(|wanted| wanted.key == zone).for_each(|wanted| driver_zone.clone_into(&mut wanted.key));
    } else if let Some(label) = labels.get(zone) {
        let mut zones: Vec<&str> = label.split(AND).map(str::trim).filter(|zone| !zone.is_empty()).collect();
        zones.sort_unstable();
        zones.dedup();
        if !zones.is_empty() {
            let terms = terms.get_or_insert_default();
            if terms.is_empty() {
                terms.push(NodeTerm::default());
            }
            let wanted = Requirement::new(driver_zone, Operator::In, &zones);
            terms.iter_mut().for_each(|term| term.labels.push(wanted.clone()));
        }
    }
    if old {
        let wanted = terms.iter_mut().flatten().flat_map(|term| &mut term.labels);
        wanted.filter(|wanted| wanted.key == OLD_REGION).for_each(|wanted| REGION.clone_into(&mut wanted.key));
    }
    terms
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// From csi-translation-lib 0.36.3, plugins/aws_ebs_test.go and gce_pd_test.go.
    #[test]
    fn disks_have_the_names_that_their_drivers_give_them() {
        assert_eq!(aws("vol-02399794d890f9375").as_deref(), Some("vol-02399794d890f9375"));
        assert_eq!(aws("aws:///vol-02399794d890f9375").as_deref(), Some("vol-02399794d890f9375"));
        assert_eq!(aws("aws://us-west-2/vol-02399794d890f9375").as_deref(), Some("vol-02399794d890f9375"));
        assert_eq!(aws("aws://us-west-2/vol-02399794d890f9375/more"), None);
        let zones = |zones: &str| Labels::from([(ZONE.to_owned(), zones.to_owned())]);
        let name = |zones| gce_of(&zones, "pd");
        assert_eq!(name(Labels::new()).unwrap(), "projects/UNSPECIFIED/zones/UNSPECIFIED/disks/pd");
        assert_eq!(name(zones("us-east1-a")).unwrap(), "projects/UNSPECIFIED/zones/us-east1-a/disks/pd");
        assert_eq!(name(zones("us-east1-a__us-east1-c")).unwrap(), "projects/UNSPECIFIED/regions/us-east1/disks/pd");
        assert_eq!(name(zones("us-east1-a__us-west1-c")), None);
        assert_eq!((azure(None, "uri"), azure(Some("managed"), "uri")), (None, Some("uri".to_owned())));
    }

    #[test]
    fn a_provisioner_that_moved_has_another_name_and_some_are_not_counted() {
        assert_eq!(driver_of("kubernetes.io/gce-pd").as_deref(), Some("pd.csi.storage.gke.io"));
        assert_eq!(driver_of("csi.example.com").as_deref(), Some("csi.example.com"));
        assert_eq!(driver_of("kubernetes.io/vsphere-volume"), None);
    }

    #[test]
    fn zones_are_asked_for_by_the_drivers_label() {
        let driver = "topology.gke.io/zone";
        let labels = |key: &str, zones: &str| Labels::from([(key.to_owned(), zones.to_owned())]);
        let asks = |key: &str, values: &[&str]| {
            Some(vec![NodeTerm::default().and(Requirement::new(key, Operator::In, values))])
        };
        // By the affinity, by labels, by labels of old, by nothing.
        let written = asks(ZONE, &["a"]);
        assert_eq!(in_labels_of(driver, &labels(ZONE, "b"), written.as_ref()), asks(driver, &["a"]));
        assert_eq!(in_labels_of(driver, &labels(ZONE, "b__a"), None), asks(driver, &["a", "b"]));
        assert_eq!(in_labels_of(driver, &labels(OLD_ZONE, "b"), None), asks(driver, &["b"]));
        assert_eq!(in_labels_of(driver, &Labels::new(), None), None);
    }
}
