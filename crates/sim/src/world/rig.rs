//! A small API for the world's own tests: it stores, versions, binds and deletes gracefully, and collects what is no
//! longer owned. It knows no admission, no defaults and no validation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::{Span, Timestamp};
use serde_json::{Value, json};

use super::kinds::*;
use super::read::{Key, is_leaving, list, name, stamp, text, uid};
use super::{Settings, World};
use crate::objects::{Cluster, Event, Refusal, Resource, Write};

#[derive(Default)]
pub struct Rig {
    pub now: Timestamp,
    pub objects: BTreeMap<(Resource, Key), Arc<Value>>,
    pub events: Vec<Event>,
    pub writes: u64,
    version: u64,
    ids: u64,
}

const CLUSTER_SCOPED: [Resource; 4] = [NODES, NAMESPACES, VOLUMES, STORAGE_CLASSES];

fn refusal(code: u16, reason: &str, message: String) -> Refusal {
    Refusal { code, reason: reason.into(), message }
}

impl Rig {
    fn store(&mut self, resource: Resource, key: &Key, mut object: Value, status_only: bool) -> Arc<Value> {
        let before = self.objects.get(&(resource, key.clone())).cloned();
        if let Some(before) = &before {
            let meta = |object: &Value| (object["spec"].clone(), object["metadata"]["deletionTimestamp"].clone());
            let bump = i64::from(!status_only && meta(before) != meta(&object));
            object["metadata"]["generation"] = json!(before["metadata"]["generation"].as_i64().unwrap_or(1) + bump);
            object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            if **before == object {
                return Arc::clone(before);
            }
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = Arc::new(object);
        let gone = is_leaving(&object) && list(&object, "metadata.finalizers").is_empty() && resource != PODS
            || object["metadata"]["deletionGracePeriodSeconds"] == json!(0);
        if gone {
            self.objects.remove(&(resource, key.clone()));
            self.orphaned(uid(&object).to_owned());
        } else {
            self.objects.insert((resource, key.clone()), Arc::clone(&object));
        }
        self.events.push(Event { resource, object: Arc::clone(&object), before, deleted: gone });
        object
    }

    fn orphaned(&mut self, owner: String) {
        let owned =
            |object: &Arc<Value>| list(object, "metadata.ownerReferences").iter().any(|o| text(o, "uid") == owner);
        let orphans: Vec<(Resource, Key)> =
            self.objects.iter().filter(|(_, object)| owned(object)).map(|(key, _)| key.clone()).collect();
        for (resource, Key { namespace, name }) in orphans {
            self.write(Write::Delete { resource, namespace, name, uid: None, grace_seconds: None }).ok();
        }
    }

    fn known(&self, resource: Resource, namespace: &str, name: &str) -> Result<Arc<Value>, Refusal> {
        let missing = || refusal(404, "NotFound", format!("{} {namespace}/{name} not found", resource.plural));
        self.get(resource, namespace, name).ok_or_else(missing)
    }
}

impl Cluster for Rig {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.objects.get(&(resource, Key::new(namespace, name))).cloned()
    }

    fn list(&self, resource: Resource) -> Vec<Arc<Value>> {
        self.objects.iter().filter(|((kind, _), _)| *kind == resource).map(|(_, object)| Arc::clone(object)).collect()
    }

