//! The extender's side of the loop: verbs and bytes in, bytes out.
//!
//! The loop hands out a view; what is asked is worked out beside it, and what was said goes back to be recorded.

use k8s_openapi::api::core::v1::Pod;
use keelson_cluster::read;
use keelson_core::{Span, StepResult};
use keelson_runtime::operator::{Listener, Reply};
use keelson_runtime::{AnswerError, Report};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::answers::{Known, Query, known};
use crate::extender::judge::{self, Note, Question};
use crate::extender::protocol::{Args, BindingArgs, BindingResult, FilterResult, PreemptionArgs, ReadError};

/// The largest question: 5,000 nodes as objects have some 10 MiB.
const LARGEST: usize = 16 << 20;
/// Questions at once. kube-scheduler asks one after another, and binds beside that.
const AT_ONCE: usize = 64;
/// kube-scheduler waits 5 s when it is not told otherwise.
const DEADLINE: Span = Span::seconds(4);

pub(super) fn listener(ask: &mpsc::Sender<Query>) -> Listener {
    let ask = ask.clone();
    let answering = move |path: String, body: Vec<u8>| {
        let ask = ask.clone();
        async move { answer(&ask, &path, &body).await }
    };
    let mut listener = Listener::new("extender", "kube-scheduler", answering);
    (listener.largest, listener.at_once, listener.deadline) = (LARGEST, AT_ONCE, DEADLINE);
    listener
}

async fn answer(ask: &mpsc::Sender<Query>, path: &str, body: &[u8]) -> Reply {
    // Whatever stands before the verb is kube-scheduler's urlPrefix.
    match path.rsplit('/').next().unwrap_or_default() {
        "filter" => filter(ask, body).await,
        "prioritize" => prioritize(ask, body).await,
        "preempt" => preempt(ask, body).await,
        "bind" => bind(ask, body).await,
        _ => refused(404, "ask filter, prioritize, preempt or bind"),
    }
}

/// Where the answer has a field for it, an error is told in words that kube-scheduler shows.
async fn filter(ask: &mpsc::Sender<Query>, body: &[u8]) -> Reply {
    let found = async {
        let Args { pod, nodes } = Args::read(body)?;
        let known = known_for(ask, None).await?;
        let question = question(&known, &pod);
        Ok::<_, Trouble>(judge::filter(&question, nodes, &known.view.snapshot_for(&question.ask.pod)))
    };
    match found.await {
        Ok((result, note)) => {
            tell(ask, note);
            json(&result)
        }
        Err(trouble) => json(&FilterResult { error: trouble.to_string(), ..FilterResult::default() }),
    }
}

async fn prioritize(ask: &mpsc::Sender<Query>, body: &[u8]) -> Reply {
    let found = async {
        let Args { pod, nodes } = Args::read(body)?;
        let known = known_for(ask, None).await?;
        let question = question(&known, &pod);
        Ok::<_, Trouble>(judge::prioritize(&question, &nodes, &known.view.snapshot_for(&question.ask.pod)))
    };
    match found.await {
        Ok((scores, note)) => {
            tell(ask, note);
            json(&scores)
        }
        Err(trouble) => trouble.reply(),
    }
}

async fn preempt(ask: &mpsc::Sender<Query>, body: &[u8]) -> Reply {
    let found = async {
        let PreemptionArgs { pod, nodes } = PreemptionArgs::read(body)?;
        let known = known_for(ask, None).await?;
        let question = question(&known, &pod);
        Ok::<_, Trouble>(judge::preempt(&question, nodes, &known.view.snapshot_for(&question.ask.pod)))
    };
    match found.await {
        Ok(result) => json(&result),
        Err(trouble) => trouble.reply(),
    }
}

async fn bind(ask: &mpsc::Sender<Query>, body: &[u8]) -> Reply {
    let bound = async {
        let args = BindingArgs::read(body)?;
        let known = known_for(ask, Some((args.namespace.clone(), args.name.clone()))).await?;
        let pod = judge::to_bind(&args, known.waiting.as_deref());
        let question = question(&known, &pod);
        let snapshot = known.view.snapshot_for(&question.ask.pod);
        let binding = judge::bind(question.clone(), &args, known.ranking.as_ref(), &snapshot).map_err(Trouble::Not)?;
        let (reply, report) = oneshot::channel();
        ask.try_send(Query::Bind { binding: Box::new(binding), reply }).map_err(|_| Trouble::busy())?;
        report.await.map_err(|_| Trouble::Not("the scheduler stops".to_owned()))
    };
    let error = match bound.await {
        Ok(report) => failure(&report).unwrap_or_default(),
        Err(trouble) => trouble.to_string(),
    };
    json(&BindingResult { error })
}

/// A question about a pod, with what the cluster adds to it.
fn question(known: &Known, pod: &Pod) -> Question {
    let read = known.view.complete(read::pod(pod));
    Question::new(pod, read, known.settings.clone(), known.stands, known.at)
}

/// Why a binding was not carried out.
fn failure(report: &Report) -> Option<String> {
    let step = report.decisions.values().flat_map(|(_, steps)| steps).next();
    match step {
        Some(step) if matches!(step.result, StepResult::Done | StepResult::Unchanged) => None,
        Some(step) => Some(format!("not bound: {}", step.detail)),
        None => Some("not bound, and nobody said why".to_owned()),
    }
}

async fn known_for(ask: &mpsc::Sender<Query>, pod: Option<(String, String)>) -> Result<Known, Trouble> {
    let known = known(ask, pod, true).await?;
    if known.ready { Ok(known) } else { Err(Trouble::Not("the cluster is not read yet; ask again in a second".into())) }
}

/// Best effort: who asks faster than it is recorded is answered all the same.
fn tell(ask: &mpsc::Sender<Query>, note: Option<Note>) {
    let told = note.map(|note| ask.try_send(Query::Told(note)));
    if told.is_some_and(|told| told.is_err()) {
        tracing::debug!("an answer to another scheduler is not taken note of: too many questions wait");
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    #[error(transparent)]
    Unanswered(#[from] AnswerError),
    #[error("{0}")]
    Not(String),
}

impl Trouble {
    fn busy() -> Self {
        Self::Not("too many questions wait for the scheduler".to_owned())
    }

    fn reply(&self) -> Reply {
        refused(if matches!(self, Self::Unreadable(_)) { 400 } else { 503 }, &self.to_string())
    }
}

fn json(answer: &impl Serialize) -> Reply {
    match serde_json::to_vec(answer) {
        Ok(body) => Reply { status: 200, body },
        Err(error) => refused(500, &error.to_string()),
    }
}

fn refused(status: u16, why: &str) -> Reply {
    Reply { status, body: serde_json::to_vec(&serde_json::json!({"error": why})).unwrap_or_default() }
}
