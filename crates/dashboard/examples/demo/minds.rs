//! The made-up evening's answers to the page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use keelson_core::{
    Condition, ConditionStatus, Decision, DecisionId, Feature, Mode, ObjectRef, Reason, Span, Timestamp, Verb,
};
use keelson_dashboard::access::Right;
use keelson_dashboard::view::{
    Cluster, Connection, ConnectionName, Count, Counts, FactView, FeatureView, Nodes, Overview, Preview, Subject,
    Switched, WhatIf, Why,
};
use keelson_dashboard::{Audit, Backend, BackendError, Decisions, Needs, Seen, Subscription};
use keelson_store::{Filter, MAX_PAGE, Store, StoreError};
use serde_json::{Value, json};

use crate::evening::{Evening, World};

fn out_of_reach(error: StoreError) -> BackendError {
    BackendError::Unavailable { message: error.to_string(), fix: "Start the demonstration again.".into() }
}

#[async_trait]
impl Backend for Evening {
    // Nobody signs in to the demonstration: everything is seen.
    fn overview(&self, _: &Seen) -> Arc<Overview> {
        let world = self.world();
        let since = Timestamp(world.now.0 - Span::hours(3).0);
        let connection = |name, ok, detail: &str| Connection { name, ok, since, detail: detail.to_owned() };
        Arc::new(Overview {
            cluster: Cluster {
                name: "streaming-demo".into(),
                now: world.now,
                speed: 60,
                version: env!("CARGO_PKG_VERSION").into(),
                kubernetes: "v1.36.1".into(),
            },
            features: vec![world.scheduling()],
            connections: vec![
                connection(ConnectionName::Api, true, "7 watches, all current."),
                connection(ConnectionName::Store, true, "In memory: decisions are gone when the demonstration ends."),
                connection(
                    ConnectionName::Telemetry,
                    false,
                    "No collector is configured; set OTEL_EXPORTER_OTLP_ENDPOINT to send traces.",
                ),
            ],
            facts: vec![
                FactView {
                    name: "NodeBandwidth".into(),
                    age_us: 1_200_000,
                    stale: false,
                    detail: "50 nodes measured.".into(),
                },
                FactView {
                    name: "TrafficGraph".into(),
                    age_us: 742_000_000,
                    stale: true,
                    detail: "No agent reports edges; scheduling counts replicas a zone instead.".into(),
                },
            ],
        })
    }

    fn namespaces(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn nodes(&self) -> Arc<Nodes> {
        Arc::new(self.world().cluster.view())
    }

    async fn decisions(&self, filter: &Filter) -> Result<Decisions, BackendError> {
        let page = self.store.decisions(filter).await.map_err(out_of_reach)?;
        Ok(Decisions { decisions: page.decisions, next: page.next, partial: false })
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, BackendError> {
        self.store.decision(id).await.map_err(out_of_reach)
    }

    async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, BackendError> {
        self.store.decisions_by_ids(ids).await.map_err(out_of_reach)
    }

    async fn consequences(&self, cause: DecisionId, limit: u32) -> Result<Vec<Decision>, BackendError> {
        self.store.caused_by(cause, limit).await.map_err(out_of_reach)
    }

    async fn subject(&self, object: &ObjectRef, _: &Seen) -> Result<Option<Subject>, BackendError> {
        let filter = Filter {
            kind: Some(object.kind.clone()),
            namespace: (!object.namespace.is_empty()).then(|| object.namespace.clone()),
            name: Some(object.name.clone()),
            limit: 1,
            ..Filter::default()
        };
        let newest = self.store.decisions(&filter).await.map_err(out_of_reach)?.decisions.pop();
        let world = self.world();
        let known = match object.kind.as_str() {
            "Pod" => world.pod(object),
            "Node" => world.node(object),
            _ => None,
        };
        let (sentence, summary) = match (known, &newest) {
            (Some(known), _) => known,
            (None, Some(_)) => (format!("{object} is gone."), BTreeMap::new()),
            (None, None) => return Ok(None),
        };
        Ok(Some(Subject { object: object.clone(), sentence, summary, conditions: Vec::new(), why: newest.map(why) }))
    }

    fn needs(&self, _: Feature, _: &str, _: &Value) -> Result<Needs, BackendError> {
        Ok(Needs::Right(Right::nodes()))
    }

    fn audit(&self, row: Audit) {
        // The switches of the demonstration tell themselves who turned them.
        drop(row);
    }

    async fn ask(&self, feature: Feature, question: &str, params: Value) -> Result<Value, BackendError> {
        match question {
            "what-if" => {
                Ok(json!({ "feature": feature, "given": params, "sentence": "With that change, nothing would move." }))
            }
            _ => Err(BackendError::NotFound {
                what: format!("the question {question:?}"),
                fix: "scheduling answers: what-if.".into(),
            }),
        }
    }

    async fn preview(&self, feature: Feature, mode: Mode, _: &Seen) -> Result<Preview, BackendError> {
        let (since, from) = {
            let world = self.world();
            (Timestamp(world.now.0 - Span::hours(1).0), world.mode)
        };
        let filter = Filter { since: Some(since), limit: MAX_PAGE, ..Filter::default() };
        let page = self.store.decisions(&filter).await.map_err(out_of_reach)?;
        let acting: Vec<_> = page.decisions.iter().filter(|d| d.chosen.is_some()).collect();
        let count = |word: fn(&Decision) -> &'static str| {
            let mut counts = BTreeMap::<_, u64>::new();
            for decision in &page.decisions {
                *counts.entry(word(decision)).or_default() += 1;
            }
            counts.into_iter().map(|(word, count)| Count { word: word.to_owned(), count }).collect()
        };
        Ok(Preview {
            feature,
            from,
            to: mode,
            window_us: Span::hours(1).0,
            actions: if mode == Mode::Enforce { acting.len() as u64 } else { 0 },
            would: acting.iter().take(5).map(|d| d.sentence.clone()).collect(),
            by_verb: count(|d| d.verb.as_str()),
            by_reason: count(|d| d.reason.as_str()),
            waiting_for_us: self.world().waiting(),
        })
    }

    async fn set_mode(&self, feature: Feature, mode: Mode, who: &str) -> Result<Switched, BackendError> {
        let change = {
            let mut world = self.world();
            let sentence = format!("{who} switched {feature} from {} to {mode}.", world.mode);
            world.mode = mode;
            world.configured(Reason::ModeChanged, sentence)
        };
        self.tell(change).await.map_err(out_of_reach)?;
        Ok(Switched { feature, wanted: mode, paused: self.world().paused })
    }

    async fn set_paused(&self, feature: Feature, paused: bool, who: &str) -> Result<Switched, BackendError> {
        let change = {
            let mut world = self.world();
            world.paused = paused;
            let verb = if paused { "paused" } else { "resumed" };
            world.configured(Reason::Paused, format!("{who} {verb} {feature}."))
        };
        self.tell(change).await.map_err(out_of_reach)?;
        Ok(Switched { feature, wanted: self.world().mode, paused })
    }

    fn changes(&self, since: Option<u64>) -> Subscription {
        self.log.subscribe(since)
    }
}

fn why(decision: Decision) -> Why {
    let nearest = decision.candidates.iter().find(|candidate| candidate.failed.len() == 1);
    let changes = match (nearest, decision.verb) {
        (Some(miss), Verb::Wait) => {
            let text = miss.failed.first().map(|check| check.text.clone()).unwrap_or_default();
            vec![WhatIf { sentence: format!("It would fit on {} but for this: {text}.", miss.name), verified: true }]
        }
        _ => vec![],
    };
    Why {
        feature: decision.feature,
        sentence: decision.sentence,
        at: decision.last_at,
        decision: Some(decision.id),
        candidates: decision.candidates,
        changes,
    }
}

impl World {
    fn waiting(&self) -> u64 {
        self.cluster.pods.values().filter(|pod| pod.node.is_none()).count() as u64
    }

