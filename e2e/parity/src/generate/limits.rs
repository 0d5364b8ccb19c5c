//! What NodeVolumeLimits looks at: how many volumes a node's drivers attach, and which are attached.

use serde_json::{Value, json};

use super::volumes::DRIVER;
use super::{Making, Role};
use crate::feature::Feature;

/// The driver that in-tree disks of one cloud have moved to.
const MOVED: &str = "pd.csi.storage.gke.io";

impl Making {
    /// A volume that counts against a driver's limit.
    pub(super) fn attached(&mut self, pod: &Value, role: Role) -> Value {
        match self.dice.between(0, 9) {
            // Alike handles are one volume.
            0..=5 => {
                let handle = format!("shared-{}", self.dice.between(1, 12));
                self.bound(
                    pod,
                    json!({}),
                    json!({"csi": {"driver": DRIVER, "volumeHandle": handle}}),
                    &["ReadWriteMany"],
                )
            }
            6 => {
                let name = format!("pd-{}", self.dice.between(1, 4));
                self.bound(pod, json!({}), json!({"gcePersistentDisk": {"pdName": name}}), &["ReadWriteOnce"])
            }
            7 => json!({"gcePersistentDisk": {"pdName": format!("pd-{}", self.dice.between(1, 4))}}),
            8 => json!({"csi": {"driver": DRIVER}}),
            _ if role == Role::Judged => {
                let claim = self.claim(&pod["metadata"]["namespace"], Some("late"));
                self.keep(claim)
            }
            _ => json!({"emptyDir": {}}),
        }
    }

    pub(super) fn limits(&mut self) {
        if !self.uses(Feature::NodeVolumeLimits) {
            return;
        }
        let disks: Vec<Value> =
            self.request.persistent_volumes.iter().map(|disk| disk["metadata"]["name"].clone()).collect();
        for node in self.node_names() {
            if self.dice.chance(85) {
                let mut drivers = Vec::new();
                for name in [DRIVER, MOVED] {
                    if self.dice.chance(85) {
                        let count = self.dice.between(0, 4);
                        let allocatable = if count == 4 { Value::Null } else { json!({"count": count}) };
                        drivers.push(
                            json!({"name": name, "nodeID": node, "topologyKeys": [], "allocatable": allocatable}),
                        );
                    }
                }
                let mut metadata = json!({"name": node});
                if self.dice.chance(80) {
                    metadata["annotations"] = json!({"storage.alpha.kubernetes.io/migrated-plugins": "kubernetes.io/gce-pd,kubernetes.io/aws-ebs"});
                }
                self.request.csi_nodes.push(json!({"metadata": metadata, "spec": {"drivers": drivers}}));
            }
            if !disks.is_empty() && self.dice.chance(20) {
                let name = self.name("attachment");
                self.request.volume_attachments.push(json!({
                    "metadata": {"name": name},
                    "spec": {"attacher": DRIVER, "nodeName": node, "source": {"persistentVolumeName": self.dice.pick(&disks)}},
                    "status": {"attached": true},
                }));
            }
        }
    }
}
