//! What was said last about each pod.
//!
//! The history keeps everything; this is what `why` needs at once and what the next decision names as its cause, bounded.

use std::collections::{BTreeMap, HashMap};

use keelson_core::{Decision, DecisionId, Mode, ObjectRef, Reason, Verb};

use super::Standing;
use crate::extender::judge::Ranking;

/// How many pods are remembered.
const REMEMBERED: usize = 10_000;
/// How many rankings are kept; a pod that is bound or gone needs none.
const RANKED: usize = 1_000;

/// The last decision of each pod.
#[derive(Debug, Clone, Default)]
pub struct Books {
    last: HashMap<String, Last>,
    /// The pods by when they were first spoken of.
    order: BTreeMap<u64, String>,
    spoken: u64,
    /// How the nodes of pods that wait for another scheduler were last found to compare, by uid.
    rankings: HashMap<String, Ranking>,
}

#[derive(Debug, Clone)]
struct Last {
    decision: Decision,
    /// The decision that first said, or last told, that the pod waits as it does.
    waits_since: Option<DecisionId>,
    /// The decision that last evicted others for it.
    made_room: Option<DecisionId>,
    /// Its place in the order.
    number: u64,
}

impl Books {
    /// Remembers a decision; `acts` says whether somebody is told of it.
    pub(super) fn record(&mut self, decision: &Decision, acts: bool) {
        let key = decision.subject.path();
        let before = self.last.get(&key);
        let waits_since = match before.filter(|before| !acts && before.decision.is_repeated_by(decision)) {
            Some(before) => before.waits_since,
            None => matches!(decision.verb, Verb::Wait | Verb::Refuse).then_some(decision.id),
        };
        let evicts = (decision.verb == Verb::Preempt).then_some(decision.id);
        let made_room = evicts.or_else(|| {
            let same = before.filter(|before| before.decision.subject.uid == decision.subject.uid);
            same.and_then(|before| before.made_room)
        });
        let number = before.map_or(self.spoken, |before| before.number);
        if number == self.spoken {
            self.spoken += 1;
            self.order.insert(number, key.clone());
        }
        self.last.insert(key, Last { decision: decision.clone(), waits_since, made_room, number });
        while self.last.len() > REMEMBERED {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.last.remove(&oldest);
        }
    }

    pub(super) fn ranked(&mut self, uid: String, ranking: Ranking) {
        if self.rankings.len() < RANKED || self.rankings.contains_key(&uid) {
            self.rankings.insert(uid, ranking);
        }
    }

    pub(super) fn ranking(&self, uid: &str) -> Option<&Ranking> {
        self.rankings.get(uid)
    }

    pub(super) fn forget_ranking(&mut self, uid: &str) {
        self.rankings.remove(uid);
    }

    pub(super) fn forget(&mut self, key: &str) {
        if let Some(last) = self.last.remove(key) {
            self.order.remove(&last.number);
        }
    }

    /// What led to the next decision about a pod: that it waited, that others were evicted for it, and, when it waited for the
    /// feature to be enforced, the switch.
    pub(super) fn causes(&self, subject: &ObjectRef, standing: &Standing) -> Vec<DecisionId> {
        let last = self.last.get(&subject.path()).filter(|last| last.decision.subject.uid == subject.uid);
        let Some(last) = last else { return Vec::new() };
        let switched = last.decision.reason == Reason::SchedulerNotEnforcing && standing.settings.mode == Mode::Enforce;
        last.waits_since.into_iter().chain(last.made_room).chain(standing.moved_by.filter(|_| switched)).collect()
    }

    /// The last decision about a pod.
    #[must_use]
    pub fn last(&self, namespace: &str, name: &str) -> Option<&Decision> {
        self.last.get(&format!("{namespace}/{name}")).map(|last| &last.decision)
    }
}
