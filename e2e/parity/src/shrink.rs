//! The smallest case on which both sides still differ in the same way.
//!
//! Parts of the question are left out, large ones first, as long as the same plugin is judged differently in the same words;
//! what is left is what matters.
//!
//! Promise: the result differs as the case did; it takes some hundred questions, no more than a bound.

use anyhow::Result;
use serde_json::Value;

use crate::compare::{Disagreement, compare};
use crate::oracle::Oracle;
use crate::ours;
use crate::request::Request;

/// Questions asked at most.
const BOUND: u32 = 4_000;

/// What the API server asks of an object, and what names one, stays.
const KEPT: &[&str] = &[
    "name",
    "uid",
    "namespace",
    "image",
    "key",
    "operator",
    "values",
    "effect",
    "topologyKey",
    "maxSkew",
    "whenUnsatisfiable",
    "weight",
    "preference",
    "podAffinityTerm",
    "nodeSelectorTerms",
    "containerPort",
    "metadata",
    "spec",
    "status",
    "pod",
    "nodes",
    "pods",
    "allocatable",
    "containers",
    "nodeName",
    "startTime",
    "nominated",
    "nominatedNodeName",
    "phase",
];

/// The case without what does not matter to one disagreement.
///
/// # Errors
/// When the oracle has ended.
pub fn shrink(oracle: &mut Oracle, request: &Request, found: &Disagreement) -> Result<Request> {
    let mut best = serde_json::to_value(request)?;
    let mut asked = 0;
    loop {
        let mut paths = Vec::new();
        collect(&best, String::new(), &mut paths);
        let mut smaller = false;
        for path in paths {
            let Some(mut next) = without(&best, &path) else { continue };
            agree(&mut next);
            asked += 1;
            if asked > BOUND {
                return Ok(serde_json::from_value(best)?);
            }
            if differs(oracle, &next, found) {
                best = next;
                smaller = true;
            }
        }
        if !smaller {
            return Ok(serde_json::from_value(best)?);
        }
    }
}

/// Whether the two still differ in this way; a question that somebody cannot read does not count.
fn differs(oracle: &mut Oracle, question: &Value, found: &Disagreement) -> bool {
    let Ok(request) = serde_json::from_value::<Request>(question.clone()) else { return false };
    let Ok(told) = oracle.ask(&request) else { return false };
    let Ok(ours) = ours::judge(&request, &told.feasible) else { return false };
    compare(&told, &ours).iter().any(|one| one.kind() == found.kind())
}

/// Every part, those that hold others first, and the last of a list before the first, so that the places of the others stay.
fn collect(value: &Value, at: String, paths: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().rev().map(|(index, item)| (index.to_string(), item)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| (key.replace('~', "~0").replace('/', "~1"), field)).collect()
        }
        _ => return,
    };
    for (key, child) in children {
        let path = format!("{at}/{key}");
        if !KEPT.contains(&key.as_str()) {
            paths.push(path.clone());
        }
        collect(child, path, paths);
    }
}

/// Whoever waits for room no more does not say so either.
fn agree(question: &mut Value) {
    let waiting: Vec<Value> =
        question["nominated"].as_array().into_iter().flatten().map(|wish| wish["uid"].clone()).collect();
    for pod in question["pods"].as_array_mut().into_iter().flatten() {
        let waits = pod.pointer("/metadata/uid").is_some_and(|uid| waiting.contains(uid));
        if let Some(status) = pod.pointer_mut("/status").and_then(Value::as_object_mut).filter(|_| !waits) {
            status.remove("nominatedNodeName");
        }
    }
}

fn without(value: &Value, path: &str) -> Option<Value> {
    let (parent, key) = path.rsplit_once('/')?;
    let mut made = value.clone();
    match made.pointer_mut(parent)? {
        Value::Array(items) => {
            let index = key.parse::<usize>().ok().filter(|index| *index < items.len())?;
            items.remove(index);
        }
        Value::Object(fields) => {
            fields.remove(&key.replace("~1", "/").replace("~0", "~"))?;
        }
        _ => return None,
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    #[test]
    fn every_part_is_tried_but_what_an_object_needs() {
        let asked =
            json!({"pod": {"metadata": {"name": "p", "labels": {"a/b": "c"}}, "spec": {"tolerations": [1, 2]}}});
        let mut paths = Vec::new();
        collect(&asked, String::new(), &mut paths);
        let expected =
            ["metadata/labels", "metadata/labels/a~1b", "spec/tolerations", "spec/tolerations/1", "spec/tolerations/0"];
        assert_eq!(paths, expected.map(|path| format!("/pod/{path}")));
        assert_eq!(without(&asked, "/pod/spec/tolerations/1").unwrap()["pod"]["spec"], json!({"tolerations": [1]}));
        assert_eq!(without(&asked, "/pod/metadata/labels/a~1b").unwrap()["pod"]["metadata"]["labels"], json!({}));
        assert_eq!(without(&asked, "/pod/nothing"), None);
    }
}
