//! The objects of a dump, each read as its kind asks.
//!
//! Promises: in whatever order they come, the same cluster; an object that is there twice counts as it was last. No clock is
//! looked at: the last measurement of an interface was made when the dump was.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController, Service,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};
use keelson_api::{NodeNetwork, names};
use keelson_cluster::Event;
use keelson_cluster::read::network::{WEIGHTS, group, measured, topology};
use keelson_cluster::read::{self, ReadSelecting, ReadVolumes, selecting, volumes};
use keelson_core::{ConditionStatus, NodeBandwidth, Timestamp, WorkloadUsage};
use keelson_placement::bandwidth::LIMIT;
use keelson_scheduling::simulate::{Cluster, Subject};
use keelson_scheduling::{interfaces, learned};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::dump::{At, Head, Input};

/// How long a quoted error may be.
const QUOTED: usize = 200;

/// `namespace` and `name`.
type Name = (String, String);

/// What was found so far.
#[derive(Default)]
pub(super) struct Objects<'a> {
    cluster: Cluster,
    seen: BTreeSet<(String, Name)>,
    pods: HashMap<Name, usize>,
    uids: HashMap<String, Name>,
    /// Read when it is known which of them are asked for.
    config_maps: BTreeMap<Name, (&'a RawValue, At<'a>)>,
    named: BTreeSet<Name>,
    /// The nodes' measured costs need them all.
    later: Vec<Event>,
    interfaces: NodeBandwidth,
    usage: WorkloadUsage,
}

