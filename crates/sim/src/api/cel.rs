//! Expressions in CEL: values in and out, and the object constructors of mutating policies.
//!
//! The interpreter knows maps but no typed objects, so `Object{spec: Object.spec{replicas: 3}}` and
//! `JSONPatch{op: "add", …}` are rewritten as maps before they are parsed.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use kube_cel::{
    KubeCelExt,
    cel::{
        self, Context, Program,
        objects::{Key, Map},
    },
};

use crate::tree::Value;

/// Compiled expressions by their text.
#[derive(Default)]
pub(crate) struct Programs(Mutex<BTreeMap<String, Result<Arc<Program>, String>>>);

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Programs")
    }
}

impl Programs {
    /// The value of an expression.
    pub fn evaluate(&self, expression: &str, context: &Context<'_>) -> Result<cel::Value, String> {
        let program = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let compile = || compile(expression).map(Arc::new);
            known.entry(expression.to_owned()).or_insert_with(compile).clone()?
        };
        program.execute(context).map_err(|problem| problem.to_string())
    }

    /// Whether the expression holds.
    pub fn holds(&self, expression: &str, context: &Context<'_>) -> Result<bool, String> {
        match self.evaluate(expression, context)? {
            cel::Value::Bool(holds) => Ok(holds),
            other => Err(format!("cel expression resulted in a {}, not a bool", other.type_of())),
        }
    }
}

/// An empty scope that knows Kubernetes' functions.
pub(crate) fn context() -> Context<'static> {
    Context::default().with_all()
}

fn compile(expression: &str) -> Result<Program, String> {
    let text = without_structs(expression)?;
    Program::compile(&text).map_err(|problem| format!("compilation failed: {problem}"))
}

/// Turns object constructors into maps.
fn without_structs(expression: &str) -> Result<String, String> {
    let mut out = String::with_capacity(expression.len() + 16);
    // For each open brace or bracket: whether it is a constructor whose next word is a field.
    let mut open: Vec<bool> = Vec::new();
    let mut rest = expression;
    let mut field_next = false;
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '\'' {
            let (text, after) = quoted(rest, first);
            out.push_str(text);
            rest = after;
            field_next = false;
            continue;
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let brace = after.trim_start().strip_prefix('{');
            if let Some(inside) = brace {
                let known = word == "JSONPatch" || word == "Object" || word.starts_with("Object.");
                if !known {
                    return Err(format!("compilation failed: {word} is no type that an expression can make"));
                }
                out.push('{');
                open.push(true);
                field_next = true;
                rest = inside;
            } else {
                if field_next && after.trim_start().starts_with(':') {
                    out.push('"');
                    out.push_str(word);
                    out.push('"');
                } else {
                    out.push_str(word);
                }
                field_next = false;
                rest = after;
            }
            continue;
        }
        match first {
            '{' | '[' | '(' => open.push(false),
            '}' | ']' | ')' => drop(open.pop()),
            ',' => field_next = open.last() == Some(&true),
            _ => {}
        }
        out.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or("");
    }
    Ok(out)
}

/// A string literal and what follows it.
fn quoted(text: &str, quote: char) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return text.split_at(at + 1),
            _ => {}
        }
    }
    (text, "")
}

/// JSON as CEL sees it.
pub(crate) fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => cel::Value::Int(int),
            (None, Some(uint)) => cel::Value::UInt(uint),
            _ => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.to_string())),
        Value::Array(list) => cel::Value::List(Arc::new(list.iter().map(to_cel).collect())),
        Value::Object(map) => {
            let map: HashMap<Key, cel::Value> =
                map.iter().map(|(key, value)| (Key::String(Arc::new(key.to_string())), to_cel(value))).collect();
            cel::Value::Map(Map { map: Arc::new(map) })
        }
    }
}

/// CEL's value as JSON, keys in order.
pub(crate) fn to_json(value: &cel::Value) -> Value {
    match value {
        cel::Value::Bool(flag) => Value::Bool(*flag),
        cel::Value::Int(int) => Value::from(*int),
        cel::Value::UInt(uint) => Value::from(*uint),
        cel::Value::Float(float) => Value::from(*float),
        cel::Value::String(text) => Value::from(text.as_str()),
        cel::Value::List(list) => Value::Array(list.iter().map(to_json).collect()),
        cel::Value::Map(map) => {
            let sorted: BTreeMap<String, Value> =
                map.map.iter().map(|(key, value)| (key.to_string(), to_json(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::tree::json;

    use super::*;

    #[test]
    fn constructors_become_maps() {
        let programs = Programs::default();
        let value = programs
            .evaluate(r#"[JSONPatch{op: "add", path: "/a,b:c", value: Object.spec{replicas: 1 + 2}}]"#, &context())
            .unwrap();
        assert_eq!(to_json(&value), json!([{"op": "add", "path": "/a,b:c", "value": {"replicas": 3}}]));
        let value =
            programs.evaluate(r#"Object{metadata: Object.metadata{labels: {"a": true ? "x" : "y"}}}"#, &context());
        assert_eq!(to_json(&value.unwrap()), json!({"metadata": {"labels": {"a": "x"}}}));
    }

    #[test]
    fn an_unknown_type_is_an_error_and_no_panic() {
        assert!(Programs::default().evaluate("Nope{a: 1}", &context()).is_err());
        assert!(Programs::default().evaluate("1 +", &context()).is_err());
    }
}
