//! The world behind the API: kubelets, controllers, machines.
//!
//! Each component looks at one object at a time and brings it closer to what it should be, as the real ones do. What
//! changed decides what is looked at; the size of the cluster does not. The world runs on the time it is handed, draws
//! every delay from its seed, and repeats itself exactly.
//!
//! | file | what it is |
//! |---|---|
//! | [`agenda`], [`chance`], [`seen`], [`desk`] | when, by what luck, from what knowledge, through which door components act |
//! | [`demand`], [`suits`] | what a pod asks of a node, and which node suits it |
//! | [`nodes`], [`deaths`], [`lifecycle`] | machines; how they die; what happens to pods whose node goes |
//! | [`kubelet`], [`pod_life`], [`container`], [`resize`], [`pressure`] | the life of a pod on its node |
//! | [`replicaset`], [`deployment`], [`rollout`], [`statefulset`], [`daemonset`], [`job`], [`cronjob`], [`cron`] | workload controllers |
//! | [`endpoints`], [`budget`], [`tenancy`], [`volumes`] | slices, disruption budgets, accounts, claims |
//! | [`standin`], [`neighbours`], [`autoscale`] | a plain scheduler and a plain autoscaler, where no real ones run |
//! | [`invariants`], [`drive`] | what must hold whatever happens; the loop that runs it all |
//! | [`traffic`], [`metrics`], [`script`], [`scenario`] | viewers, what pods use, what happens from outside, whole situations |

pub mod agenda;
pub mod autoscale;
pub mod budget;
pub mod chance;
pub mod container;
pub mod cron;
pub mod cronjob;
pub mod daemonset;
pub mod deaths;
pub mod demand;
pub mod deployment;
pub mod desk;
pub mod drive;
pub mod endpoints;
pub mod invariants;
pub mod job;
pub mod kinds;
pub mod kubelet;
pub mod lifecycle;
pub mod metrics;
pub mod neighbours;
pub mod nodes;
pub mod pod_life;
pub mod pressure;
pub mod read;
pub mod replicaset;
pub mod resize;
pub mod rollout;
pub mod scenario;
pub mod script;
pub mod seen;
pub mod standin;
pub mod statefulset;
pub mod suits;
pub mod tenancy;
pub mod traffic;
pub mod volumes;

#[cfg(test)]
mod rig;
#[cfg(test)]
mod rig_tests;
#[cfg(test)]
mod scenario_tests;
#[cfg(test)]
mod workload_tests;

use std::collections::BTreeMap;

use keelson_core::{Span, Timestamp};

use agenda::{Agenda, Role, Task};
use autoscale::Scaled;
use chance::Chance;
use desk::{Desk, Looked, State};
use metrics::Usage;
use nodes::{Heartbeats, NodeSpec};
use read::Key;
use scenario::Scenario;
use seen::Seen;

use crate::objects::{Cluster, Event, Refusal};

/// What is decided for a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest a component takes to notice.
    pub reaction: Span,
    /// After how long of silence a node counts as gone.
    pub node_grace: Span,
    /// Whether lease renewals become writes.
    pub heartbeats: Heartbeats,
    /// Whether components record events.
    pub events: bool,
    /// The scheduler name the stand-in answers to; none for no stand-in.
    pub stand_in: Option<String>,
    /// About how long containers of a Job run.
    pub job_run: Span,
    /// About how often a machine dies without a word, to come back later; none for never.
    pub dying_nodes: Option<Span>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            reaction: Span::millis(50),
            node_grace: Span::seconds(40),
            heartbeats: Heartbeats::Lazy,
            events: true,
            stand_in: Some("default-scheduler".to_owned()),
            job_run: Span::seconds(60),
            dying_nodes: None,
        }
    }
}

/// Everything behind the API.
#[derive(Debug)]
pub struct World {
    state: State,
}

impl World {
    /// A world without machines.
    #[must_use]
    pub fn new(seed: u64, settings: Settings) -> Self {
        Self { state: State::new(settings, Chance::new(seed)) }
    }

