//! Step 7: what the feature needs and answers, and how it starts.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use keelson_core::{Feature, Mode, Span};
use keelson_runtime::answers::{Access, AnswerError};
use keelson_runtime::operator::{Listener, Operator, Running};
use keelson_runtime::{Answers, Cache, Clock, Delta, Inbox, Options, Permissions, Rule, Runtime, StartError};
use serde_json::{Value, json};

use crate::controller::Nights;
use crate::decide::wanted;
use crate::hours::Hours;
use crate::snapshot::{Snapshot, reference};
use crate::words::FEATURE;

/// The feature, not started yet.
pub struct Night {
    deployments: Cache<Deployment>,
    clock: Clock,
    hours: Hours,
}

impl Night {
    /// With these hours.
    #[must_use]
    pub fn new(runtime: &Runtime, hours: Hours) -> Self {
        Self { deployments: runtime.cache(), clock: runtime.clock(), hours }
    }
}

impl Operator for Night {
    const FEATURE: Feature = FEATURE;

    fn permissions(ceiling: Mode) -> Permissions {
        let see = Rule::follow("apps", &["deployments"]);
        match ceiling {
            Mode::Off => Permissions::default(),
            Mode::Observe => Permissions(vec![see]),
            // A scale is read, and written over the version that was read.
            Mode::Enforce => Permissions(vec![see, Rule::new("apps", &["deployments/scale"], &["get", "patch"])]),
        }
    }

    fn answers(&self) -> Answers {
        let (deployments, clock, hours) = (self.deployments.clone(), self.clock, self.hours);
        let schema =
            json!({"type": "object", "required": ["namespace"], "properties": {"namespace": {"type": "string"}}});
        let access = Access { verb: "list", group: "apps", resource: "deployments", namespace: Some("namespace") };
        let about = "Which Deployments of a namespace sleep at night, and how many replicas each should have now.";
        Answers::default().with(("night.list", about), schema, access, move |question: Value| {
            let deployments = deployments.clone();
            let namespace = question.get("namespace").and_then(Value::as_str).map(str::to_owned);
            async move {
                let problem = || AnswerError::Invalid { field: "namespace".into(), problem: "name one".into() };
                let namespace = namespace.ok_or_else(problem)?;
                let now = clock.now();
                let mine = deployments.list_in(&namespace);
                let told = mine.filter_map(|one| Snapshot::of(&one, hours)).map(|seen| match wanted(&seen, now) {
                    Ok(wanted) => json!({"name": seen.deployment.name, "replicas": seen.replicas, "wanted": wanted}),
                    Err(problem) => json!({"name": seen.deployment.name, "problem": problem}),
                });
                Ok(json!({"next_turn": hours.next_turn(now).to_string(), "deployments": told.collect::<Vec<_>>()}))
            }
        })
    }

    fn listeners(&self) -> Vec<Listener> {
        Vec::new()
    }

    fn start(self, runtime: &Runtime) -> Result<Running, StartError> {
        let (effects, history) = (Arc::default(), Arc::clone(runtime.history()));
        let nights = Nights { deployments: self.deployments, hours: self.hours, effects, history };
        let inbox = runtime.run_controller(nights.clone(), Options::default());
        let rt = runtime.clone();
        let follow = move || follow(rt.clone(), nights.clone(), inbox.clone());
        Ok(Running(vec![runtime.spawn("night", follow)]))
    }
}

/// Asks for every Deployment that changes, and tells what came of those that were scaled; until the runtime stops.
async fn follow(runtime: Runtime, nights: Nights, inbox: Inbox<Nights>) {
    let (clock, mut changes) = (runtime.clock(), nights.deployments.subscribe());
    let mut stopping = std::pin::pin!(runtime.stopping());
    loop {
        tokio::select! {
            biased;
            () = &mut stopping => return,
            delta = changes.next() => match delta {
                Delta::Restarted(all) => all.for_each(|one| inbox.add(reference(&one).path())),
                Delta::Applied(one) => inbox.add(reference(&one).path()),
                Delta::Deleted(_) => {}
            },
            // For those whose pods do not come: nothing else would wake it.
            () = clock.sleep(Span::minutes(1)) => {}
        }
        nights.measure(clock.now());
    }
}
