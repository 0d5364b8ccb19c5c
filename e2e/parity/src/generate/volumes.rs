//! What VolumeBinding and VolumeZone look at: claims in every state, classes, disks and where they can be reached.

use serde_json::{Value, json};

use super::words::{HOSTNAME, REGION, ZONE, ZONES};
use super::{Making, Role, items, push};
use crate::feature::Feature;

/// A driver whose volumes are attached, and counted.
pub(super) const DRIVER: &str = "csi.example.com";
/// A driver that says how much it can still make, and where.
const TRACKED: &str = "tracked.example.com";

impl Making {
    fn any_volumes(&self) -> bool {
        [Feature::VolumeBinding, Feature::VolumeZone, Feature::VolumeRestrictions, Feature::NodeVolumeLimits]
            .into_iter()
            .any(|feature| self.uses(feature))
    }

    pub(super) fn classes(&mut self) {
        if !self.any_volumes() {
            return;
        }
        for (name, provisioner, mode) in [
            ("now", DRIVER, "Immediate"),
            ("late", DRIVER, "WaitForFirstConsumer"),
            ("local", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
            ("tracked", TRACKED, "WaitForFirstConsumer"),
        ] {
            let mut class = json!({"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode});
            if name != "local" && self.dice.chance(45) {
                for _ in self.dice.times(1, 2) {
                    let zones = json!({"key": ZONE, "values": self.dice.some(ZONES, 2)});
                    let term = json!({"matchLabelExpressions": [zones]});
                    if !items(&mut class["allowedTopologies"]).any(|other| *other == term) {
                        push(&mut class["allowedTopologies"], term);
                    }
                }
            }
            self.request.storage_classes.push(class);
        }
        if self.dice.chance(60) {
            self.request.csi_drivers.push(json!({"metadata": {"name": DRIVER}, "spec": {"storageCapacity": false}}));
        }
        if self.dice.chance(90) {
            self.request.csi_drivers.push(json!({"metadata": {"name": TRACKED}, "spec": {"storageCapacity": true}}));
        }
        for zone in ZONES {
            if self.dice.chance(70) {
                let name = self.name("capacity");
                let mut left = json!({
                    "metadata": {"name": name, "namespace": "kube-system"},
                    "storageClassName": self.dice.pick(&["tracked", "tracked", "tracked", "other"]),
                    "nodeTopology": {"matchLabels": {ZONE: zone}},
                });
                if self.dice.chance(90) {
                    left["capacity"] = json!(self.dice.pick(&["0", "1Gi", "5Gi", "50Gi"]));
                }
                if self.dice.chance(20) {
                    left["maximumVolumeSize"] = json!(self.dice.pick(&["1Gi", "20Gi"]));
                }
                self.request.csi_storage_capacities.push(left);
            }
        }
    }

    /// Disks that wait for a claim.
    pub(super) fn disks_at_hand(&mut self) {
        if !self.uses(Feature::VolumeBinding) {
            return;
        }
        for _ in self.dice.times(0, 8) {
            let name = self.name("disk");
            let node = self.node_names();
            let dice = &mut self.dice;
            let mut disk = json!({
                "metadata": {"name": name, "labels": {"speed": dice.pick(&["fast", "slow"])}},
                "spec": {
                    "capacity": {"storage": dice.pick(&["1Gi", "5Gi", "20Gi"])},
                    "accessModes": if dice.chance(80) { json!(["ReadWriteOnce"]) } else { json!(["ReadOnlyMany"]) },
                    "storageClassName": dice.pick(&["local", "local", "local", "late", "now"]),
                    "local": {"path": "/disk"},
                    "nodeAffinity": reachable(HOSTNAME, &[dice.pick(&node)]),
                },
                "status": {"phase": if dice.chance(85) { "Available" } else { "Released" }},
            });
            if dice.chance(8) {
                disk["spec"]["volumeMode"] = json!("Block");
            }
            if dice.chance(6) {
                disk["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
            }
            self.request.persistent_volumes.push(disk);
        }
    }

    pub(super) fn volumes(&mut self, pod: &mut Value, role: Role) {
        let chance = if role == Role::Judged { 85 } else { 30 };
        for feature in
            [Feature::VolumeBinding, Feature::VolumeZone, Feature::VolumeRestrictions, Feature::NodeVolumeLimits]
        {
            if !self.uses(feature) || !self.dice.chance(chance) {
                continue;
            }
            for _ in self.dice.times(1, 2) {
                let mut volume = match feature {
                    // One that stands has its volumes.
                    Feature::VolumeBinding if role == Role::Judged => self.claimed(pod),
                    Feature::VolumeRestrictions => self.exclusive(pod),
                    Feature::NodeVolumeLimits => self.attached(pod, role),
                    Feature::VolumeZone => self.zoned(pod),
                    _ => self.reached(pod),
                };
                if volume["name"].is_null() {
                    volume["name"] = json!(self.name("v"));
                }
                push(&mut pod["spec"]["volumes"], volume);
            }
        }
    }

    /// A claim in any state.
    fn claimed(&mut self, pod: &Value) -> Value {
        let namespace = pod["metadata"]["namespace"].clone();
        let class = match self.dice.between(0, 19) {
            0..=5 => return self.reached(pod),
            6 => return json!({"persistentVolumeClaim": {"claimName": "missing-0"}}),
            7 | 8 => return self.ephemeral(pod),
            9 | 10 => "now",
            11..=13 => "late",
            14..=16 => "local",
            17 | 18 => "tracked",
            _ => "absent",
        };
        let mut claim = self.claim(&namespace, Some(class));
        match self.dice.between(0, 19) {
            0 => claim["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z"),
            1 => claim["status"]["phase"] = json!("Lost"),
            2 => claim["spec"]["storageClassName"] = Value::Null,
            3 | 4 => {
                let mut names = self.node_names();
                names.push("gone".to_owned());
                claim["metadata"]["annotations"] =
                    json!({"volume.kubernetes.io/selected-node": self.dice.pick(&names)});
            }
            5 | 6 => claim["spec"]["selector"] = json!({"matchLabels": {"speed": "fast"}}),
            // Bound to by hand, and the controller has not seen it yet.
            7 => claim["spec"]["volumeName"] = json!("disk-1"),
            _ => {}
        }
        self.keep(claim)
    }

    /// A claim that is bound to a disk which some nodes reach.
    fn reached(&mut self, pod: &Value) -> Value {
        let names = self.node_names();
        let dice = &mut self.dice;
        let affinity = match dice.between(0, 3) {
            0 => Value::Null,
            1 => reachable(HOSTNAME, &dice.some(&names, 3)),
            _ => reachable(ZONE, &dice.some(ZONES, 2)),
        };
        let disk = json!({"nodeAffinity": affinity, "csi": {"driver": DRIVER, "volumeHandle": self.name("handle")}});
        self.bound(pod, json!({}), disk, &["ReadWriteOnce"])
    }

    /// A claim that is bound to a disk with zone labels, or not bound yet.
    fn zoned(&mut self, pod: &Value) -> Value {
        if self.dice.chance(12) {
            let class = self.dice.pick(&["late", "late", "now", "absent"]);
            let claim = self.claim(&pod["metadata"]["namespace"], Some(class));
            return self.keep(claim);
        }
        let dice = &mut self.dice;
        let labels = match dice.between(0, 9) {
            0..=4 => json!({ZONE: dice.pick(ZONES)}),
            5 | 6 => json!({ZONE: dice.some(ZONES, 3).join("__")}),
            7 => json!({REGION: dice.pick(&["r1", "r2"]), ZONE: dice.pick(ZONES)}),
            8 => json!({"failure-domain.beta.kubernetes.io/zone": dice.pick(ZONES)}),
            _ => json!({REGION: dice.pick(&["r1", "r2"])}),
        };
        let disk = json!({"csi": {"driver": DRIVER, "volumeHandle": self.name("handle")}});
        self.bound(pod, labels, disk, &["ReadWriteOnce"])
    }

    /// A claim made for the pod, by its controller or by somebody else.
    fn ephemeral(&mut self, pod: &Value) -> Value {
        let volume = self.name("own");
        let mut claim = self.claim(&pod["metadata"]["namespace"], Some("late"));
        let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
        claim["metadata"]["name"] = json!(format!("{pod_name}-{volume}"));
        if self.dice.chance(75) {
            claim["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "v1", "kind": "Pod", "name": pod_name, "uid": pod["metadata"]["uid"], "controller": true,
            }]);
        }
        let template = json!({"spec": claim["spec"]});
        if self.dice.chance(80) {
            self.keep(claim);
        }
        json!({"name": volume, "ephemeral": {"volumeClaimTemplate": template}})
    }

    /// A pending claim, not yet part of the cluster.
    pub(super) fn claim(&mut self, namespace: &Value, class: Option<&str>) -> Value {
        let name = self.name("claim");
        json!({
            "metadata": {"name": name, "namespace": namespace, "uid": name},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": self.dice.pick(&["1Gi", "5Gi", "10Gi"])}},
                "storageClassName": class,
            },
            "status": {"phase": "Pending"},
        })
    }

    /// Makes the claim part of the cluster; the pod's volume of it.
    pub(super) fn keep(&mut self, claim: Value) -> Value {
        let volume = json!({"persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}});
        self.request.persistent_volume_claims.push(claim);
        volume
    }

    /// A claim bound to a disk of its own; the pod's volume of it.
    pub(super) fn bound(&mut self, pod: &Value, labels: Value, mut disk: Value, modes: &[&str]) -> Value {
        let name = self.name("pv");
        let mut claim = self.claim(&pod["metadata"]["namespace"], Some("now"));
        claim["metadata"]["annotations"] = json!({"pv.kubernetes.io/bind-completed": "yes"});
        claim["spec"]["volumeName"] = json!(name);
        claim["spec"]["accessModes"] = json!(modes);
        claim["status"]["phase"] = json!("Bound");
        let metadata = &claim["metadata"];
        disk["claimRef"] =
            json!({"namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]});
        disk["storageClassName"] = json!("now");
        disk["accessModes"] = json!(modes);
        disk["capacity"] = json!({"storage": "10Gi"});
        // A disk may be gone while its claim is not.
        if self.dice.chance(96) {
            self.request.persistent_volumes.push(json!({
                "metadata": {"name": name, "labels": labels}, "spec": disk, "status": {"phase": "Bound"},
            }));
        }
        self.keep(claim)
    }
}

/// The node affinity of a disk.
fn reachable<T: serde::Serialize>(key: &str, values: &[T]) -> Value {
    json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": key, "operator": "In", "values": values}]}]}})
}
