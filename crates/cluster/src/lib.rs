//! One pure state of nodes and pods, as placement sees them.
//!
//! Events go in, views come out: the scheduler's loop owns a [`State`] and applies what the caches say and what it has
//! just decided itself; explain, what-if and the page read a [`View`], which is cheap to make and never changes.
//!
//! | room | what it holds |
//! |---|---|
//! | [`read`] | Kubernetes' Node and Pod in placement's words, with what could not be read |
//! | [`repel`] | existing pods' required anti-affinity |
//! | [`state`] | events in |
//! | [`view`], [`cell`] | views out, and the page's rows |

pub mod blocks;
pub mod cell;
pub mod read;
pub mod repel;
pub mod state;
pub mod view;

pub use cell::Cell;
pub use read::{Problem, ReadNode, ReadPod};
pub use repel::Repel;
pub use state::{Event, State};
pub use view::{Member, Nominated, View};
