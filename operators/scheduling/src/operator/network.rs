//! AppGroups and NetworkTopologies, as one stream.
//!
//! A cluster need not have either kind: then there is nothing to hear. Which costs are read from a NetworkTopology is a
//! setting, so that its objects are kept and read again when it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_api::platform::SchedulingSettings;
use keelson_api::{AppGroup, NetworkTopology};
use keelson_cluster::read::network::{self, Name, Percentile, ReadGroup, ReadMeasured, ReadTopology};
use keelson_cluster::{Event, Wanted};
use keelson_core::Timestamp;
use keelson_runtime::cache::{Cached, Delta, Subscription};
use keelson_runtime::permissions::Rule;
use keelson_runtime::{Inbox, Runtime};
use serde::Serialize;
use serde_json::Value;

use crate::mind::Mind;
use crate::times::NetworkTimes;
use crate::told::{Telling, key};

/// What following them needs, and what telling them needs where it is enforced.
pub(super) fn permissions(enforced: bool) -> Vec<Rule> {
    let kinds = [("appgroup.diktyo.x-k8s.io", "appgroups"), ("networktopology.diktyo.x-k8s.io", "networktopologies")];
    let mut rules: Vec<Rule> = kinds.iter().map(|(group, plural)| Rule::follow(group, &[plural])).collect();
    if enforced {
        for (group, plural) in kinds {
            // An object is read before its status is patched.
            rules.push(Rule::new(group, &[plural], &["get"]));
            rules.push(Rule::new(group, &[&format!("{plural}/status")], &["patch"]));
        }
    }
    rules
}

/// What is heard.
pub(super) enum Heard {
    Groups(Delta<AppGroup>),
    Topologies(Delta<NetworkTopology>),
}

pub(super) struct Networks {
    groups: Subscription<AppGroup>,
    topologies: Subscription<NetworkTopology>,
    read: (bool, bool),
    known_groups: Vec<Name>,
    /// As they were written.
    known_topologies: BTreeMap<Name, Value>,
    known_times: BTreeMap<Name, Arc<ReadMeasured>>,
    weights: String,
}

impl Networks {
    pub(super) fn follow(rt: &Runtime, settings: &SchedulingSettings) -> Self {
        Self {
            groups: rt.optional_cache().subscribe(),
            topologies: rt.optional_cache().subscribe(),
            read: (false, false),
            known_groups: Vec::new(),
            known_topologies: BTreeMap::new(),
            known_times: BTreeMap::new(),
            weights: settings.network_weights.clone(),
        }
    }

    /// Whether both kinds were read once, or are known to be absent.
    pub(super) const fn is_read(&self) -> bool {
        self.read.0 && self.read.1
    }

    /// The next that is heard. Nothing is lost when it is dropped before it ends.
    pub(super) async fn next(&mut self) -> Heard {
        tokio::select! {
            biased;
            delta = self.topologies.next() => Heard::Topologies(delta),
            delta = self.groups.next() => Heard::Groups(delta),
        }
    }

    /// Takes in what was heard.
    pub(super) fn heard(&mut self, heard: Heard, mind: &mut Mind, now: Timestamp) {
        match heard {
            Heard::Groups(Delta::Restarted(all)) => {
                self.read.0 = true;
                let all: Vec<ReadGroup> = all.into_iter().map(|group| read_group(&group)).collect();
                let names = all.iter().map(|group| group.name.clone()).collect();
                for gone in gone(std::mem::replace(&mut self.known_groups, names), &self.known_groups) {
                    mind.network(Event::GroupDeleted(gone), now);
                }
                all.into_iter().for_each(|group| mind.network(Event::GroupApplied(Box::new(group)), now));
            }
            Heard::Groups(Delta::Applied(group)) => {
                let group = read_group(&group);
                if !self.known_groups.contains(&group.name) {
                    self.known_groups.push(group.name.clone());
                }
                mind.network(Event::GroupApplied(Box::new(group)), now);
            }
            Heard::Groups(Delta::Deleted(group)) => {
                let name = name(&*group);
                self.known_groups.retain(|known| *known != name);
                mind.network(Event::GroupDeleted(name), now);
            }
            Heard::Topologies(Delta::Restarted(all)) => {
                self.read.1 = true;
                let all: BTreeMap<Name, Value> =
                    all.into_iter().map(|topology| (name(&*topology), written(&*topology))).collect();
                let before = std::mem::replace(&mut self.known_topologies, all);
                for gone in before.into_keys().filter(|name| !self.known_topologies.contains_key(name)) {
                    mind.network(Event::TopologyDeleted(gone), now);
                }
                self.tell_topologies(mind, now);
            }
            Heard::Topologies(Delta::Applied(topology)) => {
                let written = written(&*topology);
                let read = network::topology(&written, &self.weights);
                self.known_topologies.insert(read.name.clone(), written);
                mind.network(Event::TopologyApplied(Box::new(read)), now);
            }
            Heard::Topologies(Delta::Deleted(topology)) => {
                let name = name(&*topology);
                self.known_topologies.remove(&name);
                mind.network(Event::TopologyDeleted(name), now);
            }
        }
    }

