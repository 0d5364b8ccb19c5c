//! What NodeResourcesFit and the resource scores look at: sizes of nodes, and requests of every form.

use serde_json::{Value, json};

use super::{Making, Role, items, push};

const GPU: &str = "example.com/gpu";
const HUGE: &str = "hugepages-2Mi";
const CPU: &[&str] = &["0", "1m", "100m", "250m", "0.5", "1", "1500m", "2", "4", "100u", "1e-1"];
const MEMORY: &[&str] = &["0", "1", "64Mi", "100M", "512Mi", "1Gi", "4Gi", "1e9", "128974848000m", "9Gi"];
const STORAGE: &[&str] = &["0", "1Gi", "10Gi", "40Gi"];

impl Making {
    /// A node that can be too small.
    pub(super) fn size(&mut self, node: &mut Value) {
        let dice = &mut self.dice;
        let mut size = json!({
            "cpu": dice.pick(&["500m", "1", "2", "4", "8", "1930m"]),
            "memory": dice.pick(&["1Gi", "2Gi", "4Gi", "8Gi", "7777777777"]),
            "ephemeral-storage": dice.pick(&["20Gi", "100Gi"]),
            "pods": dice.pick(&["110", "110", "110", "5", "3", "2", "1", "0"]),
        });
        if dice.chance(50) {
            size[GPU] = json!(dice.pick(&["0", "1", "2", "4"]));
        }
        if dice.chance(30) {
            size[HUGE] = json!(dice.pick(&["0", "64Mi", "1Gi"]));
        }
        if dice.chance(8)
            && let Some(size) = size.as_object_mut()
        {
            size.remove(dice.pick(&["cpu", "memory", "ephemeral-storage", "pods"]));
        }
        node["status"]["allocatable"] = size.clone();
        node["status"]["capacity"] = size;
    }

    /// Requests of every form: sidecars, init containers, overhead, limits that stand for requests, zeroes, a whole pod's.
    pub(super) fn requests(&mut self, pod: &mut Value, role: Role) {
        if self.dice.chance(12) {
            return self.whole_pod(pod);
        }
        let containers: Vec<Value> = self.dice.times(1, 3).map(|at| self.container(&format!("c{at}"))).collect();
        pod["spec"]["containers"] = Value::Array(containers);
        if self.dice.chance(30) {
            for at in self.dice.times(1, 3) {
                let mut container = self.container(&format!("i{at}"));
                if self.dice.chance(50) {
                    container["restartPolicy"] = json!("Always");
                }
                push(&mut pod["spec"]["initContainers"], container);
            }
        }
        if self.dice.chance(12) {
            pod["spec"]["overhead"] = json!({"cpu": self.dice.pick(CPU), "memory": self.dice.pick(MEMORY)});
        }
        if role == Role::Standing && self.dice.chance(12) {
            self.resize(pod);
        }
    }

    fn container(&mut self, name: &str) -> Value {
        let dice = &mut self.dice;
        let (mut requests, mut limits) = (json!({}), json!({}));
        for (resource, amounts, chance) in
            [("cpu", CPU, 65), ("memory", MEMORY, 65), ("ephemeral-storage", STORAGE, 20)]
        {
            if dice.chance(chance) {
                // A limit alone is the request.
                let list = if dice.chance(15) { &mut limits } else { &mut requests };
                list[resource] = json!(dice.pick(amounts));
            }
        }
        // Extended resources are asked for with a limit that is the same.
        for (resource, amounts, chance) in
            [(GPU, &["0", "1", "2", "5"], 12), (HUGE, &["2Mi", "64Mi", "128Mi", "2Gi"], 6)]
        {
            if dice.chance(chance) {
                let amount = json!(dice.pick(amounts));
                (requests[resource], limits[resource]) = (amount.clone(), amount);
            }
        }
        if !requests[HUGE].is_null() && requests["cpu"].is_null() && limits["cpu"].is_null() {
            requests["cpu"] = json!("100m");
        }
        json!({"name": name, "image": "registry.example/app:1", "resources": {"requests": requests, "limits": limits}})
    }

    /// Requests for the pod as a whole, above those of its containers.
    fn whole_pod(&mut self, pod: &mut Value) {
        for container in items(&mut pod["spec"]["containers"]) {
            container["resources"] = match self.dice.between(0, 2) {
                0 => json!({"requests": {"cpu": "100m"}}),
                1 => json!({"requests": {"memory": "64Mi"}}),
                _ => json!({}),
            };
        }
        let mut asked = json!({});
        if self.dice.chance(75) {
            asked["cpu"] = json!(self.dice.pick(&["200m", "1", "3"]));
        }
        if self.dice.chance(75) {
            asked["memory"] = json!(self.dice.pick(&["128Mi", "1Gi", "5Gi"]));
        }
        // A limit alone is the request of what no container asks for.
        let limits = if self.dice.chance(35) { json!({"cpu": "4", "memory": "6Gi"}) } else { json!({}) };
        pod["spec"]["resources"] = json!({"requests": asked, "limits": limits});
        if self.dice.chance(30) {
            pod["spec"]["overhead"] = json!({"cpu": "50m"});
        }
    }

    /// A container that is being resized in place counts for the larger of what it wants and what it has.
    fn resize(&mut self, pod: &mut Value) {
        let Some(container) = items(&mut pod["spec"]["containers"]).next().cloned() else { return };
        let has = json!({"cpu": self.dice.pick(CPU), "memory": self.dice.pick(MEMORY)});
        let mut status = json!({
            "name": container["name"], "image": "registry.example/app:1", "imageID": "", "ready": true, "restartCount": 0,
        });
        if self.dice.chance(70) {
            status["allocatedResources"] = has.clone();
        }
        if self.dice.chance(70) {
            status["resources"] = json!({"requests": has});
        }
        pod["status"]["containerStatuses"] = json!([status]);
        if self.dice.chance(30) {
            pod["status"]["conditions"] = json!([{
                "type": "PodResizePending", "status": "True", "reason": self.dice.pick(&["Infeasible", "Deferred"]),
            }]);
        }
    }
}
