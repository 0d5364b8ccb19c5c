//! Nodes and pods that use no plugin's features beyond their size.

use serde_json::{Value, json};

use super::words::{CORES, DISK, HOSTNAME, NAMESPACES, POD_LABELS, REGION, TEAM_LABELS, ZONE, ZONES, labels};
use super::{Making, Role};

impl Making {
    pub(super) fn plain_node(&mut self, number: i64) -> Value {
        let dice = &mut self.dice;
        let name = format!("n{number}");
        let mut labels = json!({});
        if dice.chance(95) {
            labels[HOSTNAME] = json!(name);
        }
        if dice.chance(85) {
            let zone = dice.pick(ZONES);
            labels[ZONE] = json!(zone);
            if dice.chance(85) {
                labels[REGION] = json!(if zone == "c" { "r2" } else { "r1" });
            }
        }
        if dice.chance(70) {
            labels[DISK] = json!(dice.pick(&["ssd", "hdd"]));
        }
        if dice.chance(60) {
            labels[CORES] = json!(dice.pick(&["2", "4", "8", "16", "many"]));
        }
        let size = json!({
            "cpu": dice.pick(&["4", "8", "16", "7910m"]),
            "memory": dice.pick(&["8Gi", "16Gi", "32Gi", "30500Mi"]),
            "ephemeral-storage": "100Gi",
            "pods": "110",
        });
        json!({
            "metadata": {"name": name, "uid": format!("node-{number}"), "labels": labels},
            "spec": {},
            "status": {"allocatable": size, "capacity": size, "conditions": [{"type": "Ready", "status": "True"}]},
        })
    }

    pub(super) fn namespaces(&mut self) {
        for name in ["shop", "pay", "lab"] {
            let mut labels = labels(&mut self.dice, TEAM_LABELS, 60);
            labels["kubernetes.io/metadata.name"] = json!(name);
            self.request.namespaces.push(json!({"metadata": {"name": name, "labels": labels}}));
        }
    }

    pub(super) fn plain_pod(&mut self, role: Role) -> Value {
        let name = self.name("p");
        let nodes = self.node_names();
        let number = self.count;
        let dice = &mut self.dice;
        let containers: Vec<Value> = dice
            .times(1, 2)
            .map(|at| {
                let cpu = dice.pick(&["", "50m", "100m", "250m", "500m", "1"]);
                let memory = dice.pick(&["", "64Mi", "128Mi", "512Mi", "1Gi", "2Gi"]);
                let asked = [("cpu", cpu), ("memory", memory)].into_iter().filter(|(_, amount)| !amount.is_empty());
                let asked: serde_json::Map<_, _> =
                    asked.map(|(name, amount)| (name.to_owned(), json!(amount))).collect();
                json!({"name": format!("c{at}"), "image": "registry.example/app:1", "resources": {"requests": asked}})
            })
            .collect();
        let mut pod = json!({
            "metadata": {
                "name": name, "uid": name, "namespace": dice.pick(NAMESPACES), "labels": labels(dice, POD_LABELS, 70),
            },
            "spec": {"containers": containers, "priority": 0, "restartPolicy": "Always"},
            "status": {"phase": "Pending"},
        });
        if role == Role::Standing {
            pod["status"] = json!({
                "phase": "Running",
                "startTime": format!("2026-01-01T{:02}:{:02}:00Z", number / 60 % 24, number % 60),
            });
            // A node may be gone while its pods are not.
            pod["spec"]["nodeName"] = json!(if dice.chance(2) { "gone".to_owned() } else { dice.pick(&nodes) });
            match dice.between(0, 49) {
                0 => pod["status"]["phase"] = json!("Succeeded"),
                1 => pod["status"]["phase"] = json!("Failed"),
                2 | 3 => {
                    pod["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
                    pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
                }
                _ => {}
            }
        }
        pod
    }
}
