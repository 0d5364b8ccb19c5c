//! What InterPodAffinity looks at: terms of the pod, and of those that stand.

use serde_json::{Value, json};

use super::spread::label_keys;
use super::words::{HOSTNAME, POD_LABELS, REGION, TEAM_LABELS, ZONE, selector};
use super::{Making, Role, push};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const KEYS: &[&str] = &[ZONE, ZONE, HOSTNAME, HOSTNAME, HOSTNAME, REGION];

impl Making {
    pub(super) fn pod_affinity(&mut self, pod: &mut Value, role: Role) {
        let (required, preferred) = if role == Role::Judged { (35, 40) } else { (6, 10) };
        let labels = pod["metadata"]["labels"].clone();
        for kind in ["podAffinity", "podAntiAffinity"] {
            if self.dice.chance(required) {
                for _ in self.dice.times(1, 2) {
                    let term = self.pod_term(&labels);
                    push(&mut pod["spec"]["affinity"][kind][REQUIRED], term);
                }
            }
            if self.dice.chance(preferred) {
                for _ in self.dice.times(1, 2) {
                    let weighted = json!({
                        "weight": self.dice.pick(&[1, 5, 20, 100]), "podAffinityTerm": self.pod_term(&labels),
                    });
                    push(&mut pod["spec"]["affinity"][kind][PREFERRED], weighted);
                }
            }
        }
    }

    fn pod_term(&mut self, labels: &Value) -> Value {
        let dice = &mut self.dice;
        let mut term = json!({"topologyKey": dice.pick(KEYS)});
        if dice.chance(94) {
            // Often the pod's own label: a group that wants to be together, or apart.
            let own = labels["app"].as_str().filter(|_| dice.chance(35)).map(str::to_owned);
            term["labelSelector"] = match own {
                Some(app) => json!({"matchLabels": {"app": app}}),
                None => selector(dice, POD_LABELS),
            };
        }
        if dice.chance(20) {
            term["namespaces"] = json!(dice.some(&["shop", "pay", "lab"], 2));
        }
        if dice.chance(25) {
            term["namespaceSelector"] = selector(dice, TEAM_LABELS);
        }
        if dice.chance(12) && term["labelSelector"].is_object() {
            label_keys(&mut term, labels, dice.pick(&["matchLabelKeys", "mismatchLabelKeys"]), true);
        }
        term
    }
}
