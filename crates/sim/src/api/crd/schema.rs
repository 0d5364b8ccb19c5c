//! Structural schemas: what is kept, what is filled in, what is refused.
//!
//! Promises: pruning and defaulting twice give the same as once; every refusal names the path of its field.

use regex::Regex;

use super::super::{json::Json, status::Cause};
use crate::tree::{Map, Text, Value};

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name) == Some(&Value::Bool(true))
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// Takes away fields the schema does not know, and tells their paths.
pub(crate) fn prune(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let root = path.is_empty() || flag(schema, "x-kubernetes-embedded-resource");
            let keep = flag(schema, "x-kubernetes-preserve-unknown-fields");
            let additional = schema.get("additionalProperties");
            let names: Vec<Text> = map.keys().cloned().collect();
            for name in names {
                let inner_path = join(path, &name);
                if root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                    continue;
                }
                let inner = schema.at(&["properties"]).get(&name);
                match (inner, additional) {
                    (Some(inner), _) => prune_field(inner, map, &name, &inner_path, unknown),
                    (None, Some(Value::Object(_))) => {
                        if let Some(inner) = additional {
                            prune_field(inner, map, &name, &inner_path, unknown);
                        }
                    }
                    (None, Some(Value::Bool(true))) => {}
                    _ if keep => {}
                    _ => {
                        map.remove(&name);
                        unknown.push(inner_path);
                    }
                }
            }
        }
        Value::Array(list) => {
            if let Some(inner) = schema.get("items") {
                for (index, item) in list.iter_mut().enumerate() {
                    prune(inner, item, &format!("{path}[{index}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

fn prune_field(schema: &Value, map: &mut Map, name: &str, path: &str, unknown: &mut Vec<String>) {
    if let Some(child) = map.get_mut(name) {
        prune(schema, child, path, unknown);
    }
}

/// Fills in defaults, in what was written and in what was filled in; a null that may not be one counts as missing.
pub(crate) fn fill_in(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, inner) in schema.entries(&["properties"]) {
                let null = map.get(name).is_some_and(Value::is_null) && !flag(inner, "nullable");
                if let Some(default) = inner.get("default")
                    && (null || !map.contains_key(name))
                {
                    map.insert(name.clone(), default.clone());
                } else if null {
                    map.remove(name);
                }
                if let Some(child) = map.get_mut(name) {
                    fill_in(inner, child);
                }
            }
            if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
                for (name, child) in map.iter_mut() {
                    if schema.at(&["properties"]).get(name).is_none() {
                        fill_in(inner, child);
                    }
                }
            }
        }
        Value::Array(list) => {
            if let Some(inner) = schema.get("items") {
                list.iter_mut().for_each(|item| fill_in(inner, item));
            }
        }
        _ => {}
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    if value.is_null() {
        return flag(schema, "nullable");
    }
    if flag(schema, "x-kubernetes-int-or-string") {
        return value.is_string() || value.is_integer();
    }
    match schema.text(&["type"]) {
        "" => true,
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        wanted => wanted == type_name(value),
    }
}

/// Checks types, bounds and shapes.
pub(crate) fn validate(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let body = |what: &str| Cause::invalid(path, value, &format!("{path} in body {what}"));
    if !has_type(schema, value) {
        let kind = type_name(value);
        let wanted = schema.text(&["type"]);
        let wanted = if wanted.is_empty() { "integer,string" } else { wanted };
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            field: path.to_owned(),
            message: format!("Invalid value: {kind:?}: {path} in body must be of type {wanted}: {kind:?}"),
        });
        return;
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let supported: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        causes.push(Cause::unsupported(path, value, &supported));
    }
    match value {
        Value::Number(_) => number(schema, value, &body, causes),
        Value::String(text) => string(schema, text, path, &body, causes),
        Value::Array(list) => array(schema, list, path, &body, causes),
        Value::Object(map) => object(schema, map, path, &body, causes),
        _ => {}
    }
    combined(schema, value, path, &body, causes);
}

fn number(schema: &Value, value: &Value, body: &dyn Fn(&str) -> Cause, causes: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    if let Some(least) = schema.get("minimum").and_then(Value::as_f64) {
        let exclusive = flag(schema, "exclusiveMinimum");
        if number < least || (exclusive && number <= least) {
            let or_equal = if exclusive { "" } else { " or equal to" };
            causes.push(body(&format!("should be greater than{or_equal} {}", schema.at(&["minimum"]))));
        }
    }
    if let Some(most) = schema.get("maximum").and_then(Value::as_f64) {
        let exclusive = flag(schema, "exclusiveMaximum");
        if number > most || (exclusive && number >= most) {
            let or_equal = if exclusive { "" } else { " or equal to" };
            causes.push(body(&format!("should be less than{or_equal} {}", schema.at(&["maximum"]))));
        }
    }
    if let Some(step) = schema.get("multipleOf").and_then(Value::as_f64)
        && (number / step).fract() != 0.0
    {
        causes.push(body(&format!("should be a multiple of {}", schema.at(&["multipleOf"]))));
    }
}

fn count(schema: &Value, name: &str) -> Option<usize> {
    schema.get(name).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok())
}

