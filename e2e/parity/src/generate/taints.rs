//! What TaintToleration, NodeUnschedulable and NodeName look at.

use serde_json::{Value, json};

use super::{Making, Role, items, push};
use crate::feature::Feature;

const KEYS: &[&str] = &["dedicated", "gpu", "node.kubernetes.io/not-ready"];
const VALUES: &[&str] = &["", "a", "b"];
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
const CORDON: &str = "node.kubernetes.io/unschedulable";

impl Making {
    /// Taints and cordons.
    pub(super) fn repel(&mut self, node: &mut Value) {
        // The taints policy of spread needs some, too.
        let tainted = self.uses(Feature::TaintToleration) || self.uses(Feature::PodTopologySpread);
        if tainted && self.dice.chance(if self.uses(Feature::TaintToleration) { 55 } else { 15 }) {
            for _ in self.dice.times(1, 3) {
                let (key, effect) = (self.dice.pick(KEYS), self.dice.pick(EFFECTS));
                if items(&mut node["spec"]["taints"]).any(|other| other["key"] == key && other["effect"] == effect) {
                    continue;
                }
                push(
                    &mut node["spec"]["taints"],
                    json!({"key": key, "value": self.dice.pick(VALUES), "effect": effect}),
                );
            }
        }
        if self.uses(Feature::NodeUnschedulable) && self.dice.chance(40) {
            node["spec"]["unschedulable"] = json!(true);
            // The controller that adds the taint may be late.
            if self.dice.chance(30) {
                push(&mut node["spec"]["taints"], json!({"key": CORDON, "effect": "NoSchedule"}));
            }
        }
    }

    /// Tolerations of every form, and a pod that names its node.
    pub(super) fn tolerate(&mut self, pod: &mut Value, role: Role) {
        if self.uses(Feature::TaintToleration) && self.dice.chance(75) {
            for _ in self.dice.times(1, 3) {
                let toleration = self.toleration();
                push(&mut pod["spec"]["tolerations"], toleration);
            }
        }
        if self.uses(Feature::NodeUnschedulable) && self.dice.chance(30) {
            let cordon = match self.dice.between(0, 3) {
                0 => json!({"operator": "Exists"}),
                1 => json!({"key": CORDON, "operator": "Exists", "effect": "NoSchedule"}),
                2 => json!({"key": CORDON, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}),
                _ => json!({"key": CORDON, "operator": "Equal", "value": self.dice.pick(VALUES)}),
            };
            push(&mut pod["spec"]["tolerations"], cordon);
        }
        if self.uses(Feature::NodeName) && role == Role::Judged {
            let names = self.node_names();
            let name = if self.dice.chance(85) { self.dice.pick(&names) } else { "nowhere".to_owned() };
            pod["spec"]["nodeName"] = json!(name);
        }
    }

    fn toleration(&mut self) -> Value {
        let dice = &mut self.dice;
        let mut made = match dice.between(0, 9) {
            0 => json!({"operator": "Exists"}),
            1..=4 => json!({"key": dice.pick(KEYS), "operator": "Exists"}),
            5..=7 => json!({"key": dice.pick(KEYS), "operator": "Equal", "value": dice.pick(VALUES)}),
            _ => json!({"key": dice.pick(KEYS), "value": dice.pick(VALUES)}),
        };
        if dice.chance(60) {
            let effect = dice.pick(EFFECTS);
            made["effect"] = json!(effect);
            if effect == "NoExecute" && dice.chance(50) {
                made["tolerationSeconds"] = json!(dice.pick(&[0, 30, 300]));
            }
        }
        made
    }
}
