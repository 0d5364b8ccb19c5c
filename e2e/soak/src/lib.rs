//! Simulated days of the whole platform, with everything going wrong, from a seed.
//!
//! The controller that a Deployment runs is put together twice (two replicas), on a simulated cluster whose pods and
//! machines come and go, behind a net that loses, delays, repeats and refuses. What must hold is checked by those who
//! share nothing with the code under test.
//!
//! | room | what it holds |
//! |---|---|
//! | [`day`] | one day: the world, the replicas, what happens, the report |
//! | [`cast`] | who takes part beside the wear, so that every rule is at stake |
//! | [`weather`] | what happens to the replicas and to the database, drawn from the seed |
//! | [`intermittent`] | a store that can be switched off |
//! | [`books`] | what must hold between the cluster and the recorded decisions |
//! | [`order`] | what must hold although bindings overtake each other |
//! | [`budgets`] | what disruption budgets are worth |
//! | [`units`] | AppGroups as units: all or nothing |
//! | [`patience`] | how long a pod may wait that need not |
//! | [`room`] | where a pod has room, counted plainly for these |
//! | [`verdict`] | what one of these found |
//! | [`report`] | what a day says of itself |
//!
//! ```no_run
//! use keelson_soak::day::{Plan, live};
//! assert!(live(&Plan::full(7))?.breaches.is_empty());
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! Promise: a day is a pure function of its plan. The same plan gives the same trace, to the byte.

pub mod books;
pub mod budgets;
pub mod cast;
pub mod day;
pub mod intermittent;
pub mod order;
pub mod patience;
pub mod report;
pub mod room;
pub mod units;
pub mod verdict;
pub mod weather;
