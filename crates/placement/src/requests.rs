//! What a pod asks of a node.
//!
//! Containers run together, init containers one after another, and restartable init containers (sidecars) stay once
//! started. So a pod needs, per resource, the larger of what runs in the end and the highest peak on the way there, then
//! its overhead on top. What is asked for the pod as a whole replaces the sum.
//!
//! Formula (Kubernetes 1.36): `max(Σ containers + Σ restartable init, init peaks with the sidecars before them)`, then the
//! pod-level override, then `+ overhead`. The score of free room counts a pod that is to come by its containers, and one that
//! is there as a whole: [`PodRequests::to_come`] and [`PodRequests::non_zero`] are two numbers.
//!
//! Promise: sums saturate instead of wrapping, so that an absurd request stays absurd and never turns small.

use std::collections::BTreeMap;

use keelson_core::{ResourceName, Resources};
use serde::{Deserialize, Serialize};

/// What a container without a cpu request is counted as in scores, in milli-cpu.
pub const DEFAULT_CPU_MILLI: i64 = 100;

/// What a container without a memory request is counted as in scores, in bytes.
pub const DEFAULT_MEMORY_BYTES: i64 = 200 * 1024 * 1024;

/// Cpu and memory as the scores count them: what is missing has a default, so that pods without requests spread too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct NonZero {
    /// In milli-cpu.
    pub cpu_milli: i64,
    /// In bytes.
    pub memory_bytes: i64,
}

impl NonZero {
    /// Both added up.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_add(other.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }
}

/// When an init container ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InitKind {
    /// Before the next one starts.
    RunsToCompletion,
    /// With the pod: `restartPolicy: Always`, a sidecar.
    Restartable,
}

/// Requests by resource: cpu in milli-cpu, everything else in its base unit. A resource set to zero is not missing.
pub type Asked = BTreeMap<ResourceName, i64>;

/// A pod's requests as its spec lists them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodRequests {
    containers: Vec<Asked>,
    init: Vec<(InitKind, Asked)>,
    overhead: Asked,
    pod_level: Asked,
}

impl PodRequests {
    /// One more container.
    #[must_use]
    pub fn container(mut self, asked: impl IntoIterator<Item = (ResourceName, i64)>) -> Self {
        self.containers.push(asked.into_iter().collect());
        self
    }

    /// One more init container, after those already there.
    #[must_use]
    pub fn init(mut self, kind: InitKind, asked: impl IntoIterator<Item = (ResourceName, i64)>) -> Self {
        self.init.push((kind, asked.into_iter().collect()));
        self
    }

    /// What the runtime class adds.
    #[must_use]
    pub fn overhead(mut self, asked: impl IntoIterator<Item = (ResourceName, i64)>) -> Self {
        self.overhead = asked.into_iter().collect();
        self
    }

    /// What is asked for the pod as a whole; replaces the sums of the resources it names.
    #[must_use]
    pub fn pod_level(mut self, asked: impl IntoIterator<Item = (ResourceName, i64)>) -> Self {
        self.pod_level = asked.into_iter().collect();
        self
    }

    /// What must be free on a node.
    #[must_use]
    pub fn total(&self) -> Resources {
        self.sum(&Asked::new(), &self.pod_level).into_iter().collect()
    }

    /// What the scores count of a pod that is there: missing cpu and memory of each container have their defaults, unless
    /// something is asked for the pod as a whole and the resource is not missing there.
    #[must_use]
    pub fn non_zero(&self) -> NonZero {
        let mut defaults = defaults();
        if !self.pod_level.is_empty() {
            let asked = self.sum(&Asked::new(), &self.pod_level);
            defaults.retain(|name, _| !asked.contains_key(name));
        }
        counted(&self.sum(&defaults, &self.pod_level))
    }

    /// What the score of free room counts of a pod that is to come: its containers and their defaults, whatever is asked for
    /// the pod as a whole.
    #[must_use]
    pub fn to_come(&self) -> NonZero {
        counted(&self.sum(&defaults(), &Asked::new()))
    }

    /// The containers alone, as they add up.
    #[must_use]
    pub fn of_containers(&self) -> Asked {
        Self { overhead: Asked::new(), ..self.clone() }.sum(&Asked::new(), &Asked::new())
    }

    fn sum(&self, defaults: &Asked, pod_level: &Asked) -> Asked {
        let mut running = Asked::new();
        for container in &self.containers {
            add(&mut running, &with_defaults(container, defaults));
        }
        let mut sidecars = Asked::new();
        let mut peak = Asked::new();
        for (kind, asked) in &self.init {
            let mut step = with_defaults(asked, defaults);
            match kind {
                InitKind::Restartable => {
                    add(&mut running, &step);
                    add(&mut sidecars, &step);
                    raise(&mut peak, &sidecars);
                }
                InitKind::RunsToCompletion => {
                    add(&mut step, &sidecars);
                    raise(&mut peak, &step);
                }
            }
        }
        raise(&mut running, &peak);
        running.extend(pod_level.iter().map(|(name, amount)| (name.clone(), *amount)));
        add(&mut running, &self.overhead);
        running
    }
}

