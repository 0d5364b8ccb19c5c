//! What another scheduler was told, and what it has bound.

use keelson_cluster::Event;
use keelson_core::{Plan, Span, Timestamp};

use super::{Held, Job, Mind, Placement};
use crate::effect::predicted;
use crate::extender::judge::{Binding, Note, Ranking};

impl Mind {
    /// Takes note of what another scheduler was told about a pod; what is to be recorded of it.
    pub fn told(&mut self, note: Note) -> Option<Job> {
        match note {
            Note::Ranked { uid, ranking } => {
                self.books.ranked(uid, ranking);
                None
            }
            Note::Decided(decision) => {
                self.books.record(&decision, false);
                let uid = decision.subject.uid.clone();
                let plan = Plan { decisions: vec![*decision], ..Plan::default() };
                Some(Job { uid, plan, recording: None, awaits: None, pass: None, waited: Span::ZERO })
            }
        }
    }

    /// How the nodes of a pod that waits were last found to compare.
    #[must_use]
    pub fn ranking(&self, namespace: &str, name: &str) -> Option<&Ranking> {
        self.books.ranking(self.state.uid_of(&format!("{namespace}/{name}"))?)
    }

    /// Takes the pod to be where another scheduler has it bound, until that fails.
    pub fn binds(&mut self, Binding { question, node, mut plan }: Binding, now: Timestamp) -> Job {
        let (pod, decision) = (question.ask.pod, question.ask.decision);
        let uid = pod.uid.clone();
        for decision in &mut plan.decisions {
            decision.causes = self.books.causes(&decision.subject, &self.standing);
            decision.cause_count = u32::try_from(decision.causes.len()).unwrap_or(u32::MAX);
            self.books.record(decision, true);
        }
        self.books.forget_ranking(&uid);
        if let Some(member) = self.state.member(&node) {
            let shares = predicted(&member.node, &pod);
            self.effects.placed(&pod, Placement { decision, node: node.clone(), at: now, shares });
        }
        let held = Held::by(&uid, &self.state);
        self.state.apply(Event::Assumed { uid: uid.clone(), node, volumes: None });
        self.moved(&uid, held, now);
        Job { uid, plan, recording: None, awaits: Some(1), pass: None, waited: Span::ZERO }
    }
}
