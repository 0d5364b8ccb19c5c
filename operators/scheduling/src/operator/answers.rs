//! What may be asked, and how it is answered.
//!
//! The loop hands out what it knows as a view that never changes; the answer is worked out beside it.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use keelson_api::names;
use keelson_cluster::{View, read};
use keelson_core::{Decision, Mode, NodeBandwidth, Reason};
use keelson_placement::smallest_change;
use keelson_runtime::answers::{Access, AnswerError};
use keelson_runtime::{Answers, Report};
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::pending::{self, Pending};
use super::proposal::{self, Grounds};
use crate::decide::{Ask, Moment, Settings, decide, scheduler_of};
use crate::extender::judge::{Binding, Note, Ranking, Stands};
use crate::fields;
use crate::groups::groups;
use crate::interfaces;
use crate::mind::Mind;
use crate::queue::Counts;

/// What is wanted of the loop.
#[derive(Debug)]
pub(super) enum Query {
    /// What it knows, and of a pod.
    Known {
        /// Which.
        pod: Option<(String, String)>,
        /// The namespace whose waiting pods are asked about; an empty name is all of them.
        pending: Option<String>,
        /// Whether a decision will come of it, which needs an id.
        records: bool,
        /// Where the answer goes.
        reply: oneshot::Sender<Known>,
    },
    /// What it takes to say how an AppGroup would cost less.
    Grounds(oneshot::Sender<Grounds>),
    /// The cluster as it sees it, and the groups of which pods wait.
    Groups(oneshot::Sender<(Arc<View>, BTreeSet<String>)>),
    /// To take note of what another scheduler was told.
    Told(Note),
    /// To carry out another scheduler's binding.
    Bind {
        /// Which.
        binding: Box<Binding>,
        /// Where it is said how it ended.
        reply: oneshot::Sender<Report>,
    },
}

/// A pod that is asked about, and the namespace of those that wait.
pub(super) type Asked<'a> = (Option<&'a (String, String)>, Option<&'a str>);

/// What the loop knows at one moment.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) view: Arc<View>,
    pub(super) pending: Vec<Pending>,
    last: Option<Decision>,
    /// How the nodes of the pod were last found to compare.
    pub(super) ranking: Option<Ranking>,
    pub(super) waiting: Option<Arc<Pod>>,
    counts: Counts,
    ours: usize,
    refused: usize,
    namespaces: Value,
    pub(super) settings: Settings,
    pub(super) stands: Stands,
    interfaces: Arc<NodeBandwidth>,
    /// Whether the cluster was read once.
    pub(super) ready: bool,
    pub(super) at: Moment,
}

impl Known {
    pub(super) fn of(mind: &Mind, asked: Asked<'_>, (ready, stands): (bool, Stands), at: Moment) -> Self {
        let pod = asked.0.map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        Self {
            view: mind.view(),
            pending: asked.1.map(|namespace| pending::of(mind, namespace)).unwrap_or_default(),
            last: pod.and_then(|(namespace, name)| mind.books().last(namespace, name)).cloned(),
            ranking: pod.and_then(|(namespace, name)| mind.ranking(namespace, name)).cloned(),
            waiting: pod.and_then(|(namespace, name)| mind.waiting_pod(namespace, name)).cloned(),
            counts: mind.counts(),
            ours: mind.pods_of_ours(),
            refused: mind.refused(),
            namespaces: namespaces(mind),
            settings: mind.standing().settings.clone(),
            stands,
            interfaces: Arc::clone(mind.interfaces()),
            ready,
            at,
        }
    }
}

/// Who waits in each namespace, for those who may not see all of them.
fn namespaces(mind: &Mind) -> Value {
    let counts = mind.waiting_by_namespace().into_iter();
    let rows =
        counts.map(|(name, (waiting, refused))| (name.to_owned(), json!({"waiting": waiting, "refused": refused})));
    Value::Object(rows.collect())
}

const NODES: Access = Access { verb: "list", group: "", resource: "nodes", namespace: None };
const PODS: Access = Access { verb: "list", group: "", resource: "pods", namespace: None };
const PENDING: Access = Access { verb: "list", group: "", resource: "pods", namespace: Some("namespace") };
const POD: Access = Access { verb: "get", group: "", resource: "pods", namespace: Some("namespace") };
const PLATFORM: Access = Access { verb: "get", group: names::GROUP, resource: "platforms", namespace: None };

