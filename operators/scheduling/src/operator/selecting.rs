//! Services, and the workloads that make pods, as one stream: pods that say nothing about it are spread by them.

use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{ReplicationController, Service};
use keelson_cluster::read::{ReadSelecting, Selecting, selecting};
use keelson_runtime::Runtime;
use keelson_runtime::cache::Subscription;
use keelson_runtime::permissions::Rule;

use super::kinds::{self, Known};
use crate::mind::Mind;

/// How many kinds there are.
const KINDS: usize = 4;

/// What following them needs.
pub(super) fn permissions() -> [Rule; 2] {
    [Rule::follow("", &["replicationcontrollers", "services"]), Rule::follow("apps", &["replicasets", "statefulsets"])]
}

/// What is heard.
pub(super) type Heard = kinds::Heard<Selecting, ReadSelecting>;

pub(super) struct Selectors {
    services: Subscription<Service>,
    controllers: Subscription<ReplicationController>,
    sets: Subscription<ReplicaSet>,
    stateful: Subscription<StatefulSet>,
    known: Known<Selecting>,
}

impl Selectors {
    pub(super) fn follow(rt: &Runtime) -> Self {
        Self {
            services: rt.cache().subscribe(),
            controllers: rt.cache().subscribe(),
            sets: rt.cache().subscribe(),
            stateful: rt.cache().subscribe(),
            known: Known::none_of(KINDS),
        }
    }

    /// Whether every kind was read once.
    pub(super) fn is_read(&self) -> bool {
        self.known.is_whole()
    }

    /// The next that is heard. Nothing is lost when it is dropped before it ends.
    pub(super) async fn next(&mut self) -> Heard {
        let heard = tokio::select! {
            biased;
            delta = self.services.next() => Heard::of(Selecting::Service, delta, selecting::service),
            delta = self.controllers.next() => {
                Heard::of(Selecting::ReplicationController, delta, selecting::replication_controller)
            }
            delta = self.sets.next() => Heard::of(Selecting::ReplicaSet, delta, selecting::replica_set),
            delta = self.stateful.next() => Heard::of(Selecting::StatefulSet, delta, selecting::stateful_set),
        };
        self.known.noting(heard)
    }
}

impl Heard {
    pub(super) fn told(self, mind: &mut Mind) {
        match self {
            Self::All(kind, all) => mind.selecting_listed(kind, all),
            Self::Applied(read) => mind.selecting(*read),
            Self::Gone(_, read) => mind.selecting_gone(*read),
        }
    }
}
