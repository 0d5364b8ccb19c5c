//! What NodeAffinity looks at: node selectors, required terms and preferences with every operator.

use serde_json::{Value, json};

use super::words::{CORES, DISK, REGION, ZONE, ZONES};
use super::{Making, push};

impl Making {
    pub(super) fn prefer_nodes(&mut self, pod: &mut Value) {
        if self.dice.chance(25) {
            let (key, values) = self.dice.pick(&[(ZONE, ZONES), (DISK, &["ssd", "hdd"]), (CORES, &["4", "8"])]);
            pod["spec"]["nodeSelector"] = json!({key: self.dice.pick(values)});
        }
        let mut affinity = json!({});
        if self.dice.chance(45) {
            let terms: Vec<Value> = self.dice.times(1, 3).map(|_| self.node_term()).collect();
            affinity["requiredDuringSchedulingIgnoredDuringExecution"] = json!({"nodeSelectorTerms": terms});
        }
        if self.dice.chance(60) {
            for _ in self.dice.times(1, 4) {
                // A preference whose number is none fails the whole cycle upstream; see the required terms for those.
                let term = json!({"matchExpressions": [self.readable_condition()]});
                let term = if self.dice.chance(5) { json!({}) } else { term };
                let preferred = json!({"weight": self.dice.pick(&[1, 2, 10, 50, 100]), "preference": term});
                push(&mut affinity["preferredDuringSchedulingIgnoredDuringExecution"], preferred);
            }
        }
        if affinity.as_object().is_some_and(|parts| !parts.is_empty()) {
            pod["spec"]["affinity"]["nodeAffinity"] = affinity;
        }
    }

    fn node_term(&mut self) -> Value {
        match self.dice.between(0, 19) {
            0 => return json!({}),
            1..=4 => return json!({"matchFields": [self.field()]}),
            5 => return json!({"matchFields": [self.field()], "matchExpressions": [self.condition()]}),
            6 | 7 => return json!({"matchFields": [self.field(), self.field()]}),
            _ => {}
        }
        let conditions: Vec<Value> = self.dice.times(1, 2).map(|_| self.condition()).collect();
        json!({"matchExpressions": conditions})
    }

    /// The one field there is, by name.
    fn field(&mut self) -> Value {
        let mut names = self.node_names();
        names.push("nowhere".to_owned());
        let operator = if self.dice.chance(75) { "In" } else { "NotIn" };
        json!({"key": "metadata.name", "operator": operator, "values": [self.dice.pick(&names)]})
    }

    fn condition(&mut self) -> Value {
        if self.dice.chance(8) {
            return json!({"key": CORES, "operator": "Gt", "values": ["few"]});
        }
        self.readable_condition()
    }

    fn readable_condition(&mut self) -> Value {
        let dice = &mut self.dice;
        let (key, values): (&str, &[&str]) =
            dice.pick(&[(ZONE, ZONES), (DISK, &["ssd", "hdd"]), (REGION, &["r1", "r2"]), (CORES, &["2", "4", "8"])]);
        match dice.between(0, 9) {
            0..=3 => json!({"key": key, "operator": "In", "values": dice.some(values, 2)}),
            4 | 5 => json!({"key": key, "operator": "NotIn", "values": dice.some(values, 2)}),
            6 => json!({"key": key, "operator": "Exists"}),
            7 => json!({"key": key, "operator": "DoesNotExist"}),
            8 => json!({"key": CORES, "operator": "Gt", "values": [dice.pick(&["1", "4", "8"])]}),
            _ => json!({"key": CORES, "operator": "Lt", "values": [dice.pick(&["3", "8", "16"])]}),
        }
    }
}
