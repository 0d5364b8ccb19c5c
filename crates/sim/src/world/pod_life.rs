//! The life of an admitted pod on its node: images, init containers, containers, restarts, readiness, the end.
//!
//! [`step`] looks at the pod as it is and says what its status should be now and when to look again. It reads no clock
//! and keeps nothing: looking early, twice or late gives the same life.
//!
//! What containers do is chance from the seed, unless annotations of the pod say it: [`RUN_SECONDS`], [`EXIT_CODE`],
//! [`READY_SECONDS`].

use std::collections::BTreeSet;

use keelson_core::{ResourceName, Span, Timestamp};

use super::chance::Chance;
use super::container::{CRASH_LOOP, CREATING, Container, INITIALIZING, State};
use super::demand::{is_finished, is_sidecar};
use super::read::{
    Wanted, amounts, annotation, at, controller, holds, int, is_leaving, list, put_condition, quantity, stamp, text,
    time, uid,
};
use crate::tree::{Value, json};

/// Annotation: the containers end after this many seconds. Without it, those of a Job end by chance, others never.
pub const RUN_SECONDS: &str = "sim.keelson.dev/run-seconds";
/// Annotation: with this exit code (default 0). Without [`RUN_SECONDS`], two seconds after each start.
pub const EXIT_CODE: &str = "sim.keelson.dev/exit-code";
/// Annotation: containers are ready this many seconds after their start; `never` for never.
pub const READY_SECONDS: &str = "sim.keelson.dev/ready-seconds";

/// Annotation: how much memory the pod uses once it runs; more than a container's limit kills it after ten seconds,
/// more than the node has makes the kubelet evict.
pub const MEMORY: &str = "sim.keelson.dev/memory";
/// The exit code of a container killed by a signal it cannot refuse.
const KILLED: i64 = 137;

/// What a pod's life depends on outside the pod.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Chance of this run.
    pub chance: Chance,
    /// Images the node has.
    pub images: &'a BTreeSet<String>,
    /// Whether every volume of the pod is there.
    pub volumes_ready: bool,
    /// The node's address.
    pub host_ip: &'a str,
    /// The address the pod gets.
    pub pod_ip: &'a str,
    /// About how long containers of a Job run.
    pub job_run: Span,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// The new status, when it is another than the pod has.
    pub status: Option<Value>,
    /// When to look again, should nothing else happen.
    pub next: Option<Timestamp>,
    /// Whether nothing of the pod runs any more and its object may go.
    pub gone: bool,
}

/// Looks at an admitted pod.
#[must_use]
pub fn step(pod: &Value, around: &Surroundings<'_>, now: Timestamp) -> Step {
    if is_finished(pod) {
        return Step { gone: is_leaving(pod), ..Step::default() };
    }
    let mut life = Life::read(pod, around, now);
    let gone = if is_leaving(pod) { life.stop() } else { life.go_on() };
    let status = life.status(gone);
    let changed = at(pod, "status") != Some(&status);
    Step { status: changed.then_some(status), next: life.next, gone }
}

/// The status of a pod that its kubelet ends: failed, for a reason.
#[must_use]
pub fn fail(pod: &Value, around: &Surroundings<'_>, reason: &'static str, message: &str, now: Timestamp) -> Value {
    let mut life = Life::read(pod, around, now);
    life.failed = Some(reason);
    life.end_all(KILLED, "Error");
    let mut status = life.status(false);
    if let Some(fields) = status.as_object_mut() {
        fields.insert("message".to_owned(), Value::from(message));
    }
    status
}

/// When a pod that was admitted at `since` has its images, and which it fetches. They are fetched one after another.
#[must_use]
pub fn images_at(pod: &Value, around: &Surroundings<'_>, since: Timestamp) -> (Timestamp, BTreeSet<String>) {
    let containers = list(pod, "spec.initContainers").iter().chain(list(pod, "spec.containers"));
    let images: BTreeSet<String> = containers.map(|container| text(container, "image").to_owned()).collect();
    let missing = images.into_iter().filter(|image| !around.images.contains(image)).collect::<BTreeSet<_>>();
    let at = missing.iter().fold(since, |at, image| at + pull_time(image, around.chance));
    (at, missing)
}

/// Five size classes from 0.8 s to 25 s; an image has the same on every node.
fn pull_time(image: &str, chance: Chance) -> Span {
    let millis = match chance.below("image size", image, 10) {
        0..=2 => 800,
        3..=5 => 2_500,
        6..=7 => 6_000,
        8 => 12_000,
        _ => 25_000,
    };
    Span::millis(millis)
}

struct Life<'a> {
    pod: &'a Value,
    around: &'a Surroundings<'a>,
    now: Timestamp,
    init: Vec<Container>,
    apps: Vec<Container>,
    initialized: bool,
    failed: Option<&'static str>,
    next: Option<Timestamp>,
}

