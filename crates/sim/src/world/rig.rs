//! A world over the API double, for the world's own tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use keelson_core::{Span, Timestamp};

use super::kinds::{NODES, PODS};
use super::nodes::NodeSpec;
use super::replicaset::is_active;
use super::{Settings, World};
use crate::api::{Api, Config};
use crate::objects::{Cluster, Event, Resource, Write};
use crate::tree::{Value, json};

/// An API, the world behind it, and the time.
pub struct Scene {
    pub api: Api,
    pub world: World,
    pub now: Timestamp,
    pub log: Vec<Event>,
}

impl Scene {
    pub fn new(seed: u64, settings: Settings) -> Self {
        let api = Api::new(Config { seed, ..Config::default() });
        let now = Timestamp::parse("2026-05-20T17:00:00Z").unwrap();
        Self { api, world: World::new(seed, settings), now, log: Vec::new() }
    }

    pub fn nodes(mut self, count: usize, cpu: u32, memory_gib: u32) -> Self {
        let known = self.list(NODES).len();
        for n in known..known + count {
            let zone = format!("eu-west-1{}", ["a", "b", "c"][n % 3]);
            let spec = NodeSpec::new(&format!("node-{n}"), &zone, "m6i.large", cpu, memory_gib);
            self.act(|world, cluster| world.add_node(&spec, cluster).unwrap());
        }
        self
    }

    pub fn act<T>(&mut self, act: impl FnOnce(&mut World, &mut dyn Cluster) -> T) -> T {
        act(&mut self.world, &mut self.api.cluster(self.now))
    }

    pub fn write(&mut self, write: Write<Value>) -> Arc<Value> {
        self.api.cluster(self.now).change(write).unwrap()
    }

    pub fn create(&mut self, resource: Resource, object: Value) -> Arc<Value> {
        self.write(Write::Create(resource, object))
    }

    pub fn merge(&mut self, resource: Resource, name: &str, patch: Value) {
        let (namespace, name) = ("default".to_owned(), name.to_owned());
        self.write(Write::Merge { resource, namespace, name, subresource: "", patch });
    }

    pub fn delete(&mut self, resource: Resource, name: &str) {
        let (namespace, name) = ("default".to_owned(), name.to_owned());
        self.write(Write::Delete { resource, namespace, name, uid: None, grace_seconds: None });
    }

    /// Enters every event there is.
    pub fn settle(&mut self) {
        loop {
            let events = self.api.drain_events();
            if events.is_empty() {
                return;
            }
            for event in events {
                self.world.on_event(&event, &mut self.api.cluster(self.now));
                self.log.push(event);
            }
        }
    }

    /// Lets time pass; `check` sees the API after every moment.
    pub fn run(&mut self, span: Span, mut check: impl FnMut(&dyn Cluster)) {
        let end = self.now + span;
        self.settle();
        while let Some(next) = self.world.next_wake().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.world.wake(&mut self.api.cluster(self.now));
            self.settle();
            check(&self.api.cluster(self.now));
        }
        self.now = end;
    }

    pub fn rest(&mut self, span: Span) {
        self.run(span, |_| ());
    }

    pub fn list(&mut self, resource: Resource) -> Vec<Arc<Value>> {
        self.api.cluster(self.now).all(resource)
    }

    pub fn pods(&mut self) -> Vec<Arc<Value>> {
        active(&self.api.cluster(self.now))
    }

    pub fn get(&mut self, resource: Resource, name: &str) -> Arc<Value> {
        self.find(resource, "default", name).unwrap_or_else(|| panic!("{} {name} is missing", resource.plural))
    }

    pub fn find(&mut self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.api.cluster(self.now).find(resource, namespace, name)
    }
}

/// The pods that are neither finished nor leaving.
pub fn active(cluster: &dyn Cluster) -> Vec<Arc<Value>> {
    cluster.all(PODS).into_iter().filter(|pod| is_active(pod)).collect()
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
