//! What happens to a world from outside: a list of deeds and their times.
//!
//! A deed that has become impossible (its node is gone, its Deployment deleted) is left out; a script does not know how
//! the world answered.

use keelson_core::Span;

use super::agenda::Role;
use super::desk::{Desk, Looked};
use super::nodes::{self, NodeSpec};
use super::read::Key;
use crate::objects::Write;
use crate::tree::Value;

/// Something done to the world.
#[derive(Debug, Clone)]
pub enum Deed {
    /// A user writes.
    Write(Write<Value>),
    /// A machine is added.
    AddNode(NodeSpec),
    /// A machine goes down without a word.
    Kill(String),
    /// It comes back.
    Recover(String),
    /// A Spot machine gets notice.
    Reclaim(String, Span),
}

/// Puts deeds on the agenda, counted from now; each is done again after `again`.
pub fn follow(desk: &mut Desk<'_>, deeds: Vec<(Span, Deed)>, again: Option<Span>) {
    for (after, deed) in deeds {
        let number = desk.state.deeds.len();
        desk.state.deeds.push((deed, again));
        desk.at(desk.now + after, Role::Script, Key::cluster(number.to_string()));
    }
}

/// Does one deed.
///
/// # Errors
/// None that matter: what is refused is left out.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let number = key.name.parse::<usize>().ok();
    let Some((deed, again)) = number.and_then(|number| desk.state.deeds.get(number)).cloned() else { return Ok(()) };
    if let Some(again) = again {
        desk.at(desk.now + again, Role::Script, key.clone());
    }
    let done = match deed {
        Deed::Write(write) => desk.write(write).map(drop),
        Deed::AddNode(spec) => nodes::add(desk, &spec),
        Deed::Kill(node) => nodes::kill(desk, &node),
        Deed::Recover(node) => nodes::recover(desk, &node),
        Deed::Reclaim(node, notice) => nodes::reclaim(desk, &node, notice),
    };
    if let Err(refusal) = done {
        tracing::debug!(%refusal, "a deed of the script was refused");
    }
    Ok(())
}