impl<'a> Life<'a> {
    fn read(pod: &'a Value, around: &'a Surroundings<'a>, now: Timestamp) -> Self {
        let read = |specs: &str, statuses: &str| -> Vec<Container> {
            let statuses = list(pod, statuses);
            let status = |spec| statuses.iter().find(|status| text(status, "name") == text(spec, "name"));
            list(pod, specs).iter().map(|spec| Container::read(spec, status(spec))).collect()
        };
        Self {
            pod,
            around,
            now,
            init: read("spec.initContainers", "status.initContainerStatuses"),
            apps: read("spec.containers", "status.containerStatuses"),
            initialized: holds(pod, "Initialized"),
            failed: None,
            next: None,
        }
    }

    /// Asks to be looked at again.
    fn look_at(&mut self, when: Timestamp) {
        self.next = Some(self.next.map_or(when, |next| next.min(when)));
    }

    /// One look at a pod that should run. It never ends the pod's object.
    fn go_on(&mut self) -> bool {
        let admitted = time(self.pod, "status.startTime").unwrap_or(self.now);
        if let Some(limit) = int(self.pod, "spec.activeDeadlineSeconds") {
            let deadline = admitted + Span::seconds(limit);
            if deadline <= self.now {
                self.failed = Some("DeadlineExceeded");
                self.end_all(143, "Error");
                return false;
            }
            self.look_at(deadline);
        }
        let (images_at, missing) = images_at(self.pod, self.around, admitted);
        let ran = self.init.iter().chain(&self.apps).any(|container| container.state != State::Waiting(CREATING));
        if !ran && !self.around.volumes_ready {
            return false; // The claim's change brings the next look.
        }
        if !ran && !missing.is_empty() && images_at > self.now {
            self.look_at(images_at);
            return false;
        }
        if self.run_init() {
            self.initialized = true;
            self.run_apps();
        }
        false
    }

    /// Runs init containers as far as they come; says whether all are through.
    fn run_init(&mut self) -> bool {
        let sidecars: Vec<bool> = list(self.pod, "spec.initContainers").iter().map(is_sidecar).collect();
        let retried = self.restart_policy() != "Never";
        for index in 0..self.init.len() {
            let sidecar = sidecars.get(index).copied().unwrap_or(false);
            let Some(mut container) = self.init.get(index).cloned() else { continue };
            let through = if sidecar {
                self.keep_running(&mut container, true);
                self.probe(&mut container);
                container.started
            } else {
                self.run_once(&mut container, retried)
            };
            if let Some(slot) = self.init.get_mut(index) {
                *slot = container;
            }
            if !through {
                return false;
            }
        }
        true
    }

    fn run_once(&mut self, container: &mut Container, retried: bool) -> bool {
        if self.initialized {
            return true;
        }
        if let State::Waiting(_) = container.state {
            container.start(self.now);
        }
        if let State::Running(since) = container.state {
            let key = format!("{}/{}", uid(self.pod), container.name);
            let until = since + self.around.chance.span("init run", &key, Span::seconds(1), Span::seconds(4));
            if until > self.now {
                self.look_at(until);
                return false;
            }
            container.end(until, 0, "Completed");
            container.ready = true;
        }
        let State::Ended(end) = container.state.clone() else { return false };
        if end.code != 0 {
            if retried {
                self.keep_running(container, true);
            } else {
                self.failed = Some("");
            }
        }
        end.code == 0
    }

    fn run_apps(&mut self) {
        let policy = self.restart_policy().to_owned();
        for index in 0..self.apps.len() {
            let Some(mut container) = self.apps.get(index).cloned() else { continue };
            if let Some((run, code, reason)) = self.runs_for(&container)
                && let State::Running(since) = container.state
            {
                let until = since + run;
                if until <= self.now {
                    container.end(until, code, reason);
                } else {
                    self.look_at(until);
                }
            }
            let again =
                policy == "Always" || policy == "OnFailure" && container.ended().is_none_or(|end| end.code != 0);
            self.keep_running(&mut container, again);
            self.probe(&mut container);
            if let (State::Running(since), Some((run, ..))) = (&container.state, self.runs_for(&container)) {
                self.look_at(*since + run);
            }
            if let Some(slot) = self.apps.get_mut(index) {
                *slot = container;
            }
        }
        if self.is_over() {
            let now = self.now;
            self.init.iter_mut().for_each(|sidecar| sidecar.end(now, 0, "Completed"));
        }
    }

    /// Starts a container that should run and does not, when its back-off allows.
    fn keep_running(&mut self, container: &mut Container, again: bool) {
        match (&container.state, &container.last) {
            (State::Waiting(_), None) => container.start(self.now),
            (State::Ended(end), _) | (State::Waiting(_), Some(end)) if again => {
                let when = container.restarts_at(end);
                if when <= self.now {
                    container.start(self.now);
                } else {
                    container.last = Some(end.clone());
                    container.state = State::Waiting(CRASH_LOOP);
                    self.look_at(when);
                }
            }
            _ => {}
        }
    }

