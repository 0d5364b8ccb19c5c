//! A feature to copy: it puts Deployments to sleep at night.
//!
//! Whoever annotates a Deployment with `night.example.com/day: "4"` and `night.example.com/night: "1"` has it scaled down at
//! dusk and up again at dawn. It was written from the ten steps of CONTRIBUTING.md, by their text alone, and is what to look
//! at beside them. It is in no program and no cluster: it borrows scheduling's place among the features (see [`words`]), where
//! a feature of the product gets a variant, a block in the Platform and a section on the page.
//!
//! | room | idea | step |
//! |---|---|---|
//! | [`words`] | the feature, its reasons | 1 |
//! | [`hours`] | its settings: when it is night | 2 |
//! | [`snapshot`] | what a decision may see | 4 |
//! | [`decide`] | what it decides; pure | 5 |
//! | [`controller`] | where snapshots come from, and what the runtime calls | 6 |
//! | [`operator`] | rights, questions, start | 7 |
//! | [`effect`] | what came of it; pure | 8 |
//!
//! Promises: nothing is scaled that does not ask for it; what cannot be read is refused by its field's name; between two turns
//! of the clock nothing is decided.

pub mod controller;
pub mod decide;
pub mod effect;
pub mod hours;
pub mod operator;
pub mod snapshot;
pub mod words;

pub use operator::Night;
