//! Where a component works: what it has seen, what it may change, what it wants to look at again.
//!
//! Writes go through [`Desk::write`], which enters the outcome at once, so that the next component of the same moment
//! already counts it (a scheduler must not give away a place twice because its own binding has not come back yet).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keelson_core::{Span, Timestamp};

use super::agenda::{Agenda, Role, Task};
use super::autoscale::{Recommended, Scaled};
use super::chance::Chance;
use super::kinds::EVENTS;
use super::neighbours::Assumed;
use super::nodes::Host;
use super::read::{Key, name, namespace, stamp, text, uid};
use super::script::Deed;
use super::seen::Seen;
use super::traffic::Day;
use super::{Settings, standin};
use crate::objects::{Cluster, Event, Refusal, Resource, Write};
use crate::tree::{Value, json};

/// What an event says: uid of its subject, reason, message.
pub type Tag = (String, String, String);

/// What one look came to.
pub type Looked = Result<(), Refusal>;

/// Everything that lasts from one look to the next.
#[derive(Debug)]
pub struct State {
    /// What was decided for the run.
    pub settings: Settings,
    /// The run's chance.
    pub chance: Chance,
    /// The cluster as seen.
    pub seen: Seen,
    /// What is to be done.
    pub agenda: Agenda,
    /// The machines behind the nodes.
    pub hosts: BTreeMap<String, Host>,
    /// How many machines there have ever been.
    pub machines: usize,
    /// Pods that did not fit, and how often.
    pub unplaced: BTreeMap<Key, standin::Unplaced>,
    /// Pods that wait for volumes, with the node that keeps a place for them.
    pub assumed: Assumed,
    /// Events by subject, reason and message, to count repetitions.
    pub told: BTreeMap<Tag, Key>,
    /// What each of those events says, to forget it with the event.
    pub tags: BTreeMap<Key, Tag>,
    /// How many events were recorded.
    pub told_count: u64,
    /// Spot nodes with a notice.
    pub reclaimed: BTreeSet<String>,
    /// How often machines failed, by how.
    pub fired: BTreeMap<&'static str, u64>,
    /// How many machines [`super::deaths`] has chosen.
    pub deaths: u64,
    /// What a script does.
    pub deeds: Vec<(Deed, Option<Span>)>,
    /// Workloads that follow the traffic.
    pub scaled: Vec<Scaled>,
    /// The traffic.
    pub day: Option<Day>,
    /// What the stand-in autoscaler recommended lately.
    pub recommended: BTreeMap<Key, Recommended>,
}

/// A component's place at one moment.
pub struct Desk<'a> {
    /// What lasts.
    pub state: &'a mut State,
    /// The API.
    pub cluster: &'a mut dyn Cluster,
    /// The moment.
    pub now: Timestamp,
}

/// How long events are kept.
const EVENT_TTL: Span = Span::hours(1);

