//! What the interfaces of nodes carry, as far as it is believed, and what pods are seen to use of them.

use std::collections::HashMap;
use std::sync::Arc;

use keelson_cluster::{Event, Heard};
use keelson_core::{Condition, NodeBandwidth, Timestamp, WorkloadUsage};
use keelson_placement::Node;

use super::Mind;
use crate::queue::Waits;
use crate::{interfaces, learned};

/// What was heard, and what the state was told of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Interfaces {
    known: Arc<NodeBandwidth>,
    usage: Arc<WorkloadUsage>,
    /// What pods may ask for of what an interface carries, in thousandths.
    limit: i64,
    told: HashMap<String, Heard>,
    /// When the first measurement stops to count.
    stale: Option<Timestamp>,
    /// How many there are of each of [`interfaces::STATES`].
    counts: [usize; 4],
    condition: Option<Condition>,
}

impl Interfaces {
    pub(super) const fn due(&self) -> Option<Timestamp> {
        self.stale
    }
}

impl Mind {
    /// The interfaces as they are known.
    #[must_use]
    pub const fn interfaces(&self) -> &Arc<NodeBandwidth> {
        &self.interfaces.known
    }

    /// How many there are of each of [`interfaces::STATES`].
    #[must_use]
    pub const fn interface_counts(&self) -> [usize; 4] {
        self.interfaces.counts
    }

    /// Whether some of their measurements are left out; none before they were read.
    #[must_use]
    pub const fn interface_condition(&self) -> Option<&Condition> {
        self.interfaces.condition.as_ref()
    }

    /// They are known anew.
    pub fn bandwidth(&mut self, known: Arc<NodeBandwidth>, now: Timestamp) {
        let gone: Vec<String> =
            self.interfaces.told.keys().filter(|node| !known.0.contains_key(*node)).cloned().collect();
        for node in gone {
            self.interfaces.told.remove(&node);
            self.hear(node, None, now);
        }
        self.interfaces.known = known;
        self.believe(now);
        self.learn(now);
    }

    /// What workloads use is known anew; nothing where it is not to be learned from.
    pub fn usage(&mut self, usage: Arc<WorkloadUsage>, now: Timestamp) {
        self.interfaces.usage = usage;
        self.learn(now);
    }

    /// Has pods ask for what is known. Whoever asks for less leaves room to others, and may find some itself.
    fn learn(&mut self, now: Timestamp) {
        let Interfaces { known, usage, limit, .. } = &self.interfaces;
        let learned = learned::learned(usage, known, *limit);
        if learned != *self.state.live().learned() {
            self.state.apply(Event::UsageLearned(learned));
            self.queue.changed(Waits::NODE, now, |_| true);
        }
    }

    /// Pods may ask for another share of what interfaces carry, in thousandths.
    pub fn bandwidth_limit(&mut self, limit: i64, now: Timestamp) {
        self.interfaces.limit = limit;
        self.state.apply(Event::BandwidthLimit(limit));
        self.queue.changed(Waits::NODE, now, |_| true);
        self.learn(now);
    }

    /// What was measured too long ago counts no more.
    pub(super) fn age(&mut self, now: Timestamp) {
        if self.interfaces.stale.is_some_and(|stale| stale <= now) {
            self.believe(now);
        }
    }

    /// Tells the state of every interface that is to be seen otherwise now.
    fn believe(&mut self, now: Timestamp) {
        let known = Arc::clone(&self.interfaces.known);
        for (node, interface) in &known.0 {
            let heard = interfaces::heard(interface, now);
            if self.interfaces.told.get(node) != Some(&heard) {
                self.interfaces.told.insert(node.clone(), heard);
                self.hear(node.clone(), Some(heard), now);
            }
        }
        self.interfaces.stale = interfaces::next_stale(&known, now);
        self.interfaces.counts = interfaces::counts(&known, now);
        self.interfaces.condition = Some(interfaces::condition(&known, now));
    }

    fn hear(&mut self, node: String, heard: Option<Heard>, now: Timestamp) {
        let waits = self.queue.counts();
        let before: Option<Node> = (waits.waiting + waits.in_flight > 0)
            .then(|| self.state.member(&node).map(|member| member.node.clone()))
            .flatten();
        self.state.apply(Event::InterfaceHeard { node: node.clone(), heard });
        if let Some(before) = before {
            self.changed_on(&node, Some(&before), now);
        }
    }
}

#[cfg(test)]
mod tests;