impl<'a> Objects<'a> {
    /// Takes an object in.
    pub(super) fn take(&mut self, raw: &'a RawValue, head: &Head<'_>, kind: &str, at: At<'a>, input: &mut Input) {
        let group = head.api_version.as_deref().map(|version| version.split_once('/').map_or("", |(group, _)| group));
        let name = |part: fn(&super::dump::Name<'_>) -> Option<String>| head.metadata.as_ref().and_then(part);
        let namespace = name(|name| name.namespace.as_deref().map(str::to_owned)).unwrap_or_default();
        let name = name(|name| name.name.as_deref().map(str::to_owned)).unwrap_or_default();
        let is = |known: &str| group.is_none_or(|group| group == known);
        let is_diktyo = group.is_none_or(|group| group.ends_with("diktyo.x-k8s.io"));
        let known = match kind {
            "Secret" => {
                input.secrets += 1;
                return;
            }
            "Node"
            | "Pod"
            | "Namespace"
            | "PersistentVolume"
            | "PersistentVolumeClaim"
            | "ConfigMap"
            | "Service"
            | "ReplicationController" => is(""),
            "ReplicaSet" | "StatefulSet" => is("apps"),
            "PodDisruptionBudget" => is("policy"),
            "StorageClass" | "CSINode" | "CSIDriver" | "CSIStorageCapacity" | "VolumeAttachment" => {
                is("storage.k8s.io")
            }
            "AppGroup" | "NetworkTopology" => is_diktyo,
            "NodeNetwork" => is(names::GROUP),
            _ => false,
        };
        if !known {
            let kind = if kind.is_empty() { "without a kind" } else { kind };
            *input.unused.entry(kind.chars().take(100).collect()).or_default() += 1;
            return;
        }
        let (object, key) = (format!("{kind} {}", slashed(&namespace, &name)), (namespace, name));
        if key.1.is_empty() {
            let text = "is missing; leave the object as kubectl wrote it".to_owned();
            return input.problem(at.problem(object, "metadata.name", text));
        }
        if kind == "ConfigMap" {
            self.config_maps.insert(key, (raw, at));
            return;
        }
        match self.read(raw, kind, &key) {
            Ok(problems) => {
                *input.used.entry(kind.to_owned()).or_default() += 1;
                if !self.seen.insert((kind.to_owned(), key)) {
                    input.repeated += 1;
                }
                for found in problems {
                    input.problem(at.problem(object.clone(), &found.field, found.text));
                }
            }
            Err((field, text)) => input.problem(at.problem(object, &field, text)),
        }
    }

    fn read(&mut self, raw: &RawValue, kind: &str, key: &Name) -> Result<Vec<read::Problem>, (String, String)> {
        let ground = &mut self.cluster.ground;
        let mut stored = |read: ReadVolumes| {
            let problems = read.problems.clone();
            ground.apply(Event::VolumesApplied(Box::new(read)));
            problems
        };
        Ok(match kind {
            "Service" | "ReplicationController" | "ReplicaSet" | "StatefulSet" => {
                ground.apply(Event::SelectorApplied(Box::new(selecting(raw, kind)?)));
                Vec::new()
            }
            "PersistentVolume" => stored(volumes::volume(&parse::<PersistentVolume>(raw)?)),
            "PersistentVolumeClaim" => stored(volumes::claim(&parse::<PersistentVolumeClaim>(raw)?)),
            "StorageClass" => stored(volumes::class(&parse::<StorageClass>(raw)?)),
            "CSINode" => stored(volumes::node_drivers(&parse::<CSINode>(raw)?)),
            "CSIDriver" => stored(volumes::driver(&parse::<CSIDriver>(raw)?)),
            "CSIStorageCapacity" => stored(volumes::capacity(&parse::<CSIStorageCapacity>(raw)?)),
            "VolumeAttachment" => stored(volumes::attachment(&parse::<VolumeAttachment>(raw)?)),
            "Node" => {
                let read = read::node(&parse::<Node>(raw)?);
                let problems = read.problems.clone();
                ground.apply(Event::NodeApplied(Box::new(read)));
                problems
            }
            "Namespace" => {
                let labels = parse::<Namespace>(raw)?.metadata.labels.unwrap_or_default();
                ground.apply(Event::NamespaceApplied { name: key.1.clone(), labels });
                Vec::new()
            }
            "PodDisruptionBudget" => {
                let budget = read::budget(&parse::<PodDisruptionBudget>(raw)?);
                ground.apply(Event::BudgetApplied(Box::new(budget)));
                Vec::new()
            }
            "AppGroup" => {
                let read = group(&parse::<Value>(raw)?);
                let problems = read.problems.clone();
                self.later.push(Event::GroupApplied(Box::new(read)));
                problems
            }
            "NetworkTopology" => {
                let read = topology(&parse::<Value>(raw)?, WEIGHTS);
                let problems = read.problems.clone();
                self.named.extend(read.config_map.clone().map(|name| (read.name.0.clone(), name)));
                self.later.push(Event::TopologyApplied(Box::new(read)));
                problems
            }
            "NodeNetwork" => {
                let read = parse::<NodeNetwork>(raw)?;
                self.interfaces.0.insert(key.1.clone(), interfaces::read(&read));
                self.usage.0.insert(key.1.clone(), learned::read(&read));
                Vec::new()
            }
            _ => self.pod(&parse::<Pod>(raw)?, key),
        })
    }

    fn pod(&mut self, written: &Pod, key: &Name) -> Vec<read::Problem> {
        let Some(mut subject) = Subject::new(written) else { return Vec::new() };
        let mut problems = subject.ask.problems.clone();
        let uid = &mut subject.ask.pod.uid;
        if self.uids.get(uid.as_str()).is_some_and(|other| other != key) {
            let text = "is that of another pod, so it is passed over; leave it as kubectl wrote it".to_owned();
            problems.push(read::Problem::new("metadata.uid", text));
            *uid = slashed(&key.0, &key.1);
        }
        self.uids.insert(uid.clone(), key.clone());
        let pods = &mut self.cluster.pods;
        match self.pods.get(key).and_then(|index| pods.get_mut(*index)) {
            Some(known) => *known = subject,
            None => {
                self.pods.insert(key.clone(), pods.len());
                pods.push(subject);
            }
        }
        problems
    }

    /// Everything together.
    pub(super) fn cluster(mut self, input: &mut Input) -> Cluster {
        for (name, (raw, at)) in &self.config_maps {
            if !self.named.contains(name) {
                *input.unused.entry("ConfigMap".to_owned()).or_default() += 1;
                continue;
            }
            let object = format!("ConfigMap {}", slashed(&name.0, &name.1));
            match parse::<ConfigMap>(raw) {
                Ok(written) => {
                    let read = measured(&written);
                    *input.used.entry("ConfigMap".to_owned()).or_default() += 1;
                    read.problems.iter().for_each(|found| {
                        input.problem(at.problem(object.clone(), &found.field, found.text.clone()));
                    });
                    self.later.push(Event::MeasuredApplied(Box::new(read)));
                }
                Err((field, text)) => input.problem(at.problem(object, &field, text)),
            }
        }
        self.later.into_iter().for_each(|event| self.cluster.ground.apply(event));
        let measured = self.interfaces.0.values().filter_map(|interface| interface.measured);
        let now = measured.map(|load| load.at).max().unwrap_or(Timestamp(0));
        let heard = |(node, interface): (&String, _)| (node.clone(), interfaces::heard(interface, now));
        self.cluster.interfaces = self.interfaces.0.iter().map(heard).collect();
        let learned = learned::learned(&self.usage, &self.interfaces, LIMIT);
        self.cluster.ground.apply(Event::UsageLearned(learned));
        input.notes = notes(&self.cluster, input);
        let left_out = interfaces::condition(&self.interfaces, now);
        input.notes.extend((left_out.status == ConditionStatus::True).then_some(left_out.message));
        self.cluster
    }
}

/// What the dump lacks, and what that means.
fn notes(cluster: &Cluster, input: &Input) -> Vec<String> {
    let pods = || cluster.pods.iter().map(|subject| &subject.ask.pod);
    let lacks = |kind: &str| !input.used.contains_key(kind);
    let by_labels = || {
        pods().any(|pod| {
            let terms = pod.affinity.required.iter().chain(&pod.affinity.anti);
            terms
                .into_iter()
                .any(|term| term.namespace_selector.as_ref().is_some_and(|wanted| *wanted != Default::default()))
        })
    };
    let claims = || pods().any(|pod| pod.volumes.iter().any(|volume| volume.claim().is_some()));
    let mut notes = Vec::new();
    let mut note = |holds: bool, text: &str| notes.extend(holds.then(|| text.to_owned()));
    note(lacks("Pod"), "There is no Pod in it: add pods, with -A.");
    note(
        lacks("PersistentVolumeClaim") && claims(),
        "There is no PersistentVolumeClaim in it: pods that mount claims stay where they are, and waiting ones wait.",
    );
    note(
        lacks("Namespace") && by_labels(),
        "There is no Namespace in it: rules that name namespaces by their labels speak of none.",
    );
    let made = || {
        let kinds = ["ReplicaSet", "StatefulSet", "ReplicationController"];
        cluster.pods.iter().any(|pod| {
            let owner = pod.ask.owners.first().map(|owner| owner.kind.as_str());
            owner.is_some_and(|kind| kinds.contains(&kind) && lacks(kind)) && pod.ask.pod.spread.is_empty()
        })
    };
    note(
        lacks("Service") && made(),
        "There are no Services and owners of pods in it: pods that say nothing about spreading are not spread.",
    );
    note(
        !lacks("AppGroup") && lacks("NetworkTopology") && lacks("ConfigMap"),
        "There are AppGroups and no NetworkTopology: what lies between zones costs as if nobody knew.",
    );
    notes
}

fn slashed(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}

fn selecting(raw: &RawValue, kind: &str) -> Result<ReadSelecting, (String, String)> {
    Ok(match kind {
        "Service" => selecting::service(&parse::<Service>(raw)?),
        "ReplicationController" => selecting::replication_controller(&parse::<ReplicationController>(raw)?),
        "ReplicaSet" => selecting::replica_set(&parse::<ReplicaSet>(raw)?),
        _ => selecting::stateful_set(&parse::<StatefulSet>(raw)?),
    })
}

/// Reads an object; the field that cannot be read, and why.
fn parse<T: DeserializeOwned>(raw: &RawValue) -> Result<T, (String, String)> {
    serde_json::from_str(raw.get()).map_err(|_| {
        // Found again, slowly, with its path.
        let mut text = serde_json::Deserializer::from_str(raw.get());
        let found = serde_path_to_error::deserialize::<_, T>(&mut text).err();
        let field = found.as_ref().map(|error| error.path().to_string()).unwrap_or_default();
        let why = found.map(|error| error.into_inner().to_string()).unwrap_or_default();
        let why: String = why.split(" at line ").next().unwrap_or_default().chars().take(QUOTED).collect();
        (field, format!("{why}; the object is left out, write the field as kubectl does"))
    })
}
