//! One stream of events for each browser: of its pages one listens and tells the others.
//!
//! A page shows what changes without asking. Decisions, outcomes and effects arrive in order, numbered; after a broken
//! connection the browser names the last number it saw and goes on there, or is told to start over. The overview and the
//! nodes are sent when they changed, twice a second at most; of the nodes only those that differ.
//!
//! Promises: a slow reader is never queued for, it falls behind the ring and starts over; a quiet stream carries a
//! comment every 15 s, because proxies close what is silent; at most [`most`] are open, and of one person sixteen; nothing is
//! told that its reader may not see, and a stream ends within [`AGAIN_EVERY`] of the verdict that they are no longer let in.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use keelson_core::{DecisionId, ObjectRef};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at, sleep_until};
use utoipa::ToSchema;

use crate::access::memo::Memo;
use crate::access::{AGAIN_EVERY, Gate, Right, Viewer};
use crate::changes::{Batch, Change, EffectChange, OutcomeChange, Subscription};
use crate::error::{ApiError, Category, ErrorBody};
use crate::query::Params;
use crate::reads;
use crate::recent::GOOD_FOR;
use crate::serve::App;
use crate::taken::Taken;
use crate::view::{NodeView, Nodes, Overview};

/// The most streams of this machine, where nobody signs in; and of all who sign in.
const MAX_HERE: usize = 64;
const MAX_SIGNED_IN: usize = 1_024;
/// How long a stream lasts when only a proxy knows whether its reader is still let in: the browser opens another through it.
const VOUCHED_FOR: Duration = Duration::from_secs(600);
/// How long and of how many decisions it is remembered what they are about.
const SUBJECTS_FOR: Duration = Duration::from_secs(600);
const SUBJECTS: usize = 16_384;
/// How often a quiet stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The least time between two batches: no page can draw faster, and fewer batches compress better.
const BATCH_EVERY: Duration = Duration::from_millis(100);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

/// The most streams at a time.
pub const fn most(sign_in: bool) -> usize {
    if sign_in { MAX_SIGNED_IN } else { MAX_HERE }
}

/// What decisions are about: how one ends is told by its id alone.
pub struct Subjects(Memo<DecisionId, ObjectRef>);

impl Default for Subjects {
    fn default() -> Self {
        Self(Memo::new(SUBJECTS))
    }
}

/// The first event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hello {
    /// The number after which the stream goes on.
    pub seq: u64,
    /// Whether the page may keep what it shows: the stream goes on after the last event it saw.
    pub resumed: bool,
    /// Whether switches are refused.
    pub read_only: bool,
}

/// Events were missed: ask for everything again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reset {
    /// The number after which the stream goes on.
    pub seq: u64,
}

/// The nodes that differ from what this stream said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodesChange {
    /// Grows with every change of any node.
    pub version: u64,
    /// Whether these are all nodes; otherwise put them in the place of those of the same name.
    pub full: bool,
    /// The nodes that are new or changed.
    pub nodes: Vec<NodeView>,
    /// The names of those that are gone.
    pub removed: Vec<String>,
}

/// Everything that happens: events `hello`, `overview`, `nodes`, `decision`, `outcome`, `effect` and `reset`.
///
/// The data of each is the schema Hello, Overview, NodesChange, Decision, OutcomeChange, EffectChange and Reset.
#[utoipa::path(get, path = "/api/v1/stream", tag = "platform",
    params(("Last-Event-ID" = Option<u64>, Header, nullable = false, description = "The number of the last event seen.")),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = "4XX", body = ErrorBody),
              (status = 503, body = ErrorBody)))]
pub async fn stream(
    State(app): State<App>,
    viewer: Viewer,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::read(&uri, &[])?;
    let since = last_event(&headers)?;
    let read_only = app.read_only || !viewer.may(&Right::switch()).await?;
    let most = most(app.gate.is_some());
    let theirs = |gate: &Gate| Arc::clone(&gate.streams);
    let place = Taken::one((&app.streams, most), (&app, &viewer, theirs), "browsers have the page open")
        .map_err(|message| ApiError::new(Category::Unavailable, message, "Close it in one of them."))?;
    let events = unfold(Feed::new(app, viewer, (since, read_only), place), |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would collect the events otherwise.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        let fix = "Send the id of the last event seen, or leave it out.";
        ApiError::invalid("Last-Event-ID", "Last-Event-ID is no number", fix)
    })
}