impl Desk<'_> {
    /// An object as it is now.
    #[must_use]
    pub fn get(&self, resource: Resource, key: &Key) -> Option<Arc<Value>> {
        self.state.seen.get(resource, key)
    }

    /// Asks for a look soon: after the moment a controller needs to notice.
    pub fn soon(&mut self, role: Role, key: Key) {
        let moment = format!("{role:?}/{}/{}/{}", key.namespace, key.name, self.now.0);
        let delay = self.state.chance.span("reaction", &moment, Span::millis(1), self.state.settings.reaction);
        self.at(self.now + delay, role, key);
    }

    /// Asks for a look at a moment.
    pub fn at(&mut self, when: Timestamp, role: Role, key: Key) {
        self.state.agenda.at(when, Task { role, key });
    }

    /// Writes, and enters the outcome.
    ///
    /// # Errors
    /// What the API says.
    pub fn write(&mut self, write: Write<Value>) -> Result<Arc<Value>, Refusal> {
        let (resource, target) = target(&write);
        let object = self.cluster.change(write)?;
        let key = target.unwrap_or_else(|| Key::of(&object));
        let seen = &mut self.state.seen;
        match self.cluster.find(resource, &key.namespace, &key.name) {
            Some(stored) => seen.enter(resource, &stored, false),
            None => {
                if let Some(known) = seen.get(resource, &key) {
                    seen.enter(resource, &known, true);
                }
            }
        }
        Ok(object)
    }

    /// Replaces fields of an object's status, if it is still the version that was looked at.
    ///
    /// # Errors
    /// What the API says.
    pub fn write_status(&mut self, resource: Resource, object: &Value, status: Value) -> Result<Arc<Value>, Refusal> {
        let patch =
            json!({"metadata": {"resourceVersion": text(object, "metadata.resourceVersion")}, "status": status});
        self.merge(resource, object, "status", patch)
    }

    /// Merges a patch into an object or its subresource.
    ///
    /// # Errors
    /// What the API says.
    pub fn merge(
        &mut self,
        resource: Resource,
        object: &Value,
        subresource: &'static str,
        patch: Value,
    ) -> Result<Arc<Value>, Refusal> {
        let (namespace, name) = (namespace(object).to_owned(), name(object).to_owned());
        self.write(Write::Merge { resource, namespace, name, subresource, patch })
    }

    /// Deletes an object; one that is gone already is no failure.
    ///
    /// # Errors
    /// What the API says.
    pub fn delete(&mut self, resource: Resource, object: &Value, grace_seconds: Option<i64>) -> Looked {
        let (namespace, name) = (namespace(object).to_owned(), name(object).to_owned());
        let deletion = Write::Delete { resource, namespace, name, uid: Some(uid(object).to_owned()), grace_seconds };
        match self.write(deletion) {
            Err(refusal) if refusal.code != 404 => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Records an event about an object, once and then by counting. Events are best effort, as in Kubernetes: one that
    /// is refused is dropped.
    pub fn tell(&mut self, subject: &Value, kind: &str, note: Note<'_>) {
        if !self.state.settings.events {
            return;
        }
        let tag = (uid(subject).to_owned(), note.reason.to_owned(), note.message.to_owned());
        if let Some(key) = self.state.told.get(&tag).cloned()
            && let Some(event) = self.cluster.find(EVENTS, &key.namespace, &key.name)
        {
            let count = super::read::int(&event, "count").unwrap_or(1) + 1;
            let patch = json!({"count": count, "lastTimestamp": stamp(self.now)});
            let (namespace, name) = (key.namespace.to_string(), key.name.to_string());
            let again = Write::Merge { resource: EVENTS, namespace, name, subresource: "", patch };
            self.cluster.change(again).ok();
            return;
        }
        self.state.told_count += 1;
        let namespace = match namespace(subject) {
            "" => "default",
            namespace => namespace,
        };
        let key = Key::new(namespace, format!("{}.{:016x}", name(subject), self.state.told_count));
        let about = json!({"kind": kind, "namespace": super::read::namespace(subject), "name": name(subject),
            "uid": uid(subject), "apiVersion": text(subject, "apiVersion")});
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": key.namespace, "name": key.name},
            "involvedObject": about, "type": note.level, "reason": note.reason, "message": note.message, "count": 1,
            "firstTimestamp": stamp(self.now), "lastTimestamp": stamp(self.now),
            "source": {"component": note.by}, "reportingComponent": note.by, "reportingInstance": "",
        });
        if self.cluster.change(Write::Create(EVENTS, event)).is_ok() {
            self.state.tags.insert(key.clone(), tag.clone());
            self.state.told.insert(tag, key);
        }
    }

    /// Sees to it that an event goes after its hour, whoever recorded it.
    pub fn keep_for_an_hour(&mut self, event: &Event) {
        if event.before.is_none() && !event.deleted {
            self.at(self.now + EVENT_TTL, Role::EventExpiry, Key::of(&event.object));
        }
    }

    /// Removes an event whose hour is over.
    ///
    /// # Errors
    /// What the API says.
    pub fn expire(&mut self, key: &Key) -> Looked {
        if let Some(tag) = self.state.tags.remove(key) {
            self.state.told.remove(&tag);
        }
        let (namespace, name) = (key.namespace.to_string(), key.name.to_string());
        let deletion = Write::Delete { resource: EVENTS, namespace, name, uid: None, grace_seconds: Some(0) };
        match self.cluster.change(deletion) {
            Err(refusal) if refusal.code != 404 => Err(refusal),
            _ => Ok(()),
        }
    }
}

/// What an event says.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// `Normal` or `Warning`.
    pub level: &'a str,
    /// CamelCase.
    pub reason: &'a str,
    /// A sentence.
    pub message: &'a str,
    /// Who says so.
    pub by: &'a str,
}

fn target(write: &Write<Value>) -> (Resource, Option<Key>) {
    match write {
        Write::Create(resource, _) => (*resource, None),
        Write::ReplaceStatus(resource, object) => (*resource, Some(Key::of(object))),
        Write::Merge { resource, namespace, name, .. } | Write::Delete { resource, namespace, name, .. } => {
            (*resource, Some(Key::new(namespace, name)))
        }
        Write::Bind { namespace, name, .. } => (super::kinds::PODS, Some(Key::new(namespace, name))),
    }
}
