//! Machines that die without a word.
//!
//! A fault of the world, switched by [`super::Settings::dying_nodes`]: every now and then some machine is down and comes
//! back a while later, beside whatever a scenario does. Which, when and for how long is drawn from the seed.
//!
//! Promises: a world without the setting draws nothing; a machine that is down already is not killed again.

use keelson_core::Span;

use super::agenda::Role;
use super::desk::{Desk, Looked};
use super::kinds::NODES;
use super::nodes;
use super::read::Key;
use super::script::{self, Deed};
use crate::objects::Event;

/// How long a machine is down: sometimes shorter than it takes the cluster to notice, sometimes long enough for its pods
/// to be moved.
const DOWN: (Span, Span) = (Span::seconds(20), Span::minutes(20));

/// The first machine starts it.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == NODES && event.before.is_none() && desk.state.deaths == 0 {
        await_next(desk);
    }
}

/// Kills a machine.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>) -> Looked {
    let number = desk.state.deaths.to_string();
    desk.state.deaths += 1;
    await_next(desk);
    let up: Vec<&String> =
        desk.state.hosts.iter().filter(|(_, host)| host.down_since.is_none()).map(|(name, _)| name).collect();
    let chance = desk.state.chance;
    let drawn = chance.below("death", &number, u64::try_from(up.len()).unwrap_or(0));
    let Some(victim) = usize::try_from(drawn).ok().and_then(|drawn| up.get(drawn)).map(ToString::to_string) else {
        return Ok(());
    };
    script::follow(desk, vec![(chance.span("down", &number, DOWN.0, DOWN.1), Deed::Recover(victim.clone()))], None);
    nodes::kill(desk, &victim)
}

/// Half to one and a half times as long as the setting says.
fn await_next(desk: &mut Desk<'_>) {
    let Some(about) = desk.state.settings.dying_nodes else { return };
    let (least, most) = (Span(about.0 / 2), Span(about.0.saturating_add(about.0 / 2)));
    let pause = desk.state.chance.span("calm", &desk.state.deaths.to_string(), least, most);
    desk.at(desk.now + pause, Role::Death, Key::cluster(""));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::world::Settings;
    use crate::world::rig::Scene;
    use keelson_core::Span;

    fn day(dying_nodes: Option<Span>) -> (u64, usize) {
        let mut scene = Scene::new(7, Settings { dying_nodes, ..Settings::default() }).nodes(5, 4, 16);
        scene.rest(Span::hours(24));
        let down = scene.world.state.hosts.values().filter(|host| host.down_since.is_some()).count();
        (scene.world.fired().get("dying_node").copied().unwrap_or(0), down)
    }

    #[test]
    fn machines_die_about_as_often_as_is_set_and_come_back() {
        let (died, down) = day(Some(Span::hours(1)));
        assert!((18..=32).contains(&died), "{died}");
        assert!(down <= 2, "{down} of them are still down");
        assert_eq!(day(Some(Span::hours(1))), (died, down), "the same seed, the same deaths");
    }

    #[test]
    fn nothing_dies_unless_it_is_switched_on() {
        assert_eq!(day(None), (0, 0));
    }
}