struct Feed {
    app: App,
    viewer: Viewer,
    changes: Subscription,
    closing: watch::Receiver<bool>,
    look: Interval,
    again: Interval,
    ends: Option<Instant>,
    next_batch: Instant,
    ready: VecDeque<Event>,
    overview: Option<Arc<Overview>>,
    nodes: Option<Arc<Nodes>>,
    _place: Taken,
}

impl Feed {
    fn new(app: App, viewer: Viewer, (since, read_only): (Option<u64>, bool), place: Taken) -> Self {
        let changes = app.backend.changes(since);
        let now = Instant::now();
        let mut look = interval(GOOD_FOR);
        let mut again = interval_at(now + AGAIN_EVERY, AGAIN_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let hello = Hello { seq: changes.position(), resumed: since.is_some(), read_only };
        let mut feed = Self {
            closing: app.closing.clone(),
            app,
            ends: viewer.is_vouched_for().then(|| now + VOUCHED_FOR),
            viewer,
            look,
            again,
            next_batch: now,
            ready: VecDeque::new(),
            overview: None,
            nodes: None,
            _place: place,
            changes,
        };
        feed.say(Event::default().id(hello.seq.to_string()).retry(RETRY), "hello", &hello);
        feed
    }

    /// The next event; none when the page is no longer served, or no longer to this reader. Whoever cannot be asked about is
    /// not told more: the browser comes again and is told why.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let changes = &mut self.changes;
            let next_batch = self.next_batch;
            let batch = async {
                sleep_until(next_batch).await;
                changes.next().await
            };
            let closing = &mut self.closing;
            let closing = async {
                // The value that was waited for keeps the channel locked; it is let go here.
                let _ = closing.wait_for(|closing| *closing).await;
            };
            tokio::select! {
                biased;
                () = closing => return None,
                now = self.again.tick() => {
                    let over = self.ends.is_some_and(|ends| ends <= now);
                    if over || self.viewer.still().await.is_err() {
                        return None;
                    }
                }
                _ = self.look.tick() => self.look().await.ok()?,
                batch = batch => self.pass_on(batch).await.ok()?,
            }
        }
    }

    /// Says what changed in the overview and the nodes.
    async fn look(&mut self) -> Result<(), ApiError> {
        let seen = self.viewer.seen(&*self.app.backend).await?;
        let sees_nodes = self.viewer.may(&Right::nodes()).await?;
        let (now, backend) = (Instant::now(), &*self.app.backend);
        let key = (seen, sees_nodes);
        let overview = self.app.overview.get(&key, now, || reads::told(backend, &key.0, sees_nodes));
        if self.overview.as_ref().is_none_or(|said| !said.says_the_same(&overview)) {
            self.say(Event::default(), "overview", &*overview);
            self.overview = Some(overview);
        }
        let nodes = if sees_nodes { self.app.nodes.get(&(), now, || self.app.backend.nodes()) } else { Arc::default() };
        if self.nodes.as_ref().is_none_or(|said| said.version != nodes.version) {
            let change = difference(self.nodes.as_deref(), &nodes);
            self.say(Event::default(), "nodes", &change);
            self.nodes = Some(nodes);
        }
        Ok(())
    }

    async fn pass_on(&mut self, batch: Batch) -> Result<(), ApiError> {
        self.next_batch = Instant::now() + BATCH_EVERY;
        match batch {
            Batch::Reset(seq) => self.say(numbered(seq), "reset", &Reset { seq }),
            Batch::Changes(changes) => {
                for (seq, change) in self.shown(changes).await? {
                    match change {
                        Change::Decision(decision) => self.say(numbered(seq), "decision", &*decision),
                        Change::Outcome(outcome) => self.say(numbered(seq), "outcome", &outcome),
                        Change::Effect(effect) => self.say(numbered(seq), "effect", &effect),
                    }
                }
            }
        }
        Ok(())
    }

    /// Those of some changes that the reader may see.
    async fn shown(&self, changes: Vec<(u64, Change)>) -> Result<Vec<(u64, Change)>, ApiError> {
        if self.viewer.caller().is_none() {
            return Ok(changes);
        }
        self.learn(&changes).await?;
        let mut shown = Vec::with_capacity(changes.len());
        for (seq, change) in changes {
            let change = match change {
                Change::Decision(decision) => {
                    let decision = self.viewer.shown(Arc::unwrap_or_clone(decision)).await?;
                    decision.map(|decision| Change::Decision(Arc::new(decision)))
                }
                Change::Outcome(OutcomeChange { id, .. }) | Change::Effect(EffectChange { id, .. }) => {
                    // What nobody knows the subject of is told to nobody.
                    let Some(subject) = self.app.subjects.0.get(&id, Instant::now()) else { continue };
                    self.viewer.sees(&subject).await?.then_some(change)
                }
            };
            shown.extend(change.map(|change| (seq, change)));
        }
        Ok(shown)
    }

    /// Finds out what the decisions of some changes are about.
    async fn learn(&self, changes: &[(u64, Change)]) -> Result<(), ApiError> {
        let (now, subjects) = (Instant::now(), &self.app.subjects.0);
        let mut unknown = Vec::new();
        for (_, change) in changes {
            match change {
                Change::Decision(decision) => subjects.put(decision.id, decision.subject.clone(), now, SUBJECTS_FOR),
                Change::Outcome(OutcomeChange { id, .. }) | Change::Effect(EffectChange { id, .. }) => {
                    unknown.extend(subjects.get(id, now).is_none().then_some(*id));
                }
            }
        }
        if !unknown.is_empty() {
            for decision in self.app.backend.decisions_by_ids(&unknown).await? {
                subjects.put(decision.id, decision.subject, now, SUBJECTS_FOR);
            }
        }
        Ok(())
    }

    fn say(&mut self, event: Event, name: &str, data: &impl Serialize) {
        match event.event(name).json_data(data) {
            Ok(event) => self.ready.push_back(event),
            Err(error) => tracing::error!(%error, name, "an event cannot be written as JSON and is left out"),
        }
    }
}

