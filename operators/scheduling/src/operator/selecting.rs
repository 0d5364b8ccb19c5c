//! Services, and the workloads that make pods, as one stream: pods that say nothing about it are spread by them.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{ReplicationController, Service};
use keelson_cluster::read::{ReadSelecting, Selecting, selecting};
use keelson_runtime::Runtime;
use keelson_runtime::cache::{Cached, Delta, Subscription};
use keelson_runtime::permissions::Rule;

use crate::mind::Mind;

/// How many kinds there are.
const KINDS: usize = 4;

/// What following them needs.
pub(super) fn permissions() -> [Rule; 2] {
    [Rule::follow("", &["replicationcontrollers", "services"]), Rule::follow("apps", &["replicasets", "statefulsets"])]
}

/// What is heard of one kind.
pub(super) enum Heard {
    All(Selecting, Vec<ReadSelecting>),
    Applied(Box<ReadSelecting>),
    Gone(Box<ReadSelecting>),
}

pub(super) struct Selectors {
    services: Subscription<Service>,
    controllers: Subscription<ReplicationController>,
    sets: Subscription<ReplicaSet>,
    stateful: Subscription<StatefulSet>,
    read: BTreeSet<Selecting>,
}

impl Selectors {
    pub(super) fn follow(rt: &Runtime) -> Self {
        Self {
            services: rt.cache().subscribe(),
            controllers: rt.cache().subscribe(),
            sets: rt.cache().subscribe(),
            stateful: rt.cache().subscribe(),
            read: BTreeSet::new(),
        }
    }

    /// Whether every kind was read once.
    pub(super) fn is_read(&self) -> bool {
        self.read.len() == KINDS
    }

    /// The next that is heard. Nothing is lost when it is dropped before it ends.
    pub(super) async fn next(&mut self) -> Heard {
        let heard = tokio::select! {
            biased;
            delta = self.services.next() => heard(Selecting::Service, delta, selecting::service),
            delta = self.controllers.next() => {
                heard(Selecting::ReplicationController, delta, selecting::replication_controller)
            }
            delta = self.sets.next() => heard(Selecting::ReplicaSet, delta, selecting::replica_set),
            delta = self.stateful.next() => heard(Selecting::StatefulSet, delta, selecting::stateful_set),
        };
        if let Heard::All(kind, _) = &heard {
            self.read.insert(*kind);
        }
        heard
    }
}

fn heard<K: Cached>(kind: Selecting, delta: Delta<K>, read: fn(&K) -> ReadSelecting) -> Heard {
    match delta {
        Delta::Restarted(all) => Heard::All(kind, all.into_iter().map(|object| read(&object)).collect()),
        Delta::Applied(object) => Heard::Applied(Box::new(read(&object))),
        Delta::Deleted(object) => Heard::Gone(Box::new(read(&object))),
    }
}

impl Heard {
    pub(super) fn told(self, mind: &mut Mind) {
        match self {
            Self::All(kind, all) => mind.selecting_listed(kind, all),
            Self::Applied(read) => mind.selecting(*read),
            Self::Gone(read) => mind.selecting_gone(*read),
        }
    }
}
