//! Events about objects, few and useful.
//!
//! A flapping object must not flood the API server, and the same sentence need not be said twice: repeats within two
//! minutes are left out, and each object has a bucket of 25 events that refills by one in five minutes (client-go's
//! EventCorrelator).
//!
//! Promises: names never collide, even at one microsecond; memory is bounded by the objects spoken of lately.

use std::collections::BTreeMap;

use keelson_core::{ObjectRef, Span, Timestamp};
use serde_json::{Value, json};

/// Repeats within this are left out.
const REPEAT: Span = Span::minutes(2);
/// How many events an object may have at once.
const BURST: i64 = 25;
/// One more after this long.
const REFILL: Span = Span::seconds(300);
/// API limits: characters of a reason, bytes of a note.
const REASON: usize = 128;
const NOTE: usize = 1_024;

/// What is said about an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) object: &'a ObjectRef,
    pub(crate) warning: bool,
    pub(crate) reason: &'a str,
    pub(crate) action: &'a str,
    pub(crate) note: &'a str,
}

/// Who says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speaker<'a> {
    pub(crate) controller: &'a str,
    pub(crate) instance: &'a str,
}

/// What was said lately.
#[derive(Debug, Default)]
pub(crate) struct Events {
    last: BTreeMap<(ObjectRef, String), Timestamp>,
    buckets: BTreeMap<ObjectRef, Bucket>,
    count: u64,
    swept: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: i64,
    since: Timestamp,
}

/// Why an event is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silent {
    /// The same was said within two minutes.
    Repeat,
    /// The object has said too much.
    Flood,
}

impl Events {
    /// The event to write, or why none is.
    pub(crate) fn say(&mut self, said: &Said<'_>, speaker: &Speaker<'_>, now: Timestamp) -> Result<Value, Silent> {
        self.sweep(now);
        let words = format!("{}\n{}\n{}", said.reason, said.action, said.note);
        let key = (said.object.clone(), words);
        if self.last.get(&key).is_some_and(|last| now.since(*last) < REPEAT) {
            return Err(Silent::Repeat);
        }
        if !self.buckets.entry(said.object.clone()).or_insert(Bucket { tokens: BURST, since: now }).take(now) {
            return Err(Silent::Flood);
        }
        self.last.insert(key, now);
        self.count += 1;
        Ok(event(said, speaker, now, self.count))
    }

    /// Forgets what no longer matters, at most once a minute.
    fn sweep(&mut self, now: Timestamp) {
        if now.since(self.swept) < Span::minutes(1) {
            return;
        }
        self.swept = now;
        self.last.retain(|_, last| now.since(*last) < REPEAT);
        self.buckets.retain(|_, bucket| bucket.level(now) < BURST);
    }
}

impl Bucket {
    fn level(&self, now: Timestamp) -> i64 {
        (self.tokens + now.since(self.since).0 / REFILL.0).min(BURST)
    }

    fn take(&mut self, now: Timestamp) -> bool {
        let level = self.level(now);
        // What is left of the running refill period is kept.
        let part = Span(now.since(self.since).0 % REFILL.0);
        *self = Self { tokens: level, since: if level == BURST { now } else { Timestamp(now.0 - part.0) } };
        let any = level > 0;
        self.tokens -= i64::from(any);
        any
    }
}

fn event(said: &Said<'_>, speaker: &Speaker<'_>, now: Timestamp, count: u64) -> Value {
    let object = said.object;
    let namespace = if object.namespace.is_empty() { "default" } else { &object.namespace };
    // At most 253 characters in all: 16 of time, 16 of count, two dots.
    let stem: String = object.name.chars().take(218).collect();
    let time = k8s_openapi::jiff::Timestamp::from_microsecond(now.0).unwrap_or_default();
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": format!("{stem}.{:x}.{count:x}", now.0), "namespace": namespace},
        "eventTime": format!("{time:.6}"),
        "reportingController": speaker.controller,
        "reportingInstance": cut(speaker.instance, REASON),
        "action": cut(said.action, REASON),
        "reason": cut(said.reason, REASON),
        "regarding": {
            "apiVersion": api_version(object),
            "kind": object.kind,
            "namespace": object.namespace,
            "name": object.name,
            "uid": object.uid,
        },
        "note": cut(said.note, NOTE),
        "type": if said.warning { "Warning" } else { "Normal" },
    })
}

/// An [`ObjectRef`] names no version; every version of a group shows the same events.
fn api_version(object: &ObjectRef) -> String {
    match object.group.as_str() {
        "" => "v1".to_owned(),
        keelson_api::names::GROUP => format!("{}/v1alpha1", object.group),
        group => format!("{group}/v1"),
    }
}