    /// Takes in what was measured, where it is something else.
    pub(super) fn timed(&mut self, times: &NetworkTimes, mind: &mut Mind, now: Timestamp) {
        let read: BTreeMap<Name, Arc<ReadMeasured>> =
            times.read().map(|read| (read.name.clone(), Arc::clone(read))).collect();
        let before = std::mem::replace(&mut self.known_times, read);
        for name in before.keys().filter(|name| !self.known_times.contains_key(*name)) {
            mind.network(Event::MeasuredDeleted(name.clone()), now);
        }
        for (name, read) in self.known_times.iter().filter(|(name, read)| before.get(*name) != Some(read)) {
            tracing::debug!(config_map = ?name, times = read.len(), "round-trip times were read");
            mind.network(Event::MeasuredApplied(Box::new(ReadMeasured::clone(read))), now);
        }
    }

    /// Other costs are asked for, perhaps.
    pub(super) fn configure(&mut self, settings: &SchedulingSettings, mind: &mut Mind, now: Timestamp) {
        let Some((namespace, name)) = settings.topology() else { return };
        let topology = (namespace.to_owned(), name.to_owned());
        let percentile = Percentile::of(&settings.network_weights);
        mind.network(Event::NetworkWanted(Wanted { topology, percentile }), now);
        if settings.network_weights != self.weights {
            self.weights.clone_from(&settings.network_weights);
            self.tell_topologies(mind, now);
        }
    }

    fn tell_topologies(&self, mind: &mut Mind, now: Timestamp) {
        for written in self.known_topologies.values() {
            let read = network::topology(written, &self.weights);
            mind.network(Event::TopologyApplied(Box::new(read)), now);
        }
    }
}

/// Has objects told about themselves whenever they change.
pub(super) async fn tell(rt: Runtime, inbox: Inbox<Telling>) {
    let mut groups = rt.optional_cache::<AppGroup>().subscribe();
    let mut topologies = rt.optional_cache::<NetworkTopology>().subscribe();
    let (mut settings, mut timed) = (rt.settings(), rt.facts().changes::<NetworkTimes>());
    let mut stopping = std::pin::pin!(rt.stopping());
    loop {
        tokio::select! {
            biased;
            () = &mut stopping => return,
            delta = groups.next() => changed(delta).into_iter().for_each(|key| inbox.add(key)),
            delta = topologies.next() => changed(delta).into_iter().for_each(|key| inbox.add(key)),
            // Of which set of costs is spoken may be another now.
            Ok(()) = settings.changed() => all_topologies(&rt, &inbox),
            Ok(()) = timed.changed() => all_topologies(&rt, &inbox),
        }
    }
}

fn all_topologies(rt: &Runtime, inbox: &Inbox<Telling>) {
    rt.optional_cache::<NetworkTopology>().list().for_each(|topology| inbox.add(key(&*topology)));
}

/// The keys of what is there after a change.
fn changed<K: Cached>(delta: Delta<K>) -> Vec<String> {
    match delta {
        Delta::Restarted(all) => all.map(|object| key(&*object)).collect(),
        Delta::Applied(object) => vec![key(&*object)],
        Delta::Deleted(_) => Vec::new(),
    }
}

fn gone(before: Vec<Name>, now: &[Name]) -> Vec<Name> {
    before.into_iter().filter(|name| !now.contains(name)).collect()
}

fn name<K: Cached>(object: &K) -> Name {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// An object as it was written. What cannot be written again was not read from JSON.
fn written<K: Serialize>(object: &K) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// A group as placement sees it.
pub(crate) fn read_group(group: &AppGroup) -> ReadGroup {
    network::group(&written(group))
}

/// A topology as placement sees it.
pub(crate) fn read_topology(topology: &NetworkTopology, weights: &str) -> ReadTopology {
    network::topology(&written(topology), weights)
}
