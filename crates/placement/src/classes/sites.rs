//! The places of network cost: each slot's, and what two of them cost each other.
//!
//! What two places cost is read from the tables once and kept as a row of numbers, for places that have been asked about.

use std::collections::HashMap;

use super::ground::NOWHERE;
use crate::network::{Costs, Distance, Place, Site};
use crate::node::Node;

/// So many rows are kept; more than that begin anew.
const ROWS: usize = 1_024;

#[derive(Debug, Clone, Default)]
pub(super) struct Sites {
    /// The place of each slot.
    pub(super) of: Vec<u32>,
    places: Vec<Site>,
    by_site: HashMap<Site, u32>,
    rows: HashMap<usize, Vec<Distance>>,
}

impl Sites {
    /// How many places there ever were.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Every place there ever was, as far as links go.
    pub(super) fn spots(&self) -> impl Iterator<Item = Place<'_>> {
        self.places.iter().map(|site| Place { rack: None, ..site.place() })
    }

    /// Where a slot is, as far as links go.
    pub(super) fn spot_of(&self, slot: usize) -> Option<Place<'_>> {
        let place = usize::try_from(*self.of.get(slot)?).ok()?;
        self.places.get(place).map(|site| Place { rack: None, ..site.place() })
    }

    /// Puts a slot where its node is; whether that is elsewhere than before.
    pub(super) fn put(&mut self, slot: usize, node: Option<&Node>, costs: &Costs) -> bool {
        let place = node.map_or(NOWHERE, |node| self.place(costs.place_of(node).site()));
        self.of.get_mut(slot).is_some_and(|known| std::mem::replace(known, place) != place)
    }

    fn place(&mut self, site: Site) -> u32 {
        if let Some(place) = self.by_site.get(&site) {
            return *place;
        }
        let place = u32::try_from(self.places.len()).unwrap_or(NOWHERE);
        self.places.push(site.clone());
        self.by_site.insert(site, place);
        place
    }

    /// What a place costs from and to each of the others.
    pub(super) fn row(&mut self, place: usize, costs: &Costs) -> &[Distance] {
        if self.rows.len() >= ROWS && !self.rows.contains_key(&place) {
            self.rows.clear();
        }
        let row = self.rows.entry(place).or_default();
        if let Some(from) = self.places.get(place) {
            row.extend(self.places.iter().skip(row.len()).map(|to| costs.between(from.place(), to.place())));
        }
        row
    }
}