    fn write(&mut self, write: Write) -> Result<Arc<Value>, Refusal> {
        self.writes += 1;
        match write {
            Write::Create(resource, mut object) => {
                self.ids += 1;
                if name(&object).is_empty() {
                    let name = format!("{}{:05}", text(&object, "metadata.generateName"), self.ids);
                    object["metadata"]["name"] = json!(name);
                }
                if !CLUSTER_SCOPED.contains(&resource) && text(&object, "metadata.namespace").is_empty() {
                    object["metadata"]["namespace"] = json!("default");
                }
                let key = Key::of(&object);
                if self.objects.contains_key(&(resource, key.clone())) {
                    return Err(refusal(409, "AlreadyExists", format!("{key:?} exists")));
                }
                object["metadata"]["uid"] = json!(format!("uid-{:05}", self.ids));
                object["metadata"]["generation"] = json!(1);
                object["metadata"]["creationTimestamp"] = json!(stamp(self.now));
                if resource == PODS {
                    object["status"] = json!({"phase": "Pending"});
                } else if let Some(fields) = object.as_object_mut() {
                    fields.remove("status");
                }
                Ok(self.store(resource, &key, object, false))
            }
            Write::Replace(resource, object) | Write::ReplaceStatus(resource, object) => {
                let key = Key::of(&object);
                self.known(resource, &key.namespace, &key.name)?;
                Ok(self.store(resource, &key, object, false))
            }
            Write::Merge { resource, namespace, name, subresource, patch } => {
                let known = self.known(resource, &namespace, &name)?;
                let wanted = text(&patch, "metadata.resourceVersion");
                if !wanted.is_empty() && wanted != text(&known, "metadata.resourceVersion") {
                    return Err(refusal(409, "Conflict", format!("{namespace}/{name} has been modified")));
                }
                let mut object = (*known).clone();
                if subresource == "status" {
                    let mut status = object["status"].clone();
                    json_patch::merge(&mut status, &patch["status"]);
                    object["status"] = status;
                } else {
                    json_patch::merge(&mut object, &patch);
                    object["status"] = known["status"].clone();
                }
                Ok(self.store(resource, &Key::new(&namespace, &name), object, subresource == "status"))
            }
            Write::Delete { resource, namespace, name, uid: wanted, grace_seconds } => {
                let known = self.known(resource, &namespace, &name)?;
                if wanted.is_some_and(|wanted| wanted != uid(&known)) {
                    return Err(refusal(409, "Conflict", "another uid".into()));
                }
                let mut object = (*known).clone();
                let finished = super::demand::is_finished(&known) || text(&known, "spec.nodeName").is_empty();
                let own = known["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
                let grace = match grace_seconds {
                    _ if resource != PODS || finished => 0,
                    Some(grace) => grace,
                    None => own,
                };
                if is_leaving(&known) && grace > 0 {
                    return Ok(known);
                }
                object["metadata"]["deletionTimestamp"] = json!(stamp(self.now + Span::seconds(grace)));
                object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
                Ok(self.store(resource, &Key::new(&namespace, &name), object, false))
            }
            Write::Bind { namespace, name, uid: wanted, node } => {
                let known = self.known(PODS, &namespace, &name)?;
                if wanted != uid(&known) || !text(&known, "spec.nodeName").is_empty() {
                    return Err(refusal(409, "Conflict", format!("pod {name} is already assigned to a node")));
                }
                let mut object = (*known).clone();
                object["spec"]["nodeName"] = json!(node);
                let mut conditions = list(&object, "status.conditions").to_vec();
                let scheduled = super::read::Wanted { kind: "PodScheduled", status: "True", reason: "", message: "" };
                super::read::put_condition(&mut conditions, scheduled, self.now);
                object["status"]["conditions"] = json!(conditions);
                Ok(self.store(PODS, &Key::new(&namespace, &name), object, false))
            }
        }
    }
}

/// A world with its API.
pub struct Scene {
    pub api: Rig,
    pub world: World,
    pub log: Vec<Event>,
}

impl Scene {
    pub fn new(seed: u64, settings: Settings) -> Self {
        Self { api: Rig::default(), world: World::new(seed, settings), log: Vec::new() }
    }

    pub fn nodes(mut self, count: usize, cpu: u32, memory_gib: u32) -> Self {
        let known = self.api.list(NODES).len();
        for n in known..known + count {
            let zone = format!("eu-west-1{}", ["a", "b", "c"][n % 3]);
            let spec = super::nodes::NodeSpec::new(&format!("node-{n}"), &zone, "m6i.large", cpu, memory_gib);
            self.world.add_node(&spec, &mut self.api).unwrap();
        }
        self
    }

    pub fn create(&mut self, resource: Resource, object: Value) -> Arc<Value> {
        self.api.write(Write::Create(resource, object)).unwrap()
    }

    pub fn merge(&mut self, resource: Resource, name: &str, patch: Value) {
        let (namespace, name) = ("default".to_owned(), name.to_owned());
        self.api.write(Write::Merge { resource, namespace, name, subresource: "", patch }).unwrap();
    }

    pub fn delete(&mut self, resource: Resource, name: &str) {
        let (namespace, name) = ("default".to_owned(), name.to_owned());
        self.api.write(Write::Delete { resource, namespace, name, uid: None, grace_seconds: None }).unwrap();
    }

    /// Enters every event there is.
    pub fn settle(&mut self) {
        for event in std::mem::take(&mut self.api.events) {
            self.world.on_event(&event, &mut self.api);
            self.log.push(event);
        }
    }

    /// Lets time pass; `check` sees the API after every moment.
    pub fn run(&mut self, span: Span, mut check: impl FnMut(&Rig)) {
        let end = self.api.now + span;
        self.settle();
        while let Some(next) = self.world.next_wake().filter(|next| *next <= end) {
            self.api.now = next.max(self.api.now);
            self.world.wake(&mut self.api);
            self.settle();
            check(&self.api);
        }
        self.api.now = end;
    }

    pub fn get(&self, resource: Resource, name: &str) -> Arc<Value> {
        self.api.get(resource, "default", name).unwrap_or_else(|| panic!("{} {name} is missing", resource.plural))
    }
}

/// A Deployment of pods with a request.
pub fn deployment(name: &str, replicas: u32, cpu: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "default", "name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec(cpu)}},
    })
}

/// A pod's spec with one container and a readiness probe.
pub fn pod_spec(cpu: &str) -> Value {
    json!({"terminationGracePeriodSeconds": 30, "containers": [{
        "name": "main", "image": "shop:1", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}},
        "readinessProbe": {"tcpSocket": {"port": 80}},
    }]})
}