    fn scheduling(&self) -> FeatureView {
        let hour = self.sparkline.iter().rev().take(60);
        let placed: i64 = hour.clone().map(|point| point.value).sum();
        let mut sparkline: Vec<_> = hour.copied().collect();
        sparkline.reverse();
        let minute = sparkline.iter().rev().take(5).map(|point| point.value).sum::<i64>();
        let refused = self.cluster.pods.values().filter(|pod| pod.unsupported && pod.node.is_none()).count() as u64;
        let waiting = self.waiting() - refused;
        let headline = match (self.mode, self.paused) {
            (Mode::Off, _) => "Off: nothing is decided.".to_owned(),
            (_, true) => "Paused: it decides, and does nothing.".to_owned(),
            (Mode::Observe, _) => "Compares its choices with default-scheduler's; two of three agree.".to_owned(),
            (Mode::Enforce, _) => format!("{minute} pods placed in the last 5 minutes, {waiting} waiting for room."),
        };
        let placed = u64::try_from(placed).unwrap_or(0);
        FeatureView {
            feature: Feature::Scheduling,
            title: "Scheduling".into(),
            mode: self.mode,
            wanted: self.mode,
            ceiling: Mode::Enforce,
            paused: self.paused,
            breaker: None,
            leading: true,
            fence: 7,
            headline,
            counts: Counts {
                placed,
                waiting,
                refused,
                would: if self.paused || self.mode == Mode::Observe { placed } else { 0 },
                failed: placed / 25,
            },
            sparkline,
            conditions: vec![Condition {
                kind: "Ready".into(),
                status: ConditionStatus::True,
                reason: "Leading".into(),
                message: "The caches are synced and this process leads scheduling.".into(),
            }],
        }
    }

    fn pod(&self, object: &ObjectRef) -> Option<(String, BTreeMap<String, String>)> {
        let pod = self.cluster.pods.get(&(object.namespace.clone(), object.name.clone()))?;
        let node = pod.node.map(|node| self.cluster.nodes[node].name.clone());
        let sentence = match &node {
            Some(node) => format!("Running on {node} since {}.", pod.created),
            None => format!("Pending since {}.", pod.created),
        };
        let phase = if node.is_some() { "Running" } else { "Pending" };
        let rows = [("phase", phase.to_owned()), ("node", node.unwrap_or_default()), ("scheduler", "keelson".into())];
        Some((sentence, rows.map(|(name, value)| (name.to_owned(), value)).into()))
    }

    fn node(&self, object: &ObjectRef) -> Option<(String, BTreeMap<String, String>)> {
        let view = self.cluster.view();
        let node = view.nodes.into_iter().find(|node| node.name == object.name)?;
        let sentence = format!("Ready in {}, {} pods.", node.zone, node.pods);
        let rows = [("zone", node.zone), ("type", node.instance_type), ("cordoned", node.cordoned.to_string())];
        Some((sentence, rows.map(|(name, value)| (name.to_owned(), value)).into()))
    }
}
