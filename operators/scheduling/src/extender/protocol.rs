//! What kube-scheduler asks an extender and what it wants to hear, as data (`k8s.io/kube-scheduler/extender/v1`).
//!
//! Go writes the names of its fields and null for an empty list, and reads names in any case. So does this: names in any
//! case, null for nothing, and whatever else is there is passed over.
//!
//! Promises: no bytes panic; what cannot be read is refused with its field; an answer is what upstream decodes.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;
use serde_json::{Map, Value};

/// The best score of a node (`MaxExtenderPriority`).
pub const BEST: i64 = 10;
/// The most nodes that may be asked about: twice what Kubernetes supports, doubled again.
pub const MOST_NODES: usize = 20_000;

/// Why a question cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is no JSON object.
    #[error("the question is no JSON object: {0}; only kube-scheduler asks here")]
    Json(String),
    /// A field is not what it should be.
    #[error("{field}: {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong, and the fix.
        problem: String,
    },
}

/// The nodes that are asked about.
#[derive(Debug, Clone, PartialEq)]
pub enum Nodes {
    /// By name: the extender knows them (`nodeCacheCapable`).
    Names(Vec<String>),
    /// As objects, which go back as they came.
    Objects(Vec<Value>),
}

/// What is asked by `filter` and `prioritize`.
#[derive(Debug, Clone, PartialEq)]
pub struct Args {
    /// The pod.
    pub pod: Pod,
    /// The nodes.
    pub nodes: Nodes,
}

/// The answer to `filter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FilterResult {
    /// Those that can hold the pod, as objects.
    pub nodes: Option<NodeList>,
    /// Those that can hold the pod, by name.
    pub node_names: Option<Vec<String>>,
    /// The others, each with its reason.
    pub failed_nodes: BTreeMap<String, String>,
    /// Those of them on which no eviction would help.
    pub failed_and_unresolvable_nodes: BTreeMap<String, String>,
    /// Why there is no answer.
    pub error: String,
}

/// Nodes as objects.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct NodeList {
    /// As they came.
    pub items: Vec<Value>,
}

/// How good a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HostPriority {
    /// Its name.
    pub host: String,
    /// 0 to [`BEST`].
    pub score: i64,
}

/// What is asked by `preempt`.
#[derive(Debug, Clone, PartialEq)]
pub struct PreemptionArgs {
    /// The pod that needs room.
    pub pod: Pod,
    /// Whom each node would lose.
    pub nodes: BTreeMap<String, MetaVictims>,
}

/// Those to evict on a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetaVictims {
    /// Who.
    pub pods: Vec<MetaPod>,
    /// How many of those evictions break a budget.
    #[serde(rename = "NumPDBViolations")]
    pub violations: i64,
}

impl MetaVictims {
    /// Their uids.
    #[must_use]
    pub fn uids(&self) -> BTreeSet<&str> {
        self.pods.iter().map(|pod| pod.uid.as_str()).collect()
    }
}

/// A pod by its uid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetaPod {
    /// The uid.
    #[serde(rename = "UID")]
    pub uid: String,
}

/// The answer to `preempt`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PreemptionResult {
    /// The nodes on which eviction helps.
    pub node_name_to_meta_victims: BTreeMap<String, MetaVictims>,
}

/// What is asked by `bind`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingArgs {
    /// The pod's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
    /// Where it goes.
    pub node: String,
}

/// The answer to `bind`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BindingResult {
    /// Why it is not bound.
    pub error: String,
}

type Fields = Map<String, Value>;

impl Args {
    /// Reads a question of `filter` or `prioritize`.
    ///
    /// # Errors
    /// When there is no pod, or no nodes.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = object(bytes)?;
        let pod = pod(&mut fields)?;
        let nodes = match (take(&mut fields, "NodeNames"), take(&mut fields, "Nodes")) {
            (Some(names), _) => Nodes::Names(names_of(names)?),
            (None, Some(list)) => Nodes::Objects(objects_of(list)?),
            (None, None) => return Err(wrong("NodeNames", "missing, and so is Nodes; name the nodes to choose from")),
        };
        let count = match &nodes {
            Nodes::Names(names) => names.len(),
            Nodes::Objects(objects) => objects.len(),
        };
        if count > MOST_NODES {
            return Err(wrong("NodeNames", format!("{count} nodes; at most {MOST_NODES} can be asked about")));
        }
        Ok(Self { pod, nodes })
    }
}