/// The longest start that fits in `most` bytes and ends between characters.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn say(events: &mut Events, pod: &ObjectRef, note: &str, now: Timestamp) -> Result<Value, Silent> {
        let said = Said { object: pod, warning: false, reason: "Placed", action: "Binding", note };
        events.say(&said, &Speaker { controller: "keelson.dev/scheduling", instance: "a" }, now)
    }

    #[test]
    fn the_same_is_not_said_twice_in_two_minutes() {
        let (mut events, pod) = (Events::default(), ObjectRef::namespaced("Pod", "a", "b"));
        assert!(say(&mut events, &pod, "x", Timestamp(0)).is_ok());
        assert_eq!(say(&mut events, &pod, "x", Timestamp(0) + Span::seconds(119)), Err(Silent::Repeat));
        assert!(say(&mut events, &pod, "y", Timestamp(0) + Span::seconds(119)).is_ok());
        assert!(say(&mut events, &pod, "x", Timestamp(0) + Span::seconds(120)).is_ok());
    }

    #[test]
    fn an_object_that_flaps_is_silenced_and_others_are_not() {
        let (mut events, pod) = (Events::default(), ObjectRef::namespaced("Pod", "a", "b"));
        let second = |n: i64| Timestamp(0) + Span::seconds(n);
        let written = (0..1_000).filter(|n| say(&mut events, &pod, &n.to_string(), second(*n)).is_ok()).count();
        assert_eq!(written, 25 + 3, "a burst and one in five minutes");
        assert!(say(&mut events, &ObjectRef::namespaced("Pod", "a", "c"), "x", second(999)).is_ok());
    }

    #[test]
    fn names_never_collide() {
        let mut events = Events::default();
        let pod = ObjectRef::namespaced("Pod", "a", &"b".repeat(253));
        let name = |event: Value| event["metadata"]["name"].as_str().unwrap().to_owned();
        let one = name(say(&mut events, &pod, "x", Timestamp(1_800_000_000_000_000)).unwrap());
        let two = name(say(&mut events, &pod, "y", Timestamp(1_800_000_000_000_000)).unwrap());
        assert_ne!(one, two);
        assert!(one.len() <= 253, "{}", one.len());
    }

    #[test]
    fn an_event_says_what_it_is_about_as_the_api_does() {
        let about = |object: &ObjectRef, warning| {
            let said = Said { object, warning, reason: "Placed", action: "Binding", note: "x" };
            let speaker = Speaker { controller: "keelson.dev/scheduling", instance: "a" };
            let event = Events::default().say(&said, &speaker, Timestamp(0)).unwrap();
            [&event["regarding"]["apiVersion"], &event["metadata"]["namespace"], &event["type"]]
                .map(|text| text.as_str().unwrap().to_owned())
        };
        let deployment = ObjectRef::namespaced("Deployment", "shop", "web").in_group("apps");
        assert_eq!(about(&deployment, false), ["apps/v1", "shop", "Normal"]);
        let platform = ObjectRef::cluster("Platform", "default").in_group("keelson.dev");
        assert_eq!(about(&platform, true), ["keelson.dev/v1alpha1", "default", "Warning"]);
        assert_eq!(about(&ObjectRef::cluster("Node", "a"), false), ["v1", "default", "Normal"]);
    }

    #[test]
    fn what_was_said_long_ago_is_forgotten() {
        let mut events = Events::default();
        let pod = |n: i64| ObjectRef::namespaced("Pod", "a", &n.to_string());
        let at = |seconds| Timestamp(0) + Span::seconds(seconds);
        (0..100).for_each(|n| assert!(say(&mut events, &pod(n), "x", at(0)).is_ok()));
        // It is looked once a minute: now, and at 120 s.
        assert!(say(&mut events, &pod(100), "x", at(60)).is_ok());
        assert!(say(&mut events, &pod(101), "x", at(119)).is_ok());
        assert_eq!((events.last.len(), events.buckets.len()), (102, 102));
        assert!(say(&mut events, &pod(102), "x", at(120)).is_ok());
        assert_eq!((events.last.len(), events.buckets.len()), (3, 103), "a bucket is kept until it is full");
        assert!(say(&mut events, &pod(103), "x", at(300)).is_ok());
        assert_eq!((events.last.len(), events.buckets.len()), (1, 4));
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(cut("ää", 3), "ä");
        let note = "ä".repeat(1_000);
        let event = say(&mut Events::default(), &ObjectRef::cluster("Node", "a"), &note, Timestamp(0)).unwrap();
        assert_eq!(event["note"].as_str().unwrap().len(), 1_024);
        assert_eq!(event["metadata"]["namespace"], "default");
    }
}