pub(super) fn answers(ask: &mpsc::Sender<Query>) -> Answers {
    let nothing = json!({"type": "object", "additionalProperties": false});
    let text = json!({"type": "string", "minLength": 1});
    let pod =
        json!({"type": "object", "required": ["namespace", "name"], "properties": {"namespace": text, "name": text}});
    let manifest = json!({"type": "object", "required": ["pod"], "properties": {"pod": {"type": "object"}}});
    let (why_ask, if_ask, nodes_ask, queue_ask) = (ask.clone(), ask.clone(), ask.clone(), ask.clone());
    let (groups_ask, pending_ask, bandwidth_ask) = (ask.clone(), ask.clone(), ask.clone());
    let (proposal_ask, turn) = (ask.clone(), Arc::new(Mutex::new(())));
    let namespace = json!({"type": "object", "properties": {"namespace": text}});
    Answers::default()
        .with(("scheduling.why", "Why a pod is where it is, or nowhere."), pod.clone(), POD, move |question| {
            let ask = why_ask.clone();
            async move { why(&ask, &question).await }
        })
        .with(("scheduling.what-if", "Where a pod like this would go."), manifest, NODES, move |question| {
            let ask = if_ask.clone();
            async move { what_if(&ask, &question).await }
        })
        .with(("scheduling.nodes", "Every node and what is asked of it."), nothing.clone(), NODES, move |_| {
            let ask = nodes_ask.clone();
            async move { Ok(json!({"nodes": known(&ask, None, false).await?.view.cells()})) }
        })
        .with(
            ("scheduling.groups", "Where AppGroups are, and what their edges cost."),
            nothing.clone(),
            PODS,
            move |_| {
                let ask = groups_ask.clone();
                async move { Ok(json!({"groups": groups(&known(&ask, None, false).await?.view)})) }
            },
        )
        .with(
            ("scheduling.proposal", "Where the pods of an AppGroup are, and where they would cost less."),
            pod.clone(),
            PODS,
            move |question| {
                let (ask, turn) = (proposal_ask.clone(), Arc::clone(&turn));
                async move { proposal::told(&ask, &turn, &question).await }
            },
        )
        .with(
            ("scheduling.bandwidth", "What nodes' network interfaces carry, and what is taken of it."),
            nothing.clone(),
            NODES,
            move |_| {
                let ask = bandwidth_ask.clone();
                async move {
                    let known = known(&ask, None, false).await?;
                    Ok(json!(interfaces::ledger::told(&known.view, &known.interfaces, known.at.now)))
                }
            },
        )
        .with(
            ("scheduling.pending", "The pods that wait for it, why, and what would help."),
            namespace,
            PENDING,
            move |question| {
                let ask = pending_ask.clone();
                async move {
                    let namespace = question.get("namespace").and_then(Value::as_str).unwrap_or_default();
                    Ok(pending::told(&put(&ask, None, Some(namespace.to_owned()), false).await?).await)
                }
            },
        )
        .with(("scheduling.queue", "How many pods wait for it now."), nothing.clone(), PODS, move |_| {
            let ask = queue_ask.clone();
            async move {
                let known = known(&ask, None, false).await?;
                Ok(json!({
                    "waiting": known.ours,
                    "refused": known.refused,
                    "namespaces": known.namespaces,
                    "queue": known.counts,
                }))
            }
        })
        .with(("scheduling.fields", "What becomes of each pod field."), nothing, PLATFORM, |_| async { Ok(table()) })
}

pub(super) async fn known(
    ask: &mpsc::Sender<Query>,
    pod: Option<(String, String)>,
    records: bool,
) -> Result<Known, AnswerError> {
    put(ask, pod, None, records).await
}

async fn put(
    ask: &mpsc::Sender<Query>,
    pod: Option<(String, String)>,
    pending: Option<String>,
    records: bool,
) -> Result<Known, AnswerError> {
    let (reply, answer) = oneshot::channel();
    let busy = |_| AnswerError::Unavailable("too many questions wait for the scheduler".into());
    ask.try_send(Query::Known { pod, pending, records, reply }).map_err(busy)?;
    answer.await.map_err(|_| AnswerError::Unavailable("the scheduler stops".into()))
}

