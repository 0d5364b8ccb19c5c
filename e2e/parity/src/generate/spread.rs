//! What PodTopologySpread looks at: constraints of every form, and the services and owners of the default ones.

use serde_json::{Value, json};

use super::words::{DISK, HOSTNAME, POD_LABELS, REGION, ZONE, ZONES, selector};
use super::{Making, push};
use crate::feature::Feature;

const KEYS: &[&str] = &[ZONE, ZONE, HOSTNAME, HOSTNAME, REGION, DISK];

impl Making {
    pub(super) fn spread(&mut self, pod: &mut Value) {
        if self.dice.chance(40) {
            let owner = format!("rs-{}", self.dice.pick(&["web", "db", "cache"]));
            pod["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": true,
            }]);
        }
        // Without constraints the cluster's defaults hold.
        if self.dice.chance(30) {
            return;
        }
        let mut made: Vec<Value> = Vec::new();
        for _ in self.dice.times(1, 3) {
            let constraint = self.constraint(&pod["metadata"]["labels"]);
            let same =
                |other: &Value| ["topologyKey", "whenUnsatisfiable"].iter().all(|key| other[*key] == constraint[*key]);
            if !made.iter().any(same) {
                made.push(constraint);
            }
        }
        pod["spec"]["topologySpreadConstraints"] = Value::Array(made);
        // Inclusion policies look at the pod's node selector and tolerations.
        if !self.uses(Feature::NodeAffinity) && self.dice.chance(25) {
            pod["spec"]["nodeSelector"] = json!({ZONE: self.dice.pick(ZONES)});
        }
        if !self.uses(Feature::TaintToleration) && self.dice.chance(20) {
            push(&mut pod["spec"]["tolerations"], json!({"operator": "Exists"}));
        }
    }

    fn constraint(&mut self, labels: &Value) -> Value {
        let dice = &mut self.dice;
        let hard = dice.chance(50);
        let mut made = json!({
            "topologyKey": dice.pick(KEYS),
            "maxSkew": dice.pick(&[1, 1, 2, 3]),
            "whenUnsatisfiable": if hard { "DoNotSchedule" } else { "ScheduleAnyway" },
        });
        if dice.chance(92) {
            made["labelSelector"] = selector(dice, POD_LABELS);
        }
        if hard && dice.chance(30) {
            made["minDomains"] = json!(dice.between(1, 5));
        }
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if dice.chance(40) {
                made[policy] = json!(dice.pick(&["Honor", "Ignore"]));
            }
        }
        if dice.chance(20) && made["labelSelector"].is_object() {
            // Since 1.34 the API server merges them into the selector; an older one left that to the scheduler.
            let merged = dice.chance(70);
            label_keys(&mut made, labels, merged);
        }
        made
    }

    /// Services and ReplicaSets by which pods without constraints are spread.
    pub(super) fn owners(&mut self) {
        if !self.uses(Feature::PodTopologySpread) {
            return;
        }
        for namespace in ["shop", "pay", "lab"] {
            for app in ["web", "db", "cache"] {
                let labels = json!({"app": app});
                if self.dice.chance(50) {
                    let metadata = json!({"name": app, "namespace": namespace});
                    let selector = match self.dice.between(0, 5) {
                        0 => json!({"app": app, "version": "v1"}),
                        1 => Value::Null,
                        _ => labels.clone(),
                    };
                    self.request.services.push(json!({"metadata": metadata, "spec": {"selector": selector}}));
                }
                if self.dice.chance(70) {
                    self.request.replica_sets.push(json!({
                        "metadata": {"name": format!("rs-{app}"), "namespace": namespace, "uid": format!("rs-{app}")},
                        "spec": {"selector": {"matchLabels": labels}},
                    }));
                }
            }
        }
    }
}

/// `matchLabelKeys: [version]`, unless the selector has that key already, and what the API server makes of it.
pub(super) fn label_keys(term: &mut Value, labels: &Value, merged: bool) {
    if term["labelSelector"].to_string().contains("version") {
        return;
    }
    term["matchLabelKeys"] = json!(["version"]);
    if let Some(value) = labels["version"].as_str().filter(|_| merged) {
        let added = json!({"key": "version", "operator": "In", "values": [value]});
        push(&mut term["labelSelector"]["matchExpressions"], added);
    }
}