fn string(schema: &Value, text: &str, path: &str, body: &dyn Fn(&str) -> Cause, causes: &mut Vec<Cause>) {
    let length = text.chars().count();
    if let Some(most) = count(schema, "maxLength").filter(|most| length > *most) {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: path.to_owned(),
            message: format!("Too long: may not be more than {most} bytes"),
        });
    }
    if let Some(least) = count(schema, "minLength").filter(|least| length < *least) {
        causes.push(body(&format!("should be at least {least} chars long")));
    }
    let pattern = schema.text(&["pattern"]);
    if !pattern.is_empty()
        && let Ok(regex) = Regex::new(pattern)
        && !regex.is_match(text)
    {
        causes.push(body(&format!("should match '{pattern}'")));
    }
    let bad = match schema.text(&["format"]) {
        "date-time" => keelson_core::Timestamp::parse(text).is_err(),
        "date" => keelson_core::Timestamp::parse(&format!("{text}T00:00:00Z")).is_err(),
        "byte" => super::super::base64::decode(text).is_none(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_err(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_err(),
        "duration" => text.parse::<keelson_core::GoDuration>().is_err(),
        _ => false,
    };
    if bad {
        let format = schema.text(&["format"]);
        causes.push(Cause::invalid(path, &text.into(), &format!("{path} in body must be of type {format}: {text:?}")));
    }
}

fn array(schema: &Value, list: &[Value], path: &str, body: &dyn Fn(&str) -> Cause, causes: &mut Vec<Cause>) {
    if let Some(most) = count(schema, "maxItems").filter(|most| list.len() > *most) {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            field: path.to_owned(),
            message: format!("Too many: {}: must have at most {most} items", list.len()),
        });
    }
    if let Some(least) = count(schema, "minItems").filter(|least| list.len() < *least) {
        causes.push(body(&format!("should have at least {least} items")));
    }
    duplicates(schema, list, path, causes);
    if let Some(inner) = schema.get("items") {
        for (index, item) in list.iter().enumerate() {
            validate(inner, item, &format!("{path}[{index}]"), causes);
        }
    }
}

/// Lists that are sets or maps may hold each thing once.
fn duplicates(schema: &Value, list: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let keys = schema.items(&["x-kubernetes-list-map-keys"]);
    let name = |item: &Value| -> Value {
        let pick = |key: &Value| -> Option<(String, Value)> {
            let key = key.as_str()?;
            let default = schema.at(&["items", "properties", key]).get("default");
            Some((key.to_owned(), item.get(key).or(default)?.clone()))
        };
        keys.iter().filter_map(pick).collect()
    };
    let mut seen: Vec<Value> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let identity = match schema.text(&["x-kubernetes-list-type"]) {
            "set" => item.clone(),
            "map" => name(item),
            _ => return,
        };
        if seen.contains(&identity) {
            causes.push(Cause::duplicate(format!("{path}[{index}]"), &identity));
        } else {
            seen.push(identity);
        }
    }
}

fn object(schema: &Value, map: &Map, path: &str, body: &dyn Fn(&str) -> Cause, causes: &mut Vec<Cause>) {
    for name in schema.items(&["required"]).iter().filter_map(Value::as_str) {
        if !map.contains_key(name) {
            causes.push(Cause::required(join(path, name), ""));
        }
    }
    if let Some(most) = count(schema, "maxProperties").filter(|most| map.len() > *most) {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            field: path.to_owned(),
            message: format!("Too many: {}: must have at most {most} items", map.len()),
        });
    }
    if let Some(least) = count(schema, "minProperties").filter(|least| map.len() < *least) {
        causes.push(body(&format!("should have at least {least} properties")));
    }
    for (name, child) in map {
        if path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        let additional = schema.get("additionalProperties").filter(|inner| inner.is_object());
        if let Some(inner) = schema.at(&["properties"]).get(name).or(additional) {
            validate(inner, child, &join(path, name), causes);
        }
    }
}

fn combined(schema: &Value, value: &Value, path: &str, body: &dyn Fn(&str) -> Cause, causes: &mut Vec<Cause>) {
    let problems = |branch: &Value| {
        let mut found = Vec::new();
        validate(branch, value, path, &mut found);
        found
    };
    for branch in schema.items(&["allOf"]) {
        causes.extend(problems(branch));
    }
    let any = schema.items(&["anyOf"]);
    // The two branches of int-or-string are checked with the type.
    if !any.is_empty() && !flag(schema, "x-kubernetes-int-or-string") && any.iter().all(|one| !problems(one).is_empty())
    {
        causes.push(body("must validate at least one schema (anyOf)"));
    }
    let one = schema.items(&["oneOf"]);
    if !one.is_empty() && one.iter().filter(|branch| problems(branch).is_empty()).count() != 1 {
        causes.push(body("must validate one and only one schema (oneOf)"));
    }
    if let Some(not) = schema.get("not")
        && problems(not).is_empty()
    {
        causes.push(body("must not validate the schema (not)"));
    }
}

/// Whether any rule in CEL stands in the schema.
pub(crate) fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("x-kubernetes-validations") || map.values().any(has_rules),
        Value::Array(list) => list.iter().any(has_rules),
        _ => false,
    }
}
