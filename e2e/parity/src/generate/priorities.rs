//! What preemption and nominations look at: priorities, start times, budgets.

use serde_json::{Value, json};

use super::words::{POD_LABELS, selector};
use super::{Making, Role};
use crate::feature::Feature;
use crate::request::Nominated;

impl Making {
    pub(super) fn rank(&mut self, pod: &mut Value, role: Role) {
        if self.uses(Feature::DefaultPreemption) {
            self.contend(pod, role);
        } else if self.uses(Feature::Nominated) {
            pod["spec"]["priority"] = json!(self.dice.pick(&[0, 5, 10]));
        }
        if role == Role::Nominated {
            let names = self.node_names();
            let node = if self.dice.chance(95) { self.dice.pick(&names) } else { "gone".to_owned() };
            pod["status"]["nominatedNodeName"] = json!(node);
            let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            self.request.nominated.push(Nominated { uid, node });
        }
    }

    fn contend(&mut self, pod: &mut Value, role: Role) {
        self.request.preempt = true;
        let names = self.node_names();
        let dice = &mut self.dice;
        if role != Role::Judged {
            pod["spec"]["priority"] = json!(dice.pick(&[-10, 0, 0, 5, 100, 1_000]));
            if dice.chance(15) {
                pod["status"]["startTime"] = json!("2026-01-01T00:00:00Z");
            }
            if dice.chance(5) {
                pod["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
                pod["status"]["conditions"] =
                    json!([{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]);
            }
            return;
        }
        pod["spec"]["priority"] = json!(dice.pick(&[0, 50, 100, 2_000, 2_000]));
        if dice.chance(6) {
            pod["spec"]["preemptionPolicy"] = json!("Never");
        }
        if dice.chance(12) {
            pod["status"]["nominatedNodeName"] = json!(dice.pick(&names));
        }
        if dice.chance(80) {
            // Large enough to find no room.
            let asked =
                json!({"cpu": dice.pick(&["500m", "1", "2", "4"]), "memory": dice.pick(&["1Gi", "2Gi", "4Gi"])});
            pod["spec"]["containers"] =
                json!([{"name": "c0", "image": "registry.example/app:1", "resources": {"requests": asked}}]);
            pod["spec"]["resources"] = Value::Null;
        }
    }

    pub(super) fn budgets(&mut self) {
        if !self.uses(Feature::DefaultPreemption) {
            return;
        }
        let pods: Vec<String> =
            self.request.pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).map(str::to_owned).collect();
        for _ in self.dice.times(0, 4) {
            let name = self.name("pdb");
            let dice = &mut self.dice;
            let selector = if dice.chance(5) { Value::Null } else { selector(dice, POD_LABELS) };
            let mut status = json!({
                "disruptionsAllowed": dice.between(0, 2), "currentHealthy": 3, "desiredHealthy": 1, "expectedPods": 3,
            });
            if dice.chance(20) {
                status["disruptedPods"] = json!({dice.pick(&pods): "2026-01-02T00:00:00Z"});
            }
            self.request.pod_disruption_budgets.push(json!({
                "metadata": {"name": name, "namespace": dice.pick(&["shop", "pay", "lab"])},
                "spec": {"minAvailable": 1, "selector": selector},
                "status": status,
            }));
        }
    }
}
