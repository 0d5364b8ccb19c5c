//! Server-side apply.
//!
//! The applier hands in what it wants; what it no longer wants goes away unless someone else owns it; what someone else
//! owns and wants otherwise is a conflict, unless forced.
//!
//! Promises: applying the same document again changes nothing.

use super::{
    super::{
        json::Json,
        request::Call,
        status::{Cause, Failure},
        verbs::without_hollow,
    },
    fields::{Fields, element},
    managed::{self, Manager},
    shape::{ListKind, Shape},
};
use crate::tree::{Map, Value, json};

/// What the object becomes.
pub(crate) fn applied(call: &Call, live: Option<&Value>, config: &Value) -> Result<Value, Failure> {
    if !config.at(&["metadata", "managedFields"]).is_null() {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    let shape = managed::shape(call);
    let mut wanted = managed::owned(Fields::of(shape, config));
    let mut config = config.clone();
    if call.kind.has("status") {
        if call.subresource == "status" {
            wanted = wanted.only("status");
            let status = config.at(&["status"]).clone();
            let metadata = json!({"name": call.name});
            config = json!({"apiVersion": config.at(&["apiVersion"]), "kind": config.at(&["kind"]), "metadata": metadata, "status": status});
        } else {
            wanted = wanted.without(&["status"]);
            config.cut(&["status"]);
        }
    }
    let empty = json!({});
    let before = live.unwrap_or(&empty);
    let mut managers = managed::read(before);
    let mut mine = Manager::of(call, "Apply");
    let previous = managers.iter().position(|manager| manager.is_same(&mine)).map(|at| managers.remove(at));

    let mut after = merged(shape, before, &config);
    after.put(&["apiVersion"], config.at(&["apiVersion"]).clone());
    if call.kind.crd.is_none() {
        without_hollow(&mut after);
    }
    if let Some(previous) = &previous {
        // A map that was wanted empty and now has something in it is not dropped.
        let kept = managers.iter().fold(wanted.clone(), |all, manager| all.union(&manager.fields));
        prune(shape, &mut after, &previous.fields.difference(&wanted), &kept);
    }
    let (changed, removed) = Fields::compare(shape, before, &after);
    let contested = managed::owned(changed).intersection(&wanted);
    let conflicts: Vec<(usize, Fields)> = managers
        .iter()
        .enumerate()
        .map(|(at, manager)| (at, manager.fields.intersection(&contested)))
        .filter(|(_, fields)| !fields.is_empty())
        .collect();
    if !conflicts.is_empty() && !call.query.flag("force") {
        return Err(conflict(&managers, &conflicts));
    }
    for manager in &mut managers {
        manager.fields = manager.fields.difference(&contested).difference(&removed);
    }
    mine.fields = wanted;
    managers.push(mine);
    managed::write(&mut after, managers);
    Ok(after)
}

fn conflict(managers: &[Manager], conflicts: &[(usize, Fields)]) -> Failure {
    let mut causes = Vec::new();
    let mut each = Vec::new();
    for (at, fields) in conflicts {
        let Some(manager) = managers.get(*at) else { continue };
        let who = manager.printed();
        let paths = fields.paths();
        for path in &paths {
            causes.push(Cause {
                reason: "FieldManagerConflict",
                field: path.clone(),
                message: format!("conflict with {who}"),
            });
        }
        each.push((who, paths));
    }
    let message = match (causes.as_slice(), each.first()) {
        ([only], Some((who, _))) => format!("Apply failed with 1 conflict: conflict with {who}: {}", only.field),
        _ => {
            let lines: Vec<String> = each
                .iter()
                .flat_map(|(who, paths)| {
                    std::iter::once(format!("conflicts with {who}:"))
                        .chain(paths.iter().map(|path| format!("- {path}")))
                })
                .collect();
            format!("Apply failed with {} conflicts: {}", causes.len(), lines.join("\n"))
        }
    };
    Failure::new(409, "Conflict", message).with_causes(&causes)
}

/// The live document with the applied one laid over it.
fn merged(shape: Shape<'_>, live: &Value, config: &Value) -> Value {
    match (live, config) {
        (Value::Object(before), Value::Object(wanted)) if !shape.atomic_map() => {
            let mut out = before.clone();
            for (name, value) in wanted {
                let was = before.get(name).unwrap_or(&Value::Null);
                out.insert(name.clone(), merged(shape.field(name), was, value));
            }
            Value::Object(out)
        }
        (Value::Array(before), Value::Array(wanted)) => merged_list(shape, before, wanted),
        (_, wanted) => wanted.clone(),
    }
}

/// Lists of named things: the applied order, with what only lives in the live list kept after what it followed.
fn merged_list(shape: Shape<'_>, before: &[Value], wanted: &[Value]) -> Value {
    let kind = shape.list();
    if kind == ListKind::Atomic {
        return Value::Array(wanted.to_vec().into());
    }
    let names: Vec<String> = wanted.iter().map(|item| element(shape, &kind, item)).collect();
    let mut out: Vec<Value> = Vec::with_capacity(before.len() + wanted.len());
    let mut next = 0;
    for item in before {
        let name = element(shape, &kind, item);
        let Some(at) = names.iter().position(|wanted| *wanted == name) else {
            out.push(item.clone());
            continue;
        };
        // Everything wanted up to this item comes first, in the wanted order.
        while next <= at {
            out.extend(overlaid(shape, &kind, before, wanted, &names, next));
            next += 1;
        }
    }
    while next < wanted.len() {
        out.extend(overlaid(shape, &kind, before, wanted, &names, next));
        next += 1;
    }
    Value::Array(out.into())
}

fn overlaid(
    shape: Shape<'_>,
    kind: &ListKind<'_>,
    before: &[Value],
    wanted: &[Value],
    names: &[String],
    at: usize,
) -> Option<Value> {
    let (item, name) = (wanted.get(at)?, names.get(at)?);
    let was = before.iter().find(|was| element(shape, kind, was) == *name);
    Some(match was {
        Some(was) => merged(shape.item(), was, item),
        None => item.clone(),
    })
}

/// Takes away what the applier owned and no longer wants, unless something in it is kept.
fn prune(shape: Shape<'_>, value: &mut Value, dropped: &Fields, kept: &Fields) {
    let nobody = Fields::default();
    match value {
        Value::Object(map) => prune_map(shape, map, dropped, kept),
        Value::Array(list) => {
            let kind = shape.list();
            list.retain_mut(|item| {
                let name = element(shape, &kind, item);
                let Some(inner) = dropped.under.get(&name) else { return true };
                let theirs = kept.under.get(&name).unwrap_or(&nobody);
                if inner.here && theirs.is_empty() {
                    return false;
                }
                prune(shape.item(), item, inner, theirs);
                true
            });
        }
        _ => {}
    }
}

fn prune_map(shape: Shape<'_>, map: &mut Map, dropped: &Fields, kept: &Fields) {
    let nobody = Fields::default();
    for (element, inner) in &dropped.under {
        let Some(name) = element.strip_prefix("f:") else { continue };
        let theirs = kept.under.get(element).unwrap_or(&nobody);
        if inner.here && theirs.is_empty() {
            map.remove(name);
        } else if let Some(child) = map.get_mut(name) {
            prune(shape.field(name), child, inner, theirs);
            let hollow = child.as_object().is_some_and(Map::is_empty) || child.as_array().is_some_and(Vec::is_empty);
            if hollow && theirs.is_empty() {
                map.remove(name);
            }
        }
    }
}

/// A document laid over another by the rules of apply, without ownership: what a mutating policy wants.
pub(crate) fn overlay(call: &Call, live: &Value, wanted: &Value) -> Value {
    merged(managed::shape(call), live, wanted)
}
