//! What VolumeRestrictions looks at: disks that two pods cannot share, and claims that only one pod may use.

use serde_json::{Value, json};

use super::Making;
use super::volumes::DRIVER;

impl Making {
    /// A legacy disk, or a claim that only one pod may use.
    pub(super) fn exclusive(&mut self, pod: &Value) -> Value {
        let dice = &mut self.dice;
        let read_only = dice.chance(40);
        let number = dice.between(1, 3);
        match dice.between(0, 7) {
            0 | 1 => json!({"gcePersistentDisk": {"pdName": format!("pd-{number}"), "readOnly": read_only}}),
            2 => json!({"awsElasticBlockStore": {"volumeID": format!("vol-{number}"), "readOnly": read_only}}),
            3 => json!({"rbd": {
                "monitors": dice.some(&["m1", "m2", "m3"], 2), "pool": "p", "image": format!("i-{number}"), "readOnly": read_only,
            }}),
            4 => json!({"iscsi": {
                "targetPortal": "10.0.0.9:3260", "iqn": format!("iqn.2026-01.example:{number}"), "lun": 0, "readOnly": read_only,
            }}),
            _ => self.one_pod_only(pod),
        }
    }

    fn one_pod_only(&mut self, pod: &Value) -> Value {
        let namespace = &pod["metadata"]["namespace"];
        let known: Vec<Value> = self
            .request
            .persistent_volume_claims
            .iter()
            .filter(|claim| claim["metadata"]["namespace"] == *namespace)
            .filter(|claim| claim["spec"]["accessModes"] == json!(["ReadWriteOncePod"]))
            .map(|claim| claim["metadata"]["name"].clone())
            .collect();
        if !known.is_empty() && self.dice.chance(70) {
            return json!({"persistentVolumeClaim": {"claimName": self.dice.pick(&known)}});
        }
        let disk = json!({"csi": {"driver": DRIVER, "volumeHandle": self.name("handle")}});
        self.bound(pod, json!({}), disk, &["ReadWriteOncePod"])
    }
}