    /// Enters one change of the cluster. Nothing is written here; what follows is done by [`World::wake`].
    pub fn on_event(&mut self, event: &Event, cluster: &mut dyn Cluster) {
        if event.resource == kinds::EVENTS {
            self.desk(cluster).keep_for_an_hour(event);
        }
        if !seen::is_followed(event.resource) {
            return;
        }
        self.state.seen.enter(event.resource, &event.object, event.deleted);
        let mut desk = self.desk(cluster);
        for notice in NOTICES {
            notice(&mut desk, event);
        }
    }

    /// When there is next something to do.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.state.agenda.next()
    }

    /// Does what is due. The events of these writes have to be entered before the next call.
    pub fn wake(&mut self, cluster: &mut dyn Cluster) {
        let due = self.state.agenda.take_due(cluster.now());
        for task in due {
            let mut desk = self.desk(cluster);
            let now = desk.now;
            match look(&mut desk, &task) {
                // What is gone, or was never allowed to be, is not tried again.
                Ok(()) | Err(Refusal { code: 404, .. }) => self.state.agenda.succeeded(&task),
                Err(_) => self.state.agenda.retry(now, task),
            }
        }
    }

    /// Adds a machine; its Node appears ready.
    ///
    /// # Errors
    /// What the API says.
    pub fn add_node(&mut self, spec: &NodeSpec, cluster: &mut dyn Cluster) -> Looked {
        nodes::add(&mut self.desk(cluster), spec)
    }

    /// Switches a machine off without a word.
    ///
    /// # Errors
    /// What the API says.
    pub fn kill_node(&mut self, name: &str, cluster: &mut dyn Cluster) -> Looked {
        nodes::kill(&mut self.desk(cluster), name)
    }

    /// Switches it on again.
    ///
    /// # Errors
    /// What the API says.
    pub fn recover_node(&mut self, name: &str, cluster: &mut dyn Cluster) -> Looked {
        nodes::recover(&mut self.desk(cluster), name)
    }

    /// Gives a Spot node notice: tainted now, gone after `notice`.
    ///
    /// # Errors
    /// What the API says.
    pub fn spot_reclaim(&mut self, name: &str, notice: Span, cluster: &mut dyn Cluster) -> Looked {
        nodes::reclaim(&mut self.desk(cluster), name, notice)
    }

    /// Plays a scenario from now: its machines and objects at once, its script later.
    ///
    /// # Errors
    /// What the API says to the first machine or object it refuses.
    pub fn follow(&mut self, scenario: Scenario, cluster: &mut dyn Cluster) -> Looked {
        let mut desk = self.desk(cluster);
        scenario.nodes.iter().try_for_each(|spec| nodes::add(&mut desk, spec))?;
        for object in scenario.objects {
            desk.write(object)?;
        }
        for scaled in &scenario.scaled {
            desk.soon(Role::Autoscale, scaled.key.clone());
        }
        script::follow(&mut desk, scenario.script, scenario.again);
        self.state.scaled.extend(scenario.scaled);
        self.state.day = scenario.day.or_else(|| self.state.day.take());
        Ok(())
    }

    /// How often machines did what machines do on a bad day, by name: `dying_node`, `reclaimed_node`.
    #[must_use]
    pub fn fired(&self) -> &BTreeMap<&'static str, u64> {
        &self.state.fired
    }

    /// What a pod uses now; none when there is no such pod.
    #[must_use]
    pub fn pod_usage(&self, pod: &Key, now: Timestamp) -> Option<Usage> {
        self.state.usage(pod, now)
    }

    /// What the pods of a node use now, by pod.
    #[must_use]
    pub fn node_usage(&self, node: &str, now: Timestamp) -> Vec<(Key, Usage)> {
        let pods = self.state.seen.bound(node);
        let keys = pods.iter().map(|pod| Key::of(pod));
        keys.filter_map(|key| self.pod_usage(&key, now).map(|usage| (key, usage))).collect()
    }

    /// Tells what every running pod and every node uses, as `metrics.k8s.io` has it: namespace (empty for nodes), name,
    /// value. Costs what the cluster has pods; call it when somebody looks.
    pub fn measure(&self, now: Timestamp, mut tell: impl FnMut(&str, &str, crate::tree::Value)) {
        for node in self.state.seen.nodes().keys() {
            let usages = self.node_usage(node, now);
            for (key, usage) in &usages {
                if let Some(pod) = self.state.seen.get(kinds::PODS, key).filter(|_| usage.cpu_milli > 0) {
                    tell(&key.namespace, &key.name, metrics::pod_metrics(&pod, *usage, now));
                }
            }
            tell("", node, metrics::node_metrics(usages.into_iter().map(|(_, usage)| usage).sum(), now));
        }
    }

    fn desk<'a>(&'a mut self, cluster: &'a mut dyn Cluster) -> Desk<'a> {
        let now = cluster.now();
        Desk { state: &mut self.state, cluster, now }
    }
}