/// The cluster as the loop sees it now, and the groups of which pods wait, by `namespace/name`.
pub(super) async fn view(ask: &mpsc::Sender<Query>) -> Option<(Arc<View>, BTreeSet<String>)> {
    let (reply, answer) = oneshot::channel();
    ask.try_send(Query::Groups(reply)).ok()?;
    answer.await.ok()
}

pub(super) fn text(question: &Value, field: &str) -> Result<String, AnswerError> {
    let text = question.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| AnswerError::Invalid { field: field.into(), problem: "give a name".into() })
}

async fn why(ask: &mpsc::Sender<Query>, question: &Value) -> Result<Value, AnswerError> {
    let (namespace, name) = (text(question, "namespace")?, text(question, "name")?);
    let known = known(ask, Some((namespace.clone(), name.clone())), false).await?;
    // What would help is asked of the cluster as it is now, not as it was when the pod was last tried.
    let change = known.waiting.as_deref().and_then(|pod| would_fit(&known, pod));
    if let Some(last) = &known.last {
        return Ok(json!({"sentence": last.sentence, "decision": last, "change": change}));
    }
    let Some(pod) = &known.waiting else {
        let what = format!("a decision about pod {namespace}/{name} that the scheduler remembers");
        return Err(AnswerError::NotFound(what));
    };
    let scheduler = scheduler_of(pod);
    let decision = tried(&known, pod, None);
    let whose = if known.settings.places(scheduler) {
        "Not tried yet.".to_owned()
    } else {
        format!("It waits for scheduler {scheduler}. Keelson would say:")
    };
    let sentence = format!("{whose} {}", decision.sentence);
    Ok(json!({"sentence": sentence, "decision": decision, "change": change}))
}

async fn what_if(ask: &mpsc::Sender<Query>, question: &Value) -> Result<Value, AnswerError> {
    let invalid = |problem: String| AnswerError::Invalid { field: "pod".into(), problem };
    let given = question.get("pod").ok_or_else(|| invalid("give the manifest of a pod".into()))?;
    // The template of a workload will do as well.
    let manifest = given.pointer("/spec/template").unwrap_or(given);
    let pod: Pod = serde_json::from_value(manifest.clone()).map_err(|error| invalid(error.to_string()))?;
    let known = known(ask, None, false).await?;
    let decision = tried(&known, &pod, Some(manifest));
    let stuck = decision.reason == Reason::Unschedulable;
    let change = Some(&pod).filter(|_| stuck).and_then(|pod| would_fit(&known, pod));
    let mut answer = Map::from_iter([("sentence".into(), decision.sentence.clone().into())]);
    answer.extend(change.map(|change| ("change".into(), change.into())));
    answer.insert("decision".into(), json!(decision));
    Ok(answer.into())
}

/// What would be decided about a pod, enforced. Of a manifest also the fields that the API version does not have are
/// judged.
fn tried(known: &Known, pod: &Pod, manifest: Option<&Value>) -> Decision {
    let mut ask = enforced(known, pod);
    // A pod that has a node is not asked about it; a manifest that names one is.
    ask.pod.node_name = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).filter(|name| !name.is_empty());
    if let Some(manifest) = manifest {
        ask.findings = fields::judge_manifest(manifest);
    }
    let mut plan = decide(&ask, &known.view.snapshot_for(&ask.pod)).plan;
    plan.decisions.remove(0)
}

/// The smallest change with which a pod would fit, found by trying it; none when it fits, or fails for another reason.
pub(super) fn would_fit(known: &Known, pod: &Pod) -> Option<String> {
    let ask = enforced(known, pod);
    let stopped = !ask.gates.is_empty() || !ask.problems.is_empty() || !ask.findings.is_empty();
    let change = smallest_change(&ask.pod, &known.view.snapshot_for(&ask.pod)).filter(|_| !stopped);
    change.map(|change| change.to_string())
}

fn enforced(known: &Known, pod: &Pod) -> Ask {
    let settings = Settings { mode: Mode::Enforce, ..known.settings.clone() };
    let mut ask = Ask::new(pod, known.view.complete(read::pod(pod)), settings, known.at);
    // A manifest that names no scheduler is asked about as one of ours.
    if scheduler_of(pod).is_empty() {
        ask.pod.layout = ask.settings.layout.clone();
    }
    ask
}

fn table() -> Value {
    let rows = fields::rows().map(|(path, row)| json!({"path": path, "rule": row.rule_text(), "why": row.why}));
    json!({"fields": rows.collect::<Vec<_>>()})
}
