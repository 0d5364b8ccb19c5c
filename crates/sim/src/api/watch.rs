//! Watches: every change after a number, as it concerns one client.
//!
//! A watch remembers only how far it has read. What it sees next is computed when its face asks, from the history, so a
//! slow reader costs nothing until the history forgets what it has not read; then it is told 410 and must list again.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use keelson_core::{Span, Timestamp};

use super::{
    Api,
    list::parse_version,
    render::{Form, Render},
    request::Call,
    select::Filter,
    status::{Cause, Failure},
    storage::{Change, Object},
};
use crate::tree::{Value, json};

/// Names an open watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(u64);

/// An open watch.
#[derive(Debug)]
pub struct WatchPlan {
    /// What to ask [`Api::watch_next`] with.
    pub id: WatchId,
    /// The answer's content type.
    pub content_type: String,
}

/// What a watch sees next.
#[derive(Debug, Default)]
pub struct Frames {
    /// Each one event, ended by a newline.
    pub frames: Vec<Bytes>,
    /// No more will come.
    pub ended: bool,
    /// When to look again even if nothing is written: a bookmark or the end is due.
    pub due: Option<Timestamp>,
}

/// Upstream sends a bookmark about once a minute.
const BOOKMARK: Span = Span::minutes(1);

#[derive(Debug)]
pub(crate) struct Watch {
    render: Render,
    namespace: String,
    filter: Filter,
    cursor: u64,
    /// State to send first, and whether a bookmark ends it.
    initial: Option<(Vec<Arc<Object>>, bool)>,
    bookmark_at: Option<Timestamp>,
    ends: Option<Timestamp>,
    columns_sent: bool,
}

impl Api {
    pub(super) fn watch(&mut self, call: &Call, render: Render) -> Result<WatchPlan, Failure> {
        let query = &call.query;
        let mut filter = Filter::of(&call.kind, call.version, query)?;
        if !call.name.is_empty() {
            filter.name = Some(call.name.clone());
        }
        let wanted = parse_version(query.text("resourceVersion")).map_err(|refusal| {
            // A list says that the request is bad; a watch has begun by the time it looks.
            let why = refusal.message.trim_start_matches("invalid resource version: ");
            Failure::new(500, "", why)
        })?;
        let current = self.store.rv();
        let bookmarks = query.flag("allowWatchBookmarks");
        let stream_list = query.flag("sendInitialEvents");
        if stream_list && query.text("resourceVersionMatch") != "NotOlderThan" {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            return Err(Failure::invalid_options("ListOptions", &Cause::forbidden("resourceVersionMatch", why)));
        }
        let from_state = stream_list || (wanted == 0 && query.text("sendInitialEvents") != "false");
        let mut watch = Watch {
            render,
            namespace: call.namespace.clone(),
            filter,
            cursor: if from_state || wanted == 0 { current } else { wanted },
            initial: None,
            bookmark_at: bookmarks.then(|| call.now + BOOKMARK),
            ends: query.number("timeoutSeconds").filter(|seconds| *seconds > 0).map(|s| call.now + Span::seconds(s)),
            columns_sent: false,
        };
        if from_state {
            let state = self.store.list(call.kind.storage, &call.namespace);
            let state = state.filter(|object| watch.sees(object)).cloned().collect();
            watch.initial = Some((state, stream_list && bookmarks));
        }
        self.next_watch += 1;
        let id = WatchId(self.next_watch);
        self.watches.insert(id, watch);
        let content_type = match render_form(&self.watches, id) {
            Form::Whole => "application/json",
            Form::Metadata => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            Form::Table => "application/json;as=Table;g=meta.k8s.io;v=v1",
        };
        Ok(WatchPlan { id, content_type: content_type.to_owned() })
    }

