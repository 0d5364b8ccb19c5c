//! A schema's rules in CEL.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use kube_cel::{CompiledSchema, ErrorKind, Validator, compile_schema};

use super::super::status::Cause;
use crate::tree::Value;

/// The compiled rules of one version.
pub(crate) struct Rules {
    schema: CompiledSchema,
    validator: Mutex<Validator>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules")
    }
}

impl Rules {
    /// The rules of a schema; none when it has none.
    pub fn of(schema: &Value) -> Option<Self> {
        super::schema::has_rules(schema)
            .then(|| Self { schema: compile_schema(&schema.into()), validator: Mutex::new(Validator::new()) })
    }

    /// What the rules refuse, in order of fields.
    pub fn check(&self, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let validator = self.validator.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(errors) = validator.validate_compiled(&self.schema, &new.into(), old.map(Into::into).as_ref()) else {
            return Vec::new();
        };
        let mut errors = errors.into_vec();
        // The checker walks fields in no fixed order.
        errors.sort_by(|a, b| (&a.field_path, &a.rule).cmp(&(&b.field_path, &b.rule)));
        errors.into_iter().map(|error| cause(&error, new)).collect()
    }
}

fn cause(error: &kube_cel::ValidationError, object: &Value) -> Cause {
    let field = if error.field_path.is_empty() { "<nil>".to_owned() } else { error.field_path.clone() };
    let detail = match error.kind {
        ErrorKind::ValidationFailure if error.message.is_empty() => format!("failed rule: {}", error.rule),
        _ => error.message.clone(),
    };
    let value = value_at(object, &error.field_path);
    match error.reason.as_deref() {
        Some("FieldValueForbidden") => Cause::forbidden(field, &detail),
        Some("FieldValueRequired") => Cause::required(field, &detail),
        Some("FieldValueDuplicate") => {
            Cause { reason: "FieldValueDuplicate", field, message: format!("Duplicate value: {value}") }
        }
        // Upstream shows scalars and leaves objects and lists out.
        _ if value.is_object() || value.is_array() => {
            Cause { reason: "FieldValueInvalid", field, message: format!("Invalid value: {detail}") }
        }
        _ => Cause::invalid(field, value, &detail),
    }
}

fn value_at<'a>(object: &'a Value, path: &str) -> &'a Value {
    let mut here = object;
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        let next = match part.strip_suffix(']') {
            Some(index) => index.parse::<usize>().ok().and_then(|index| here.as_array()?.get(index)),
            None => here.get(part),
        };
        here = next.unwrap_or(&Value::Null);
    }
    here
}