fn defaults() -> Asked {
    Asked::from([(ResourceName::Cpu, DEFAULT_CPU_MILLI), (ResourceName::Memory, DEFAULT_MEMORY_BYTES)])
}

fn counted(sum: &Asked) -> NonZero {
    let of = |name: &ResourceName| sum.get(name).copied().unwrap_or(0);
    NonZero { cpu_milli: of(&ResourceName::Cpu), memory_bytes: of(&ResourceName::Memory) }
}

fn with_defaults(asked: &Asked, defaults: &Asked) -> Asked {
    let mut all = defaults.clone();
    all.extend(asked.iter().map(|(name, amount)| (name.clone(), *amount)));
    all
}

fn add(sum: &mut Asked, more: &Asked) {
    for (name, amount) in more {
        let entry = sum.entry(name.clone()).or_insert(0);
        *entry = entry.saturating_add(*amount);
    }
}

fn raise(sum: &mut Asked, floor: &Asked) {
    for (name, amount) in floor {
        let entry = sum.entry(name.clone()).or_insert(0);
        *entry = (*entry).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use InitKind::{Restartable, RunsToCompletion};

    fn cpu(milli: i64) -> [(ResourceName, i64); 1] {
        [(ResourceName::Cpu, milli)]
    }

    fn total_cpu(requests: &PodRequests) -> i64 {
        requests.total().get(&ResourceName::Cpu)
    }

    #[test]
    fn containers_add_up_and_a_larger_init_peak_wins() {
        let requests = PodRequests::default().container(cpu(100)).container(cpu(200));
        assert_eq!(total_cpu(&requests), 300);
        assert_eq!(total_cpu(&requests.clone().init(RunsToCompletion, cpu(250))), 300);
        assert_eq!(total_cpu(&requests.init(RunsToCompletion, cpu(900))), 900);
    }

    #[test]
    fn a_sidecar_counts_in_the_sum_and_in_the_peaks_after_it_but_not_before() {
        let requests = PodRequests::default().container(cpu(100));
        let after = requests.clone().init(Restartable, cpu(50)).init(RunsToCompletion, cpu(400));
        assert_eq!(total_cpu(&after), 450);
        let before = requests.init(RunsToCompletion, cpu(400)).init(Restartable, cpu(50));
        assert_eq!(total_cpu(&before), 400);
    }

    #[test]
    fn the_pod_level_replaces_the_sum_and_overhead_comes_on_top() {
        let requests = PodRequests::default().container(cpu(100)).pod_level(cpu(70)).overhead(cpu(5));
        assert_eq!(total_cpu(&requests), 75);
    }

    #[test]
    fn scores_count_a_default_for_each_container_that_misses_a_request_and_zero_is_not_missing() {
        let requests = PodRequests::default().container([]).container(cpu(0));
        assert_eq!(requests.non_zero(), NonZero { cpu_milli: 100, memory_bytes: 2 * DEFAULT_MEMORY_BYTES });
        assert_eq!(total_cpu(&requests), 0);
        assert_eq!(PodRequests::default().non_zero(), NonZero::default());
    }

    /// `getNonMissingContainerRequests` and the scorer of NodeResourcesFit in kube-scheduler 1.36.
    #[test]
    fn what_is_asked_as_a_whole_counts_once_the_pod_is_there_and_leaves_the_default_of_what_is_missing() {
        let requests = PodRequests::default().container(cpu(300)).container([]).pod_level(cpu(700)).overhead(cpu(5));
        assert_eq!(requests.to_come(), NonZero { cpu_milli: 405, memory_bytes: 2 * DEFAULT_MEMORY_BYTES });
        assert_eq!(requests.non_zero(), NonZero { cpu_milli: 705, memory_bytes: 2 * DEFAULT_MEMORY_BYTES });
        let both = requests.pod_level([(ResourceName::Cpu, 700), (ResourceName::Memory, 9)]);
        assert_eq!(both.non_zero(), NonZero { cpu_milli: 705, memory_bytes: 9 });
        let none = PodRequests::default().container([]);
        assert_eq!(none.to_come(), none.non_zero());
    }

    #[test]
    fn absurd_sums_saturate() {
        assert_eq!(total_cpu(&PodRequests::default().container(cpu(i64::MAX)).container(cpu(5))), i64::MAX);
    }
}
