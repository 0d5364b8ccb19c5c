//! The commands that ask; the ones that run are [`crate::up`] and [`crate::controller`].

pub mod decisions;
pub mod doctor;
pub mod generate;
pub mod leftovers;
pub mod pause;
pub mod replay;
pub mod simulate;
pub mod store;
pub mod uninstall;
pub mod why;