    /// Whether a running container has started and is ready.
    fn probe(&mut self, container: &mut Container) {
        let State::Running(since) = container.state else { return };
        if container.started && container.ready {
            return;
        }
        let Some(delay) = self.ready_after(container) else {
            container.started = true;
            return;
        };
        let (_, spec) = self.spec(&container.name);
        let has_startup = spec.is_some_and(|spec| at(spec, "startupProbe").is_some());
        let ready = since + delay <= self.now;
        container.started |= ready || !has_startup;
        container.ready |= ready;
        if !ready {
            self.look_at(since + delay);
        }
    }

    fn spec(&self, name: &str) -> (bool, Option<&'a Value>) {
        let named = |list: &'a [Value]| list.iter().find(|spec| text(spec, "name") == name);
        match named(list(self.pod, "spec.containers")) {
            Some(spec) => (false, Some(spec)),
            None => (true, named(list(self.pod, "spec.initContainers"))),
        }
    }

    /// How long after its start a container is ready; none for never.
    fn ready_after(&self, container: &Container) -> Option<Span> {
        let (init, spec) = self.spec(&container.name);
        if let Some(said) = annotation(self.pod, READY_SECONDS)
            && !init
        {
            return said.parse().ok().map(Span::seconds);
        }
        let probes = ["startupProbe", "readinessProbe"].map(|probe| spec.and_then(|spec| at(spec, probe)));
        let mut probes = probes.into_iter().flatten().peekable();
        if probes.peek().is_none() {
            return Some(Span::ZERO);
        }
        let delay: i64 = probes.map(|probe| int(probe, "initialDelaySeconds").unwrap_or(0)).sum();
        let key = format!("{}/{}", uid(self.pod), container.name);
        let warm = self.around.chance.span("warm-up", &key, Span::seconds(1), Span::seconds(5));
        Some(Span(Span::seconds(delay).0.saturating_add(warm.0)))
    }

    /// How long a container runs and how it ends; none for for ever.
    fn runs_for(&self, container: &Container) -> Option<(Span, i64, &'static str)> {
        if self.is_too_big(container) {
            return Some((Span::seconds(10), KILLED, "OOMKilled"));
        }
        let said = annotation(self.pod, RUN_SECONDS).and_then(|said| said.parse().ok()).map(Span::seconds);
        let code = annotation(self.pod, EXIT_CODE).and_then(|said| said.parse().ok());
        let of_job = controller(self.pod).is_some_and(|owner| text(owner, "kind") == "Job");
        let by_chance = || {
            let key = format!("{}/{}", uid(self.pod), container.name);
            let (half, twice) = (Span(self.around.job_run.0 / 2), Span(self.around.job_run.0.saturating_mul(2)));
            self.around.chance.span("job run", &key, half, twice)
        };
        let (run, code) = match (said, code) {
            (Some(run), code) => (run, code.unwrap_or(0)),
            (None, Some(code)) => (Span::seconds(2), code),
            (None, None) if of_job => (by_chance(), 0),
            (None, None) => return None,
        };
        Some((run, code, if code == 0 { "Completed" } else { "Error" }))
    }

    /// Whether a container uses more memory than its limit.
    fn is_too_big(&self, container: &Container) -> bool {
        let used = annotation(self.pod, MEMORY).and_then(|said| quantity(&Value::from(said)));
        let (init, spec) = self.spec(&container.name);
        let limit = spec.map_or(0, |spec| amounts(spec, "resources.limits").get(&ResourceName::Memory));
        !init && limit > 0 && used.is_some_and(|used| used.value() > limit)
    }

    /// One look at a pod that is being deleted: its containers get the signal at once and take a moment to end, a
    /// `preStop` sleep first, never longer than the grace period. Says whether nothing runs any more.
    fn stop(&mut self) -> bool {
        let grace = Span::seconds(int(self.pod, "metadata.deletionGracePeriodSeconds").unwrap_or(0));
        let deadline = time(self.pod, "metadata.deletionTimestamp").unwrap_or(self.now);
        let asked = Timestamp(deadline.0.saturating_sub(grace.0));
        let sleeps = list(self.pod, "spec.containers").iter().filter_map(|c| int(c, "lifecycle.preStop.sleep.seconds"));
        let sleep = Span::seconds(sleeps.max().unwrap_or(0));
        let wind_down = self.around.chance.span("stop", uid(self.pod), Span::millis(300), Span::seconds(3));
        let takes = Span(sleep.0.saturating_add(wind_down.0));
        let running = |container: &Container| matches!(container.state, State::Running(_));
        let until = asked + takes.min(grace);
        if self.init.iter().chain(&self.apps).any(running) && until > self.now {
            self.look_at(until);
            return false;
        }
        if takes > grace {
            self.end_all(KILLED, "Error")
        } else {
            self.end_all(0, "Completed")
        }
        true
    }

