//! Who owns which field: `metadata.managedFields`.

use super::{
    super::{events, json::Json, meta, request::Call},
    fields::Fields,
    shape::Shape,
};
use crate::tree::{List, Value, json};

/// One entry of `managedFields`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manager {
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: String,
    pub api_version: String,
    pub subresource: String,
    pub time: String,
    pub fields: Fields,
}

impl Manager {
    pub fn of(call: &Call, operation: &str) -> Self {
        Self {
            name: call.manager.clone(),
            operation: operation.to_owned(),
            api_version: call.kind.api_version(call.version),
            subresource: call.subresource.clone(),
            // Upstream writes no time for writes through scale.
            time: if call.subresource == "scale" { String::new() } else { meta::time(call.now) },
            fields: Fields::default(),
        }
    }

    /// The same writer writing in the same way.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == "Apply" || self.api_version == other.api_version)
    }

    /// Whether this writer's entry is that one.
    fn wrote(&self, entry: &Value) -> bool {
        self.name == entry.text(&["manager"])
            && self.operation == entry.text(&["operation"])
            && self.subresource == entry.text(&["subresource"])
            && (self.operation == "Apply" || self.api_version == entry.text(&["apiVersion"]))
    }

    fn read(entry: &Value) -> Self {
        let text = |field: &str| entry.text(&[field]).to_owned();
        Self {
            name: text("manager"),
            operation: text("operation"),
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: text("time"),
            fields: Fields::read(entry.at(&["fieldsV1"])),
        }
    }

    fn write(&self) -> Value {
        let mut entry = json!({"manager": self.name, "operation": self.operation, "apiVersion": self.api_version});
        if !self.time.is_empty() {
            entry.put(&["time"], self.time.as_str());
        }
        entry.put(&["fieldsType"], "FieldsV1");
        entry.put(&["fieldsV1"], self.fields.write());
        if !self.subresource.is_empty() {
            entry.put(&["subresource"], self.subresource.as_str());
        }
        entry
    }

    /// As conflict messages name it.
    pub fn printed(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if self.operation == "Update" {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }
}

pub(crate) fn read(object: &Value) -> Vec<Manager> {
    object.items(&["metadata", "managedFields"]).iter().map(Manager::read).collect()
}

/// Writes the entries that own anything, appliers first.
pub(crate) fn write(object: &mut Value, mut managers: Vec<Manager>) {
    managers.retain(|manager| !manager.fields.is_empty());
    put(object, managers.iter().map(Manager::write).collect());
}

/// Writes entries, appliers first, then by time.
fn put(object: &mut Value, mut entries: Vec<Value>) {
    fn order(entry: &Value) -> [&str; 4] {
        ["operation", "time", "manager", "subresource"].map(|field| entry.text(&[field]))
    }
    entries.sort_by(|a, b| order(a).cmp(&order(b)));
    if entries.is_empty() {
        object.cut(&["metadata", "managedFields"]);
    } else {
        object.put(&["metadata", "managedFields"], entries);
    }
}

/// The root of a call's type.
pub(crate) fn shape(call: &Call) -> Shape<'_> {
    match &call.kind.crd {
        Some(crd) => crd.schema(call.version).map_or(Shape::Free, Shape::Schema),
        None => Shape::builtin(),
    }
}

/// What nobody owns: names, numbers and times that the API itself writes.
pub(crate) fn owned(fields: Fields) -> Fields {
    let mut fields = fields;
    fields.here = false;
    fields.under.remove("f:apiVersion");
    fields.under.remove("f:kind");
    if let Some(metadata) = fields.under.get_mut("f:metadata") {
        metadata.under.retain(|field, _| !SYSTEM.contains(&field.as_str()));
        if metadata.is_empty() {
            fields.under.remove("f:metadata");
        } else {
            metadata.here = false;
        }
    }
    fields
}

/// The metadata that the API itself writes.
const SYSTEM: [&str; 10] = [
    "f:name",
    "f:namespace",
    "f:uid",
    "f:resourceVersion",
    "f:creationTimestamp",
    "f:generation",
    "f:managedFields",
    "f:selfLink",
    "f:deletionTimestamp",
    "f:deletionGracePeriodSeconds",
];

/// A plain write: the writer owns what it changed, and others lose it.
pub(crate) fn updated(call: &Call, old: &Value, new: &mut Value) {
    let (changed, removed) = if call.kind.group == "events.k8s.io" {
        // They are stored under their core names, and owned under the others.
        Fields::compare(shape(call), &events::to_new(old.clone()), &events::to_new(new.clone()))
    } else {
        Fields::compare(shape(call), old, new)
    };
    let (mut changed, mut removed) = (owned(changed), owned(removed));
    if call.kind.has("status") && call.subresource != "status" && call.subresource != "binding" {
        (changed, removed) = (changed.without(&["status"]), removed.without(&["status"]));
    }
    if changed.is_empty() && removed.is_empty() {
        return;
    }
    let mut mine = Manager::of(call, "Update");
    let mut entries = match new.cut(&["metadata", "managedFields"]) {
        Some(Value::Array(entries)) => entries,
        _ => List::default(),
    };
    // Most entries have nothing to do with a write, and most writers write again what they own already: an entry is taken
    // apart only when its fields change.
    let mut is_new = true;
    entries.retain_mut(|entry| {
        let fields = entry.at(&["fieldsV1"]);
        let is_mine = mine.wrote(entry);
        is_new &= !is_mine;
        let (takes, loses) = (is_mine && !changed.is_within(fields), removed.touches(fields));
        if takes && !loses {
            if let Some(fields) = entry.get_mut("fieldsV1") {
                changed.add_to(fields);
            }
        } else if loses || !is_mine && changed.touches(fields) {
            let known = Fields::read(fields).difference(&removed);
            let left = if is_mine { known.union(&changed) } else { known.difference(&changed) };
            if left.is_empty() {
                return false;
            }
            entry.put(&["fieldsV1"], left.write());
        }
        if is_mine && !mine.time.is_empty() {
            entry.put(&["time"], mine.time.as_str());
        }
        entry.at(&["fieldsV1"]).is_object()
    });
    if is_new && !changed.is_empty() {
        mine.fields = changed;
        entries.push(mine.write());
    }
    put(new, entries.to_vec());
}

/// When nothing but the time of writing would differ, there was no writing.
pub(crate) fn keep_times(old: &Value, new: &mut Value) {
    let alike = |left: &Value, right: &Value, skip: &str| {
        let mut keys = left.entries(&[]).chain(right.entries(&[])).map(|(key, _)| key).filter(|key| *key != skip);
        keys.all(|key| left.get(key) == right.get(key))
    };
    let same = alike(old, new, "metadata") && alike(old.at(&["metadata"]), new.at(&["metadata"]), "managedFields");
    if !same {
        return;
    }
    let (before, mut after) = (read(old), read(new));
    if before.len() != after.len() {
        return;
    }
    for manager in &mut after {
        let alike = |known: &&Manager| known.is_same(manager) && known.fields == manager.fields;
        match before.iter().find(alike) {
            Some(known) => manager.time.clone_from(&known.time),
            None => return,
        }
    }
    write(new, after);
}
