//! What is asked about one AppGroup: as it runs, and as it would cost less.
//!
//! It is worked out on a view, beside the loop and beside other answers, for one asker at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use keelson_api::{AppGroup, names};
use keelson_cluster::View;
use keelson_core::Feature;
use keelson_runtime::answers::AnswerError;
use keelson_runtime::{Cache, Runtime};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::answers::{Query, text};
use super::{drift, layout};
use crate::decide::Settings;
use crate::groups::moved;
use crate::mind::Mind;
use crate::proposal::{MOST, Proposal, better};

/// What the loop knows, and where the rest is read.
pub(super) struct Grounds {
    view: Arc<View>,
    waiting: Vec<String>,
    pods: Cache<Pod>,
    groups: Cache<AppGroup>,
    settings: Settings,
}

impl std::fmt::Debug for Grounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grounds").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Grounds {
    pub(super) fn of(rt: &Runtime, mind: &Mind) -> Self {
        let mode = rt.switch(Feature::Scheduling).borrow().effective;
        Self {
            view: mind.view(),
            waiting: mind.waiting_groups().into_iter().collect(),
            pods: rt.cache(),
            groups: rt.optional_cache(),
            settings: layout::settings(&rt.settings().borrow().features.scheduling.settings, mode),
        }
    }

    fn proposal(&self, namespace: &str, name: &str) -> Option<Proposal> {
        let now = moved(&self.view, namespace, name, &BTreeMap::new())?;
        let key = format!("{namespace}/{name}");
        let running = drift::running(&self.pods, &self.view, &self.settings).remove(&key).unwrap_or_default();
        let cost = Some(&running).filter(|running| running.len() <= MOST);
        let cost = cost.and_then(|running| drift::cost_of(running, &self.view));
        let better = cost.map(|cost| better(&self.view, (namespace, name), &running, cost)).unwrap_or_default();
        let group = self.groups.get(namespace, name);
        let asked = group.as_ref().and_then(|group| group.metadata.annotations.as_ref()?.get(names::DRIFT));
        Some(Proposal {
            now,
            better,
            pods: running.len(),
            movable: running.iter().filter(|(_, ours)| *ours).count(),
            waits: self.waiting.contains(&key),
            allowed: asked.is_some_and(|asked| asked == "move"),
        })
    }
}

pub(super) async fn told(ask: &mpsc::Sender<Query>, turn: &Mutex<()>, question: &Value) -> Result<Value, AnswerError> {
    let (namespace, name) = (text(question, "namespace")?, text(question, "name")?);
    let _turn = turn.lock().await;
    let (reply, answer) = oneshot::channel();
    let busy = |_| AnswerError::Unavailable("too many questions wait for the scheduler".into());
    ask.try_send(Query::Grounds(reply)).map_err(busy)?;
    let grounds = answer.await.map_err(|_| AnswerError::Unavailable("the scheduler stops".into()))?;
    let unknown = AnswerError::NotFound(format!("AppGroup {namespace}/{name}"));
    let work = move || grounds.proposal(&namespace, &name);
    let found = tokio::task::spawn_blocking(work).await;
    let found = found.map_err(|_| AnswerError::Unavailable("it could not be worked out".into()))?;
    found.map(|proposal| json!(proposal)).ok_or(unknown)
}
