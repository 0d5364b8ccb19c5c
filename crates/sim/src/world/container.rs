//! One container of a simulated pod, from waiting to its end.
//!
//! Its state lives in the pod's status and nowhere else, so that a kubelet that starts late, or takes over a cluster
//! from a dump, goes on where the last one stopped.

use keelson_core::{Span, Timestamp};

use super::read::{at, int, stamp, text, time, yes};
use crate::tree::{Value, json};

/// The delay before the second restart; it doubles up to [`LONGEST_BACK_OFF`].
const FIRST_BACK_OFF: Span = Span::seconds(10);
/// The longest delay between restarts.
const LONGEST_BACK_OFF: Span = Span::seconds(300);
/// A run this long forgives the restarts before it.
const FORGIVEN_AFTER: Span = Span::seconds(600);

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not yet, or not again; the reason is the kubelet's.
    Waiting(&'static str),
    /// Running since a moment.
    Running(Timestamp),
    /// Ended.
    Ended(End),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When it had started.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// Its exit code.
    pub code: i64,
    /// `Completed`, `Error` or `OOMKilled`.
    pub reason: String,
}

/// A container with its past.
#[derive(Debug, Clone)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// The image it runs.
    pub image: String,
    /// What it is doing.
    pub state: State,
    /// How its last run ended, when it runs or waits again.
    pub last: Option<End>,
    /// How often it was started again.
    pub restarts: i64,
    /// Whether its startup probe has passed.
    pub started: bool,
    /// Whether it takes traffic.
    pub ready: bool,
    /// What the kubelet gave it, as `resources`.
    pub resources: Value,
}

impl Container {
    /// Joins what the spec wants with what the status has.
    #[must_use]
    pub fn read(spec: &Value, status: Option<&Value>) -> Self {
        let none = Value::Null;
        let known = status.unwrap_or(&none);
        let state = at(known, "state").unwrap_or(&none);
        let state = if let Some(since) = time(state, "running.startedAt") {
            State::Running(since)
        } else if let Some(end) = read_end(state) {
            State::Ended(end)
        } else {
            State::Waiting(if text(state, "waiting.reason") == CRASH_LOOP { CRASH_LOOP } else { CREATING })
        };
        let given = at(known, "resources").or_else(|| at(spec, "resources"));
        Self {
            name: text(spec, "name").to_owned(),
            image: text(spec, "image").to_owned(),
            state,
            last: at(known, "lastState").and_then(read_end),
            restarts: int(known, "restartCount").unwrap_or(0),
            started: yes(known, "started"),
            ready: yes(known, "ready"),
            resources: given.cloned().unwrap_or_else(|| json!({})),
        }
    }

    /// Starts it; again when it had ended.
    pub fn start(&mut self, now: Timestamp) {
        if let State::Ended(end) = &self.state {
            self.last = Some(end.clone());
        }
        self.restarts += i64::from(self.last.is_some());
        self.state = State::Running(now);
        (self.started, self.ready) = (false, false);
    }

    /// Ends it, if it runs.
    pub fn end(&mut self, until: Timestamp, code: i64, reason: &str) {
        if let State::Running(from) = self.state {
            let until = until.max(from);
            self.state = State::Ended(End { from, until, code, reason: reason.to_owned() });
        }
        (self.started, self.ready) = (false, false);
    }

    /// When an ended container may start again: at once the first time, then 10 s, 20 s, up to 5 min.
    #[must_use]
    pub fn restarts_at(&self, end: &End) -> Timestamp {
        let exponent = u32::try_from(self.restarts.clamp(0, 20)).unwrap_or(0);
        if exponent == 0 || end.until.since(end.from) >= FORGIVEN_AFTER {
            return end.until;
        }
        let delay = Span(FIRST_BACK_OFF.0.saturating_mul(1 << (exponent - 1)));
        end.until + delay.min(LONGEST_BACK_OFF)
    }

    /// The last end: of this run, or of the one before.
    #[must_use]
    pub fn ended(&self) -> Option<&End> {
        match &self.state {
            State::Ended(end) => Some(end),
            _ => self.last.as_ref(),
        }
    }

    /// As `status.containerStatuses` holds it; `pod` is the pod's uid.
    #[must_use]
    pub fn write(&self, pod: &str) -> Value {
        let id = format!("sim://{pod}/{}/{}", self.name, self.restarts);
        let ran = !matches!(self.state, State::Waiting(_)) || self.last.is_some();
        let state = match &self.state {
            State::Waiting(reason) => json!({"waiting": {"reason": reason}}),
            State::Running(since) => json!({"running": {"startedAt": stamp(*since)}}),
            State::Ended(end) => json!({"terminated": write_end(end, &id)}),
        };
        let last = self.last.as_ref().map_or_else(
            || json!({}),
            |end| json!({"terminated": write_end(end, &format!("sim://{pod}/{}/{}", self.name, self.restarts - 1))}),
        );
        let mut status = json!({
            "name": self.name, "image": self.image, "imageID": if ran { self.image.as_str() } else { "" },
            "ready": self.ready, "started": self.started, "restartCount": self.restarts,
            "state": state, "lastState": last, "resources": self.resources,
        });
        if let Some(fields) = status.as_object_mut() {
            if ran {
                fields.insert("containerID".to_owned(), Value::from(id));
            }
            if let Some(requests) = self.resources.get("requests") {
                fields.insert("allocatedResources".to_owned(), requests.clone());
            }
        }
        status
    }
}

/// The reason of a container that has not run yet.
pub const CREATING: &str = "ContainerCreating";
/// The reason of a container that waits for init containers.
pub const INITIALIZING: &str = "PodInitializing";
/// The reason of a container that waits to be started again.
pub const CRASH_LOOP: &str = "CrashLoopBackOff";

fn read_end(state: &Value) -> Option<End> {
    let end = at(state, "terminated")?;
    Some(End {
        from: time(end, "startedAt").unwrap_or_default(),
        until: time(end, "finishedAt")?,
        code: int(end, "exitCode").unwrap_or(0),
        reason: text(end, "reason").to_owned(),
    })
}

fn write_end(end: &End, id: &str) -> Value {
    json!({
        "exitCode": end.code, "reason": end.reason, "startedAt": stamp(end.from), "finishedAt": stamp(end.until),
        "containerID": id,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn restarts_back_off_to_five_minutes_and_a_long_run_forgives() {
        let mut container = Container::read(&json!({"name": "c", "image": "i"}), None);
        let mut now = Timestamp(0);
        let mut delays = Vec::new();
        for _ in 0..8 {
            container.start(now);
            now = now + Span::seconds(1);
            container.end(now, 1, "Error");
            let State::Ended(end) = container.state.clone() else { return };
            let at = container.restarts_at(&end);
            delays.push((at - now).0 / 1_000_000);
            now = at;
        }
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
        container.start(now);
        container.end(now + Span::seconds(700), 1, "Error");
        let State::Ended(end) = container.state.clone() else { return };
        assert_eq!(container.restarts_at(&end), end.until);
    }

    #[test]
    fn a_container_reads_back_what_it_wrote() {
        let spec = json!({"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}});
        let mut container = Container::read(&spec, None);
        container.start(Timestamp(5_000_000));
        container.end(Timestamp(9_000_000), 3, "Error");
        container.start(Timestamp(10_000_000));
        let written = container.write("u");
        assert_eq!(Container::read(&spec, Some(&written)).write("u"), written);
        assert_eq!(written["restartCount"], 1);
        assert_eq!(written["lastState"]["terminated"]["exitCode"], 3);
    }
}
