//! The interfaces of nodes, from whoever measures them.
//!
//! What a node's annotations say that it carries counts; where they say nothing, what was heard. A load counts while it is
//! believed; whether it saturates the interface follows from the loads that were heard.
//!
//! Promise: a load that is taken back leaves the reservations; what a pod that says nothing itself reserves is what is known of
//! its workload at last, in whatever order that and the pod came.

use std::collections::HashMap;
use std::sync::Arc;

use keelson_core::{Direction, Measured, Rates, Timestamp};
use keelson_placement::bandwidth::{LIMIT, Latch, Ledger, Load, Nic, Variation};
use keelson_placement::{Claim, LogChange, Node};

use super::{Kept, State};
use crate::learned::{Learned, ask};

/// What is heard of a node's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// What it can carry; 0 where nobody says.
    pub capacity: Rates,
    /// The last load, when it can be believed now.
    pub load: Option<Measured>,
}

#[derive(Debug, Clone)]
pub(super) struct Interfaces {
    limit: i64,
    heard: HashMap<String, Known>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    heard: Heard,
    latches: [Latch; 2],
    variations: [Variation; 2],
}

impl Default for Interfaces {
    fn default() -> Self {
        Self { limit: LIMIT, heard: HashMap::new() }
    }
}

impl Interfaces {
    /// Whether the limit is another one now.
    pub(super) const fn limit(&mut self, limit: i64) -> bool {
        let before = std::mem::replace(&mut self.limit, limit);
        before != limit
    }

    /// The share of what is carried that pods may take, in thousandths.
    pub(super) const fn share(&self) -> i64 {
        self.limit
    }

    /// Takes in what was heard of a node that carries so much by its annotations; nothing when nobody measures it any more.
    pub(super) fn hear(&mut self, node: &str, carries: Rates, heard: Option<Heard>) {
        let Some(heard) = heard else {
            self.heard.remove(node);
            return;
        };
        let known = self.heard.entry(node.to_owned()).or_default();
        known.heard = heard;
        if let Some(Measured { rates, at, .. }) = heard.load {
            let capacity = capacity(carries, heard.capacity);
            let known = known.latches.iter_mut().zip(&mut known.variations);
            for ((latch, variation), direction) in known.zip(Direction::BOTH) {
                *latch = latch.after(at, rates.get(direction), capacity.get(direction));
                *variation = variation.after(at, rates.get(direction));
            }
        }
    }

    /// The interface of a node that carries so much by its annotations; `None` when nobody knows it.
    pub(super) fn of(&self, node: &str, carries: Rates) -> Option<Nic> {
        let known = self.heard.get(node).copied().unwrap_or_default();
        let capacity = capacity(carries, known.heard.capacity);
        let load = known.heard.load.map(|Measured { rates, at, window }| Load {
            rates,
            since: Timestamp(at.0.saturating_sub(window.0)),
            saturated: known.latches.map(|latch| latch.saturated),
            varies: {
                let [egress, ingress] = known.variations.map(|variation| variation.deviation());
                Rates { egress, ingress }
            },
        });
        (capacity != Rates::default()).then_some(Nic { capacity, limit: self.limit, load })
    }
}

fn capacity(carries: Rates, heard: Rates) -> Rates {
    Rates::each(|direction| Some(carries.get(direction)).filter(|bits| *bits > 0).unwrap_or(heard.get(direction)))
}

impl State {
    /// A node's interface was measured, or is not any more.
    pub(super) fn interface_heard(&mut self, name: &str, heard: Option<Heard>) {
        let slot = self.slots.get(name).copied();
        let carries = slot.and_then(|slot| self.view.slot(slot)).map(|member| member.carries).unwrap_or_default();
        self.interfaces.hear(name, carries, heard);
        slot.into_iter().for_each(|slot| self.measure(slot));
    }

    /// Workloads were seen to use something else than before: so do their pods that say nothing themselves.
    pub(super) fn usage_learned(&mut self, learned: Learned) {
        if *self.view.learned == learned {
            return;
        }
        let before = std::mem::replace(&mut self.view.learned, Arc::new(learned));
        let known = Arc::clone(&self.view.learned);
        let other = |pod: &Kept| known.of(pod.workload.as_deref()) != before.of(pod.workload.as_deref());
        let uids: Vec<Arc<str>> =
            self.pods.iter().filter(|(_, pod)| other(pod)).map(|(uid, _)| Arc::clone(uid)).collect();
        for uid in uids {
            let Some(pod) = self.pods.get(&uid) else { continue };
            let mut claim = Claim::clone(&pod.claim);
            let learned = ask(&mut claim.requests, pod.learned, known.of(pod.workload.as_deref()));
            let next = Kept { learned, claim: self.claims.share(Arc::new(claim)), ..pod.clone() };
            self.replace(&uid, Some(next));
        }
    }

    /// Holds a node's interface against what is known of it.
    pub(super) fn measure(&mut self, slot: u32) {
        let Some(member) = self.view.slot(slot) else { return };
        let nic = self.interfaces.of(&member.node.name, member.carries);
        if member.node.interface() == nic.as_ref() {
            return;
        }
        let before = taken(&member.node);
        let Some(member) = self.touch(slot) else { return };
        member.node.measure(nic);
        if taken(&member.node) != before {
            self.note(LogChange::Load(slot as usize));
        }
    }
}

/// What is usable of a node's interface, what of that is taken, and how much that varies.
pub(super) fn taken(node: &Node) -> [Option<(i64, i64, i64)>; 2] {
    Direction::BOTH.map(|direction| {
        let varies = node.interface().map_or(0, |nic| nic.varies(direction));
        Ledger::plain(node, direction).map(|ledger| (ledger.usable, ledger.taken(), varies))
    })
}
