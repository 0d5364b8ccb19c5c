//! What pods ask of the network that do not say it themselves: what their workload was seen to use.
//!
//! Promise: what a pod says counts before what was learned, direction by direction; who is completed twice is completed as
//! once, with what is known the second time.

use std::collections::HashMap;

use keelson_core::{Direction, Rates, Resources, Workload};

use crate::read::ReadPod;

/// What a pod of each workload asks for, in bits a second; nothing in a direction of which nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned(HashMap<Workload, Rates>);

impl FromIterator<(Workload, Rates)> for Learned {
    fn from_iter<T: IntoIterator<Item = (Workload, Rates)>>(known: T) -> Self {
        Self(known.into_iter().collect())
    }
}

impl Learned {
    /// What is known of a workload.
    #[must_use]
    pub fn of(&self, workload: Option<&Workload>) -> Rates {
        workload.and_then(|workload| self.0.get(workload)).copied().unwrap_or_default()
    }

    /// A pod with what was learned for it.
    #[must_use]
    pub fn complete(&self, mut read: ReadPod) -> ReadPod {
        let known = self.of(read.workload.as_ref());
        read.learned = ask(&mut read.pod.requests, read.learned, known);
        read
    }
}

/// Puts what is known in the place of what was learned before, where the pod says nothing itself; what of it is asked for now.
pub(crate) fn ask(requests: &mut Resources, before: Rates, known: Rates) -> Rates {
    Rates::each(|direction: Direction| {
        let (name, known) = (direction.resource(), known.get(direction));
        let says = before.get(direction) == 0 && requests.get(&name) > 0;
        if says {
            return 0;
        }
        if known > 0 {
            requests.set(name, known);
        } else if before.get(direction) > 0 {
            requests.unset(&name);
        }
        known
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_core::ResourceName;
    use serde_json::json;

    use super::*;
    use crate::read;

    fn workload(name: &str) -> Workload {
        Workload { namespace: "shop".into(), kind: "Deployment".into(), name: name.into() }
    }

    fn pod(annotations: serde_json::Value) -> ReadPod {
        let owner =
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d9", "uid": "r", "controller": true});
        let written = json!({"metadata": {"name": "web-5d9-1", "namespace": "shop", "annotations": annotations,
            "labels": {"pod-template-hash": "5d9"}, "ownerReferences": [owner]}, "spec": {"containers": []}});
        read::pod(&serde_json::from_value(written).unwrap())
    }

    fn asked(read: &ReadPod) -> (i64, i64) {
        (read.pod.requests.get(&ResourceName::Egress), read.pod.requests.get(&ResourceName::Ingress))
    }

    #[test]
    fn a_workload_is_what_a_person_would_name() {
        let of = |kind: &str, name: &str| {
            let owner = json!({"apiVersion": "x", "kind": kind, "name": name, "uid": "r", "controller": true});
            let written = json!({"metadata": {"namespace": "shop", "name": "p", "ownerReferences": [owner],
                "creationTimestamp": "2026-11-30T19:00:05Z", "labels": {"pod-template-hash": "5d9"}}});
            let workload = read::pod(&serde_json::from_value(written).unwrap()).workload;
            workload.map(|workload| workload.to_string()).unwrap_or_default()
        };
        assert_eq!(of("ReplicaSet", "web-5d9"), "Deployment shop/web");
        assert_eq!(of("ReplicaSet", "web-5d8"), "ReplicaSet shop/web-5d8", "it is named by hand");
        assert_eq!(of("Job", "report-29934420"), "CronJob shop/report", "it was due at 19:00");
        assert_eq!(of("Job", "report-20261130"), "Job shop/report-20261130", "that is a day and no minute");
        assert_eq!((of("StatefulSet", "db"), of("Node", "n1")), ("StatefulSet shop/db".to_owned(), String::new()));
    }

    #[test]
    fn what_a_pod_says_itself_counts_before_what_its_workload_was_seen_to_use() {
        let learned = Learned::from_iter([(workload("web"), Rates { egress: 3_000_000, ingress: 1_000_000 })]);
        let silent = learned.complete(pod(json!({})));
        assert_eq!((asked(&silent), silent.learned), ((3_000_000, 1_000_000), learned.of(Some(&workload("web")))));
        let says = learned.complete(pod(json!({"bandwidth.keelson.dev/egress-request": "8M"})));
        assert_eq!((asked(&says), says.learned), ((8_000_000, 1_000_000), Rates { egress: 0, ingress: 1_000_000 }));
        assert_eq!(Learned::default().complete(pod(json!({}))), pod(json!({})));
    }

    #[test]
    fn who_is_completed_again_has_what_is_known_then() {
        let known = |egress| Learned::from_iter([(workload("web"), Rates { egress, ingress: 0 })]);
        let once = known(3_000_000).complete(pod(json!({})));
        assert_eq!(known(3_000_000).complete(once.clone()), once);
        assert_eq!(known(5_000_000).complete(once.clone()), known(5_000_000).complete(pod(json!({}))));
        assert_eq!(Learned::default().complete(once), pod(json!({})), "and nothing when nothing is known any more");
    }
}