    /// What the watch sees next; nothing when nothing concerns it yet.
    pub fn watch_next(&mut self, id: WatchId, now: Timestamp) -> Frames {
        let Some(watch) = self.watches.get_mut(&id) else {
            return Frames { ended: true, ..Frames::default() };
        };
        let mut out = Frames::default();
        watch.render.now = now;
        if let Some((state, bookmark)) = watch.initial.take() {
            for object in &state {
                let frame = watch.frame("ADDED", object);
                out.frames.push(frame);
            }
            if bookmark {
                out.frames.push(watch.bookmark(true));
            }
        }
        let resource = watch.render.kind.storage;
        let current = self.store.rv();
        match self.store.changes_since(resource, watch.cursor) {
            Some(changes) => {
                for change in changes {
                    if let Some(frame) = watch.translate(change) {
                        out.frames.push(frame);
                    }
                }
                watch.cursor = current.max(watch.cursor);
            }
            None => {
                out.frames.push(expired(watch.cursor, current));
                out.ended = true;
            }
        }
        if watch.bookmark_at.is_some_and(|at| at <= now) {
            out.frames.push(watch.bookmark(false));
            watch.bookmark_at = Some(now + BOOKMARK);
        }
        if watch.ends.is_some_and(|at| at <= now) {
            out.ended = true;
        }
        out.due = watch.bookmark_at.into_iter().chain(watch.ends).min();
        if out.ended {
            self.watches.remove(&id);
        }
        out
    }

    /// The client has gone.
    pub fn watch_close(&mut self, id: WatchId) {
        self.watches.remove(&id);
    }

    /// How many watches are open.
    #[must_use]
    pub fn open_watches(&self) -> usize {
        self.watches.len()
    }
}

fn render_form(watches: &std::collections::BTreeMap<WatchId, Watch>, id: WatchId) -> Form {
    watches.get(&id).map_or(Form::Whole, |watch| watch.render.form)
}

impl Watch {
    fn sees(&self, object: &Object) -> bool {
        let (namespace, name) = object.key();
        (self.namespace.is_empty() || *namespace == self.namespace)
            && self.filter.name.as_ref().is_none_or(|wanted| *name == *wanted)
            && self.filter.matches(&object.value)
    }

    /// What a change means to someone who sees only what the filter lets through.
    fn translate(&mut self, change: &Change) -> Option<Bytes> {
        let was = change.before.as_ref().is_some_and(|before| self.sees(before));
        let is = !change.deleted && self.sees(&change.object);
        match (was, is) {
            (false, true) => Some(self.frame("ADDED", &change.object)),
            (true, true) => Some(self.frame("MODIFIED", &change.object)),
            (true, false) if change.deleted => Some(self.frame("DELETED", &change.object)),
            // It left the selection: the client gets what it last saw, under the number of the change.
            (true, false) => {
                let before = change.before.as_ref()?;
                Some(self.frame("DELETED", &before.renumbered(change.rv)))
            }
            (false, false) => None,
        }
    }

    fn frame(&mut self, kind: &str, object: &Object) -> Bytes {
        let json = self.render.object(object, !self.columns_sent);
        self.columns_sent = true;
        let mut out = BytesMut::with_capacity(json.len() + 32);
        out.put_slice(b"{\"type\":\"");
        out.put_slice(kind.as_bytes());
        out.put_slice(b"\",\"object\":");
        out.put_slice(&json);
        out.put_slice(b"}\n");
        out.freeze()
    }

    fn bookmark(&self, initial_end: bool) -> Bytes {
        let kind = &self.render.kind;
        let (api_version, name) = match self.render.form {
            Form::Whole => (kind.api_version(self.render.version), kind.kind),
            Form::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata"),
            Form::Table => ("meta.k8s.io/v1".to_owned(), "Table"),
        };
        let mut metadata = json!({"resourceVersion": self.cursor.to_string(), "creationTimestamp": null});
        if let (Some(map), true) = (metadata.as_object_mut(), initial_end) {
            map.insert("annotations", json!({"k8s.io/initial-events-end": "true"}));
        }
        let mut object = json!({"kind": name, "apiVersion": api_version, "metadata": metadata});
        if let (Some(map), true) = (object.as_object_mut(), self.render.form == Form::Table) {
            map.insert("columnDefinitions", json!([]));
            map.insert("rows", json!([]));
        }
        line(&json!({"type": "BOOKMARK", "object": object}))
    }
}

/// The ERROR event that tells a client to list again.
pub(crate) fn expired(from: u64, current: u64) -> Bytes {
    let failure = Failure::gone(format!("too old resource version: {from} ({current})"));
    line(&json!({"type": "ERROR", "object": failure.body()}))
}

fn line(value: &Value) -> Bytes {
    let mut text = value.to_string();
    text.push('\n');
    Bytes::from(text)
}
