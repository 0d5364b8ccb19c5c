//! What PodTopologySpread looks at: constraints of every form, and the services and owners of the default ones.

use serde_json::{Value, json};

use super::words::{DISK, HOSTNAME, POD_LABELS, REGION, ZONE, ZONES, selector};
use super::{Making, push};
use crate::feature::Feature;

const APPS: &[&str] = &["web", "db", "cache"];
/// Who makes pods, and is asked which others it made.
const OWNERS: [(&str, &str); 3] =
    [("v1", "ReplicationController"), ("apps/v1", "ReplicaSet"), ("apps/v1", "StatefulSet")];
const KEYS: &[&str] = &[ZONE, ZONE, HOSTNAME, HOSTNAME, REGION, DISK];

impl Making {
    pub(super) fn spread(&mut self, pod: &mut Value) {
        if self.dice.chance(40) {
            let (version, kind) = self.dice.pick(&OWNERS);
            let owner = self.dice.pick(APPS);
            pod["metadata"]["ownerReferences"] =
                json!([{"apiVersion": version, "kind": kind, "name": owner, "uid": owner, "controller": true}]);
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
            label_keys(&mut made, labels, "matchLabelKeys", merged);
        }
        made
    }

    /// Services and owners by which pods without constraints are spread.
    pub(super) fn owners(&mut self) {
        if !self.uses(Feature::PodTopologySpread) {
            return;
        }
        for namespace in ["shop", "pay", "lab"] {
            for app in APPS {
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
                for (_, kind) in OWNERS {
                    if !self.dice.chance(60) {
                        continue;
                    }
                    let plain = kind == "ReplicationController";
                    let selector = if plain { labels.clone() } else { json!({"matchLabels": labels}) };
                    let metadata = json!({"name": app, "namespace": namespace, "uid": app});
                    let owner = json!({"metadata": metadata, "spec": {"selector": selector}});
                    match kind {
                        "ReplicationController" => self.request.replication_controllers.push(owner),
                        "ReplicaSet" => self.request.replica_sets.push(owner),
                        _ => self.request.stateful_sets.push(owner),
                    }
                }
            }
        }
    }
}

/// `matchLabelKeys: [version]`, or a term's `mismatchLabelKeys`, unless the selector has that key already, and what the API
/// server makes of it.
pub(super) fn label_keys(term: &mut Value, labels: &Value, field: &str, merged: bool) {
    if term["labelSelector"].to_string().contains("version") {
        return;
    }
    term[field] = json!(["version"]);
    if let Some(value) = labels["version"].as_str().filter(|_| merged) {
        let operator = if field == "matchLabelKeys" { "In" } else { "NotIn" };
        let added = json!({"key": "version", "operator": operator, "values": [value]});
        push(&mut term["labelSelector"]["matchExpressions"], added);
    }
}
