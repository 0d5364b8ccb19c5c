//! What is to be done when.
//!
//! Work is level-triggered: a task says which component looks at which object, not what changed. Asking twice for the
//! same look keeps the earlier moment. Tasks of one moment come in the order of their names, so a run repeats.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::{Span, Timestamp};

use super::read::Key;

/// Which component looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The kubelet of a pod's node, at a pod.
    Kubelet,
    /// The kubelet, at its own node: leases and heartbeats.
    Heartbeat,
    /// The kubelet, at the memory of its node.
    Pressure,
    /// The node lifecycle controller, at a node.
    NodeHealth,
    /// Taint-based eviction, at a pod.
    Eviction,
    /// The pod garbage collector, at a pod.
    PodGc,
    /// The cloud, at a Spot node whose notice has run out.
    Reclaim,
    /// The Deployment controller.
    Deployment,
    /// The ReplicaSet controller.
    ReplicaSet,
    /// The StatefulSet controller.
    StatefulSet,
    /// The DaemonSet controller.
    DaemonSet,
    /// The Job controller.
    Job,
    /// The Job controller, at a pod that outlives its job.
    JobPod,
    /// The CronJob controller.
    CronJob,
    /// The EndpointSlice controller, at a service.
    Endpoints,
    /// The disruption controller, at a budget.
    Budget,
    /// The service account controller, at a namespace.
    Namespace,
    /// The volume binder and provisioner, at a claim.
    Claim,
    /// The volume binder, at a volume.
    Volume,
    /// The ephemeral volume controller, at a pod.
    EphemeralClaims,
    /// The stand-in scheduler, at a pod.
    StandIn,
    /// The stand-in autoscaler, at a workload.
    Autoscale,
    /// Somebody outside, who does a deed of a script.
    Script,
    /// The end of an event's hour.
    EventExpiry,
    /// The death of a machine.
    Death,
}

/// One look of one component at one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    /// Who looks.
    pub role: Role,
    /// At what.
    pub key: Key,
}

/// Tasks by time.
#[derive(Debug, Default)]
pub struct Agenda {
    due: BTreeSet<(Timestamp, Task)>,
    when: BTreeMap<Task, Timestamp>,
    failures: BTreeMap<Task, u32>,
}

/// The first delay after a refused write; it doubles up to [`LAST_RETRY`].
const FIRST_RETRY: Span = Span::millis(10);
/// The longest delay between tries.
const LAST_RETRY: Span = Span::seconds(60);

impl Agenda {
    /// Asks for a look at a moment, or earlier if that was asked before.
    pub fn at(&mut self, when: Timestamp, task: Task) {
        if let Some(known) = self.when.get(&task) {
            if *known <= when {
                return;
            }
            self.due.remove(&(*known, task.clone()));
        }
        self.due.insert((when, task.clone()));
        self.when.insert(task, when);
    }

    /// Asks for another look after a failure, later each time.
    pub fn retry(&mut self, now: Timestamp, task: Task) {
        let failures = self.failures.entry(task.clone()).or_default();
        let delay = Span(FIRST_RETRY.0.saturating_mul(1 << (*failures).min(20))).min(LAST_RETRY);
        *failures += 1;
        self.at(now + delay, task);
    }

    /// Forgets the failures of a task.
    pub fn succeeded(&mut self, task: &Task) {
        self.failures.remove(task);
    }

    /// The moment of the first task.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(when, _)| *when)
    }

    /// Takes every task that is due.
    pub fn take_due(&mut self, now: Timestamp) -> Vec<Task> {
        let mut tasks = Vec::new();
        while let Some((when, _)) = self.due.first()
            && *when <= now
            && let Some((_, task)) = self.due.pop_first()
        {
            self.when.remove(&task);
            tasks.push(task);
        }
        tasks
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn task(name: &str) -> Task {
        Task { role: Role::Kubelet, key: Key::new("a", name) }
    }

    #[test]
    fn the_earlier_moment_wins() {
        let mut agenda = Agenda::default();
        agenda.at(Timestamp(5), task("x"));
        agenda.at(Timestamp(9), task("x"));
        agenda.at(Timestamp(3), task("x"));
        assert_eq!(agenda.next(), Some(Timestamp(3)));
        assert_eq!(agenda.take_due(Timestamp(10)), [task("x")]);
        assert_eq!(agenda.next(), None);
    }

    #[test]
    fn retries_come_later_each_time_and_success_forgets() {
        let mut agenda = Agenda::default();
        let at = |agenda: &mut Agenda| {
            agenda.retry(Timestamp(0), task("x"));
            let next = agenda.next().unwrap();
            agenda.take_due(next);
            next
        };
        assert_eq!(at(&mut agenda), Timestamp(10_000));
        assert_eq!(at(&mut agenda), Timestamp(20_000));
        agenda.succeeded(&task("x"));
        assert_eq!(at(&mut agenda), Timestamp(10_000));
    }
}
