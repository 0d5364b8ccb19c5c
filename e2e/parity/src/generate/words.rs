//! The words that random objects are made of, and selectors over them.

use serde_json::{Map, Value, json};

use crate::dice::Dice;

pub(super) const ZONE: &str = "topology.kubernetes.io/zone";
pub(super) const REGION: &str = "topology.kubernetes.io/region";
pub(super) const HOSTNAME: &str = "kubernetes.io/hostname";
pub(super) const DISK: &str = "disk";
/// Integers, mostly.
pub(super) const CORES: &str = "cores";
pub(super) const ZONES: &[&str] = &["a", "b", "c"];
pub(super) const NAMESPACES: &[&str] = &["shop", "shop", "shop", "pay", "lab"];
/// The keys of pods' labels and their values.
pub(super) const POD_LABELS: &[(&str, &[&str])] =
    &[("app", &["web", "db", "cache"]), ("tier", &["front", "back"]), ("version", &["v1", "v2"])];
/// The keys of namespaces' labels and their values.
pub(super) const TEAM_LABELS: &[(&str, &[&str])] = &[("team", &["red", "blue"]), ("env", &["prod", "dev"])];

/// Labels with some of the keys.
pub(super) fn labels(dice: &mut Dice, words: &[(&str, &[&str])], chance: u32) -> Value {
    let mut made = Map::new();
    for (key, values) in words {
        if dice.chance(chance) {
            made.insert((*key).to_owned(), json!(dice.pick(values)));
        }
    }
    Value::Object(made)
}

/// A label selector: equalities, expressions, both, or one that is empty.
pub(super) fn selector(dice: &mut Dice, words: &[(&str, &[&str])]) -> Value {
    if dice.chance(5) {
        return json!({});
    }
    let (key, values) = dice.pick(words);
    let expression = match dice.between(0, 9) {
        0..=4 => return json!({"matchLabels": {key: dice.pick(values)}}),
        5 | 6 => json!({"key": key, "operator": "In", "values": dice.some(values, 2)}),
        7 => json!({"key": key, "operator": "NotIn", "values": dice.some(values, 1)}),
        8 => json!({"key": key, "operator": "Exists"}),
        _ => json!({"key": key, "operator": "DoesNotExist"}),
    };
    let mut made = json!({"matchExpressions": [expression]});
    if dice.chance(20) {
        let (key, values) = dice.pick(words);
        made["matchLabels"] = json!({key: dice.pick(values)});
    }
    made
}
