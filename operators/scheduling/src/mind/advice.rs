//! What another scheduler was told, and what it has bound.

use keelson_cluster::Event;
use keelson_core::{Decision, Plan, Span, Timestamp};

use super::{Held, Job, Mind, Placement};
use crate::effect::predicted;
use crate::extender::judge::Binding;

impl Mind {
    /// Takes note of what another scheduler was told about a pod.
    pub fn told(&mut self, decision: Decision) -> Job {
        self.books.record(&decision, false);
        let uid = decision.subject.uid.clone();
        let plan = Plan { decisions: vec![decision], ..Plan::default() };
        Job { uid, plan, recording: None, awaits: None, waited: Span::ZERO }
    }

    /// Takes the pod to be where another scheduler has it bound, until that fails.
    pub fn binds(&mut self, Binding { question, node, plan }: Binding, now: Timestamp) -> Job {
        let (pod, decision) = (question.ask.pod, question.ask.decision);
        plan.decisions.iter().for_each(|decision| self.books.record(decision, true));
        let uid = pod.uid.clone();
        if let Some(member) = self.state.member(&node) {
            let shares = predicted(&member.node, &pod);
            self.effects.placed(&pod, Placement { decision, node: node.clone(), at: now, shares });
        }
        let held = Held::by(&uid, &self.state);
        self.state.apply(Event::Assumed { uid: uid.clone(), node, volumes: None });
        self.moved(&uid, held, now);
        Job { uid, plan, recording: None, awaits: Some(1), waited: Span::ZERO }
    }
}