impl Nodes {
    /// Their names, in the order asked; an object without a name has an empty one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (names, objects) = match self {
            Self::Names(names) => (names.as_slice(), &[][..]),
            Self::Objects(objects) => (&[][..], objects.as_slice()),
        };
        names.iter().map(String::as_str).chain(objects.iter().map(name_of))
    }
}

impl PreemptionArgs {
    /// Reads a question of `preempt`, in both its forms.
    ///
    /// # Errors
    /// When there is no pod, or the victims are no map.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        const META: &str = "NodeNameToMetaVictims";
        let mut fields = object(bytes)?;
        let pod = pod(&mut fields)?;
        let named = take(&mut fields, META).or_else(|| take(&mut fields, "NodeNameToVictims"));
        let nodes = match named {
            None => BTreeMap::new(),
            Some(Value::Object(nodes)) if nodes.len() <= MOST_NODES => {
                nodes.into_iter().map(|(node, victims)| Ok((node, victims_of(victims)?))).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(wrong(META, format!("give a map of at most {MOST_NODES} nodes"))),
        };
        Ok(Self { pod, nodes })
    }
}

impl BindingArgs {
    /// Reads a question of `bind`.
    ///
    /// # Errors
    /// When one of the four names is missing.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = object(bytes)?;
        let mut text = |field: &'static str| match take(&mut fields, field) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            _ => Err(wrong(field, "give a name")),
        };
        Ok(Self { name: text("PodName")?, namespace: text("PodNamespace")?, uid: text("PodUID")?, node: text("Node")? })
    }
}

fn wrong(field: &'static str, problem: impl Into<String>) -> ReadError {
    ReadError::Field { field, problem: problem.into() }
}

fn object(bytes: &[u8]) -> Result<Fields, ReadError> {
    serde_json::from_slice(bytes).map_err(|error| ReadError::Json(error.to_string()))
}

/// Takes a field by its Go name; as Go reads, the exact name counts most, then any case. Null is nothing.
fn take(fields: &mut Fields, name: &str) -> Option<Value> {
    let exact = fields.contains_key(name).then(|| name.to_owned());
    let found = exact.or_else(|| fields.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned())?;
    fields.remove(&found).filter(|value| !value.is_null())
}

fn pod(fields: &mut Fields) -> Result<Pod, ReadError> {
    let written = take(fields, "Pod").ok_or_else(|| wrong("Pod", "missing; say which pod is to be placed"))?;
    serde_json::from_value(written).map_err(|error| wrong("Pod", error.to_string()))
}

fn list(value: Value, field: &'static str) -> Result<Vec<Value>, ReadError> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(wrong(field, "give a list")),
    }
}

fn names_of(value: Value) -> Result<Vec<String>, ReadError> {
    let name = |value| match value {
        Value::String(name) => Ok(name),
        _ => Err(wrong("NodeNames", "give names")),
    };
    list(value, "NodeNames")?.into_iter().map(name).collect()
}

fn objects_of(value: Value) -> Result<Vec<Value>, ReadError> {
    let Value::Object(mut fields) = value else { return Err(wrong("Nodes", "give a list of nodes")) };
    take(&mut fields, "items").map_or(Ok(Vec::new()), |items| list(items, "Nodes"))
}

/// The name of a node as an object.
pub(super) fn name_of(node: &Value) -> &str {
    node.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

/// Pods as their uids, or whole.
fn victims_of(value: Value) -> Result<MetaVictims, ReadError> {
    let mut fields = match value {
        Value::Null => return Ok(MetaVictims::default()),
        Value::Object(fields) => fields,
        _ => return Err(wrong("NodeNameToMetaVictims", "give the victims of a node as an object")),
    };
    let violations = take(&mut fields, "NumPDBViolations").and_then(|count| count.as_i64()).unwrap_or_default();
    let pods = take(&mut fields, "Pods").map_or(Ok(Vec::new()), |pods| list(pods, "Pods"))?;
    let pods = pods.into_iter().filter_map(uid_of).map(|uid| MetaPod { uid }).collect();
    Ok(MetaVictims { pods, violations })
}

fn uid_of(pod: Value) -> Option<String> {
    let whole = pod.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
    let Value::Object(mut fields) = pod else { return None };
    whole.or_else(|| take(&mut fields, "UID").and_then(|uid| uid.as_str().map(str::to_owned)))
}