impl State {
    fn usage(&self, pod: &Key, now: Timestamp) -> Option<Usage> {
        let pod = self.seen.get(kinds::PODS, pod)?;
        let replicas = |scaled: &Scaled| {
            let workload = self.seen.get(scaled.resource, &scaled.key);
            workload.and_then(|workload| read::int(&workload, "status.readyReplicas")).unwrap_or(0)
        };
        let load = metrics::load(&pod, &self.scaled, replicas, self.day.as_ref(), now);
        Some(metrics::usage(&pod, load, self.chance, now))
    }

    fn new(settings: Settings, chance: Chance) -> Self {
        Self {
            settings,
            chance,
            seen: Seen::default(),
            agenda: Agenda::default(),
            hosts: Default::default(),
            machines: 0,
            unplaced: Default::default(),
            assumed: Default::default(),
            told: Default::default(),
            tags: Default::default(),
            told_count: 0,
            reclaimed: Default::default(),
            fired: Default::default(),
            deaths: 0,
            deeds: Vec::new(),
            scaled: Vec::new(),
            day: None,
            recommended: Default::default(),
        }
    }
}

/// What looks at changes.
const NOTICES: [fn(&mut Desk<'_>, &Event); 16] = [
    nodes::notice,
    deaths::notice,
    kubelet::notice,
    pressure::notice,
    lifecycle::notice,
    replicaset::notice,
    deployment::notice,
    statefulset::notice,
    daemonset::notice,
    job::notice,
    cronjob::notice,
    endpoints::notice,
    budget::notice,
    tenancy::notice,
    volumes::notice,
    standin::notice,
];

fn look(desk: &mut Desk<'_>, task: &Task) -> Looked {
    let key = &task.key;
    match task.role {
        Role::Kubelet => kubelet::look(desk, key),
        Role::Heartbeat => nodes::look(desk, key),
        Role::Pressure => pressure::look(desk, key),
        Role::NodeHealth => lifecycle::look(desk, key),
        Role::Eviction => lifecycle::evict(desk, key),
        Role::PodGc => lifecycle::collect(desk, key),
        Role::Reclaim => nodes::take_away(desk, key),
        Role::Deployment => deployment::look(desk, key),
        Role::ReplicaSet => replicaset::look(desk, key),
        Role::StatefulSet => statefulset::look(desk, key),
        Role::DaemonSet => daemonset::look(desk, key),
        Role::Job => job::look(desk, key),
        Role::JobPod => job::release_orphan(desk, key),
        Role::CronJob => cronjob::look(desk, key),
        Role::Endpoints => endpoints::look(desk, key),
        Role::Budget => budget::look(desk, key),
        Role::Namespace => tenancy::look(desk, key),
        Role::Claim => volumes::look_at_claim(desk, key),
        Role::Volume => volumes::look_at_volume(desk, key),
        Role::EphemeralClaims => volumes::make_ephemeral(desk, key),
        Role::StandIn => standin::look(desk, key),
        Role::Autoscale => autoscale::look(desk, key),
        Role::Script => script::look(desk, key),
        Role::EventExpiry => desk.expire(key),
        Role::Death => deaths::look(desk),
    }
}
