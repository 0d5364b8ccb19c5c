//! A feature gone wrong: it evicts every running pod there is, at once, again and again.
//!
//! Nothing in here holds it back. What does is the runtime's: the disruption gate, the circuit breaker, a pause; the tests
//! beside it show how much it can do before each of them stops it.

use k8s_openapi::api::core::v1::Pod;
use keelson_core::{Action, ActionKind, Decision, Feature, ObjectRef, Plan, Reason, Requeue, Span, Timestamp, Verb};
use keelson_runtime::{Cache, Controller, Delta, Options, Runtime, Task};

/// Evicts everything.
#[derive(Clone)]
pub struct Bully {
    pods: Cache<Pod>,
}

impl Bully {
    /// Lets it loose: the task tells it of every pod that appears or changes.
    #[must_use]
    pub fn start(runtime: &Runtime) -> Task {
        let bully = Self { pods: runtime.cache() };
        let inbox = runtime.run_controller(bully.clone(), Options::default());
        let stops = runtime.clone();
        runtime.spawn("bully", move || {
            let (inbox, mut changes, stopping) = (inbox.clone(), bully.pods.subscribe(), stops.stopping());
            async move {
                let tell = async {
                    loop {
                        match changes.next().await {
                            Delta::Restarted(pods) => pods.for_each(|pod| inbox.add(name(&pod))),
                            Delta::Applied(pod) => inbox.add(name(&pod)),
                            Delta::Deleted(_) => {}
                        }
                    }
                };
                tokio::select! {
                    () = stopping => {}
                    () = tell => {}
                }
            }
        })
    }
}

impl Controller for Bully {
    const NAME: &'static str = "bully";
    const FEATURE: Feature = Feature::Scheduling;
    /// `NAMESPACE/NAME`.
    type Key = String;
    type Snapshot = ObjectRef;

    fn keys(&self) -> Vec<String> {
        self.pods.list().map(|pod| name(&pod)).collect()
    }

    fn flow(key: &String) -> String {
        key.split('/').next().unwrap_or_default().to_owned()
    }

    fn subject(key: &String) -> ObjectRef {
        let (namespace, name) = key.split_once('/').unwrap_or_default();
        ObjectRef::namespaced("Pod", namespace, name)
    }

    fn snapshot(&self, key: &String) -> Option<ObjectRef> {
        let pod = Self::subject(key);
        let there = self.pods.get(&pod.namespace, &pod.name)?;
        let runs = there.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
        let leaves = there.metadata.deletion_timestamp.is_some();
        (runs && !leaves).then(|| pod.with_uid(there.metadata.uid.as_deref().unwrap_or_default()))
    }

    fn decide(pod: &ObjectRef, now: Timestamp) -> Plan {
        let what = (Verb::Configure, Reason::ModeChanged);
        let decision = Decision::new((Self::FEATURE, Self::NAME), 0, pod.clone(), what, format!("{pod} must go."), now);
        let action = Action { decision: decision.id, object: pod.clone(), kind: ActionKind::Evict };
        let requeue = Requeue::After(Span::seconds(1));
        Plan { decisions: vec![decision], actions: vec![action], requeue, ..Plan::default() }
    }
}

fn name(pod: &Pod) -> String {
    let meta = &pod.metadata;
    format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}