    fn end_all(&mut self, code: i64, reason: &str) {
        let now = self.now;
        self.init.iter_mut().chain(&mut self.apps).for_each(|container| container.end(now, code, reason));
    }

    fn restart_policy(&self) -> &'a str {
        match text(self.pod, "spec.restartPolicy") {
            "" => "Always",
            policy => policy,
        }
    }

    /// Whether every container has ended for good.
    fn is_over(&self) -> bool {
        self.initialized && self.apps.iter().all(|container| matches!(container.state, State::Ended(_)))
    }

    fn phase(&self, gone: bool) -> &'static str {
        let clean = self.apps.iter().all(|app| app.ended().is_some_and(|end| end.code == 0));
        if self.failed.is_some() || (gone || self.is_over()) && !clean {
            "Failed"
        } else if gone || self.is_over() {
            "Succeeded"
        } else if self.apps.iter().any(|app| !matches!(app.state, State::Waiting(_)) || app.last.is_some()) {
            "Running"
        } else {
            "Pending"
        }
    }

    fn status(&mut self, gone: bool) -> Value {
        let (now, phase) = (self.now, self.phase(gone));
        let over = matches!(phase, "Succeeded" | "Failed");
        if !self.initialized && !self.init.is_empty() {
            for app in &mut self.apps {
                if let State::Waiting(reason) = &mut app.state {
                    *reason = INITIALIZING;
                }
            }
        }
        let mut status = at(self.pod, "status").cloned().unwrap_or_else(|| json!({}));
        let mut conditions = list(self.pod, "status.conditions").to_vec();
        let unready: Vec<&str> =
            self.apps.iter().filter(|container| !container.ready).map(|container| container.name.as_str()).collect();
        let unready = format!("containers with unready status: [{}]", unready.join(" "));
        let sidecars =
            list(self.pod, "spec.initContainers").iter().zip(&self.init).filter(|(spec, _)| is_sidecar(spec));
        let containers_ready =
            !over && self.apps.iter().chain(sidecars.map(|(_, sidecar)| sidecar)).all(|container| container.ready);
        let gates = list(self.pod, "spec.readinessGates").iter();
        let ready = containers_ready && gates.into_iter().all(|gate| holds(self.pod, text(gate, "conditionType")));
        let started =
            self.init.iter().chain(&self.apps).any(|c| !matches!(c.state, State::Waiting(_)) || c.last.is_some());
        let unready_reason = if phase == "Succeeded" { "PodCompleted" } else { "ContainersNotReady" };
        let gate = "the status of a pod readiness gate is not \"True\"";
        for (kind, holds, reason, message) in [
            ("PodReadyToStartContainers", started && !gone, "", ""),
            ("Initialized", self.initialized || self.init.is_empty(), "ContainersNotInitialized", ""),
            (
                "Ready",
                ready,
                if containers_ready { "ReadinessGatesNotReady" } else { unready_reason },
                if containers_ready { gate } else { unready.as_str() },
            ),
            ("ContainersReady", containers_ready, unready_reason, unready.as_str()),
        ] {
            let (status, reason, message) =
                if holds { ("True", "", "") } else { ("False", reason, if over { "" } else { message }) };
            put_condition(&mut conditions, Wanted { kind, status, reason, message }, now);
        }
        let pod_uid = uid(self.pod);
        let write = |containers: &[Container]| containers.iter().map(|c| c.write(pod_uid)).collect::<Vec<_>>();
        let (init, apps) = (write(&self.init), write(&self.apps));
        if let Some(fields) = status.as_object_mut() {
            let mut put = |field: &str, value: Value| fields.insert(field.to_owned(), value);
            put("phase", Value::from(phase));
            put("conditions", Value::from(conditions));
            put("hostIP", Value::from(self.around.host_ip));
            put("hostIPs", json!([{"ip": self.around.host_ip}]));
            if started && !over {
                put("podIP", Value::from(self.around.pod_ip));
                put("podIPs", json!([{"ip": self.around.pod_ip}]));
            }
            if !init.is_empty() {
                put("initContainerStatuses", Value::from(init));
            }
            put("containerStatuses", Value::from(apps));
            if let Some(generation) = int(self.pod, "metadata.generation") {
                put("observedGeneration", Value::from(generation));
            }
            if let Some(reason) = self.failed.filter(|reason| !reason.is_empty()) {
                put("reason", Value::from(reason));
            }
            if time(self.pod, "status.startTime").is_none() {
                put("startTime", Value::from(stamp(now)));
            }
        }
        status
    }
}
