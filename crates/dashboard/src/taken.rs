//! A place among all who do something for long, and among what one person does.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::{Gate, Place, Places, Viewer};
use crate::serve::App;

/// Both places, until it is dropped.
pub struct Taken {
    _all: OwnedSemaphorePermit,
    _theirs: Option<Place<String>>,
}

impl Taken {
    /// Takes one of `most` places and, where people sign in, one of the caller's own; otherwise says how many are taken.
    pub fn one(
        (all, most): (&Arc<Semaphore>, usize),
        (app, viewer, theirs): (&App, &Viewer, impl Fn(&Gate) -> Arc<Places<String>>),
        what: &str,
    ) -> Result<Self, String> {
        let theirs = match (&app.gate, viewer.caller()) {
            (Some(gate), Some(caller)) => {
                let places = theirs(gate);
                Some(places.take(&caller.user).ok_or_else(|| format!("{} of your {what}", places.each()))?)
            }
            _ => None,
        };
        let all = Arc::clone(all).try_acquire_owned().map_err(|_| format!("{most} {what}"))?;
        Ok(Self { _all: all, _theirs: theirs })
    }
}
