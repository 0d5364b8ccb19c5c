//! The smallest volume at hand that a node reaches.
//!
//! What lies in the claim and the volume is compared once; a node is then asked only about the volumes whose affinity names
//! one of its labels' values: local volumes by the thousand cost a node no more than its own.
//!
//! Promise: among volumes of one size the first by name is taken; kube-scheduler takes one by chance.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::selector::Operator;

use super::{Volume, VolumeClaim, Volumes};
use crate::affinity::NodeTerm;
use crate::node::Node;

/// The volumes that a claim may be bound to.
#[derive(Debug, Clone, Default)]
pub(super) struct Matching<'a> {
    /// Kept for the claim; when there is one, no other is looked at.
    kept: Vec<&'a Volume>,
    /// Smallest first.
    list: Vec<&'a Volume>,
    keys: BTreeSet<&'a str>,
    /// By label and value: the places in the list of the volumes that only nodes with it reach.
    by_label: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    /// The places of the others.
    anywhere: Vec<usize>,
}

impl<'a> Matching<'a> {
    /// `taken` names, by volume, the claims that other pods' plans bind it to.
    pub(super) fn of(claim: &VolumeClaim, volumes: &'a Volumes, taken: &BTreeMap<&str, &'a str>) -> Self {
        let bytes = claim.bytes.unwrap_or(0);
        let key = claim.key();
        let fits = |volume: &Volume| {
            volume.bytes >= bytes
                && volume.block == claim.block
                && volume.attributes == claim.attributes
                && volume.class == claim.class
                && !volume.leaving
        };
        let ours = taken.iter().filter(|(_, other)| **other == key).filter_map(|(volume, _)| volumes.volume(volume));
        let known =
            volumes.kept_for(claim).filter(|volume| volume.claim.as_ref().is_some_and(|kept| kept.names(claim)));
        let kept: Vec<&Volume> = known.chain(ours).filter(|volume| fits(volume)).collect();
        let mut matching = Self { kept, ..Self::default() };
        if !matching.kept.is_empty() {
            return matching;
        }
        let selected = |volume: &Volume| claim.selector.as_ref().is_none_or(|wanted| wanted.matches(&volume.labels));
        let at_hand = volumes.at_hand(&claim.class, bytes);
        let free = at_hand.filter(|volume| !taken.contains_key(volume.name.as_str()));
        matching.list =
            free.filter(|volume| fits(volume) && selected(volume) && claim.modes.is_subset(&volume.modes)).collect();
        for (place, volume) in matching.list.iter().enumerate() {
            let pins = volume.affinity.as_ref().map(|terms| terms.iter().map(pin).collect::<Option<Vec<_>>>());
            let Some(Some(pins)) = pins else {
                matching.anywhere.push(place);
                continue;
            };
            for (key, values) in pins {
                matching.keys.insert(key);
                for value in values {
                    matching.by_label.entry((key, value)).or_default().push(place);
                }
            }
        }
        matching
    }

    /// The volume for a claim on a node, besides those that are chosen already.
    pub(super) fn on(&self, node: &Node, chosen: &[(&VolumeClaim, &'a Volume)]) -> Option<&'a Volume> {
        let free = |volume: &&Volume| !chosen.iter().any(|(_, other)| other.name == volume.name);
        if !self.kept.is_empty() {
            return self.kept.iter().copied().filter(free).find(|volume| reaches(node, volume.affinity.as_deref()));
        }
        let labels = self.keys.iter().filter_map(|key| Some((*key, node.labels.get(*key)?.as_str())));
        let named = labels.filter_map(|label| self.by_label.get(&label));
        let places = named.chain([&self.anywhere]).filter_map(|places| {
            let mut fitting = places.iter().filter(|place| {
                let volume = self.list.get(**place).copied();
                volume.filter(free).is_some_and(|volume| reaches(node, volume.affinity.as_deref()))
            });
            fitting.next()
        });
        places.min().and_then(|place| self.list.get(*place).copied())
    }
}

/// A label without one of whose values no node meets the term.
fn pin(term: &NodeTerm) -> Option<(&str, impl Iterator<Item = &str>)> {
    let wanted = term.labels.iter().find(|wanted| wanted.op == Operator::In)?;
    Some((wanted.key.as_str(), wanted.values.iter().map(String::as_str)))
}

/// Whether a node reaches a volume of this affinity.
pub(super) fn reaches(node: &Node, affinity: Option<&[NodeTerm]>) -> bool {
    affinity.is_none_or(|terms| terms.iter().any(|term| term.matches_labels(&node.labels)))
}
