//! The reconcile framework.
//!
//! What every operator would otherwise write for itself, once and right. So far its pure parts, each a state machine
//! that is handed the time and can be tested to the microsecond:
//!
//! | room | what it promises |
//! |---|---|
//! | [`backoff`] | an item's delay grows with its failures, never with the chatter around it |
//! | [`queue`] | urgent keys first, namespaces in turn, no key twice at once |
//! | [`elector`] | one leader, without trusting another machine's clock, and a fencing number for each |

pub mod backoff;
pub mod elector;
pub mod queue;