fn numbered(seq: u64) -> Event {
    Event::default().id(seq.to_string())
}

/// What to tell a page that knows `before`.
fn difference(before: Option<&Nodes>, now: &Nodes) -> NodesChange {
    let known: BTreeMap<&str, &NodeView> =
        before.iter().flat_map(|before| &before.nodes).map(|node| (node.name.as_str(), node)).collect();
    let present: BTreeMap<&str, &NodeView> = now.nodes.iter().map(|node| (node.name.as_str(), node)).collect();
    let nodes = now.nodes.iter().filter(|node| known.get(node.name.as_str()) != Some(node)).cloned().collect();
    let removed = known.keys().filter(|name| !present.contains_key(*name)).map(|name| (*name).to_owned()).collect();
    NodesChange { version: now.version, full: before.is_none(), nodes, removed }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::view::Tightest;

    fn nodes() -> impl Strategy<Value = Nodes> {
        let some = prop::collection::btree_map("[a-e]", 0..3_u32, 0..5);
        some.prop_map(|some| Nodes {
            nodes: some.into_iter().map(|(name, pods)| node(name, pods)).collect(),
            version: 1,
        })
    }

    fn node(name: String, pods: u32) -> NodeView {
        let (zone, instance_type, tightest) =
            (String::new(), String::new(), Tightest { name: String::new(), permille: 0 });
        let (spot, ready, cordoned, resources) = (false, true, false, vec![]);
        NodeView { name, zone, instance_type, spot, ready, cordoned, pods, resources, tightest }
    }

    proptest! {
        #[test]
        fn a_page_that_puts_differences_together_has_the_nodes(states in prop::collection::vec(nodes(), 1..6)) {
            let mut page = BTreeMap::new();
            let mut before = None;
            for now in &states {
                let change = difference(before, now);
                if change.full {
                    page.clear();
                }
                for name in &change.removed {
                    prop_assert!(page.remove(name).is_some(), "only what was there is removed");
                }
                for node in change.nodes {
                    let replaced = page.insert(node.name.clone(), node.clone());
                    prop_assert!(replaced != Some(node), "only what differs is sent");
                }
                prop_assert!(page.values().eq(now.nodes.iter()));
                before = Some(now);
            }
        }
    }
}
