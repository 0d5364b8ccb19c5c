//! Keeps a world running beside its API.
//!
//! [`Simulation::run`] sleeps until something changes or something is due, on tokio's time: on a paused runtime a day
//! passes as fast as it is computed. [`play`] does the same without a runtime. [`Simulation::act`] does something to
//! the world from outside at this moment.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use keelson_core::{Span, Timestamp};

use super::World;
use crate::api::Api;
use crate::face::Shared;
use crate::objects::{Cluster, Event};
use crate::tree::Value;

/// A world and its API.
#[derive(Debug, Clone)]
pub struct Simulation {
    shared: Shared,
    world: Arc<Mutex<World>>,
}

/// How often `metrics.k8s.io` is fed.
const METRICS_EVERY: Span = Span::seconds(15);

impl Simulation {
    /// Puts a world behind an API. Nothing happens before [`Simulation::run`].
    #[must_use]
    pub fn new(shared: Shared, world: World) -> Self {
        Self { shared, world: Arc::new(Mutex::new(world)) }
    }

    /// The API.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Does something to the world now. What it writes wakes the world.
    pub fn act<T>(&self, act: impl FnOnce(&mut World, &mut dyn Cluster) -> T) -> T {
        self.with(|world, api, now| act(world, &mut api.cluster(now)))
    }

    /// The world is locked before the API, everywhere.
    fn with<T>(&self, act: impl FnOnce(&mut World, &mut Api, Timestamp) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.with(|api, now| act(&mut world, api, now))
    }

    /// Runs for ever. `observe` sees every event of the cluster, in order.
    pub async fn run(self, mut observe: impl FnMut(&Event, Timestamp) + Send) {
        let mut changes = self.shared.changes();
        let clock = self.shared.clock();
        loop {
            changes.mark();
            let next = self.with(|world, api, now| catch_up(world, api, now, &mut observe));
            // Without anything to do only a change can bring something.
            let due = async {
                match next {
                    Some(next) => clock.sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = changes.changed() => {}
                () = due => {}
            }
        }
    }

    /// Feeds `metrics.k8s.io` every 15 seconds, for ever.
    pub async fn feed_metrics(self) {
        let clock = self.shared.clock();
        let mut told = BTreeSet::new();
        loop {
            told = self.with(|world, api, now| {
                let mut fresh = BTreeSet::new();
                world.measure(now, |space, name, value| {
                    api.set_metrics(space, name, value);
                    fresh.insert((space.to_owned(), name.to_owned()));
                });
                told.difference(&fresh).for_each(|(space, name)| api.set_metrics(space, name, Value::Null));
                fresh
            });
            clock.sleep_until(clock.now() + METRICS_EVERY).await;
        }
    }
}

/// Enters every event and does everything that is due; says when there is more to do.
pub fn catch_up(
    world: &mut World,
    api: &mut Api,
    now: Timestamp,
    mut observe: impl FnMut(&Event, Timestamp),
) -> Option<Timestamp> {
    loop {
        let events = api.drain_events();
        for event in &events {
            observe(event, now);
            world.on_event(event, &mut api.cluster(now));
        }
        match world.next_wake() {
            Some(next) if next <= now => world.wake(&mut api.cluster(now)),
            next if events.is_empty() => return next,
            _ => {}
        }
    }
}

/// Plays a world without a runtime: from `from` to `until`, jumping from one thing to do to the next.
pub fn play(
    world: &mut World,
    api: &mut Api,
    from: Timestamp,
    until: Timestamp,
    mut observe: impl FnMut(&Event, Timestamp),
) {
    let mut now = from;
    while let Some(next) = catch_up(world, api, now, &mut observe).filter(|next| *next <= until) {
        now = next;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::time::{Duration, sleep};

    use super::*;
    use crate::api::Config;
    use crate::clock::Clock;
    use crate::objects::Write;
    use crate::world::Settings;
    use crate::world::kinds::{DEPLOYMENTS, PODS};
    use crate::world::nodes::NodeSpec;
    use crate::world::read::holds;
    use crate::world::rig::deployment;

    #[tokio::test(start_paused = true)]
    async fn a_world_lives_beside_its_api_and_its_pods_have_metrics() {
        let clock = Clock::start(Timestamp::parse("2026-05-20T17:00:00Z").unwrap(), 1);
        let shared = Shared::new(Api::new(Config::default()), clock);
        let simulation = Simulation::new(shared.clone(), World::new(1, Settings::default()));
        let run = tokio::spawn(simulation.clone().run(|_, _| ()));
        let feed = tokio::spawn(simulation.clone().feed_metrics());
        let spec = NodeSpec::new("node-0", "eu-west-1a", "m6i.large", 4, 16);
        simulation.act(|world, cluster| world.add_node(&spec, cluster)).unwrap();
        let shop = deployment("shop", 3, "500m");
        shared.with(|api, now| api.cluster(now).change(Write::Create(DEPLOYMENTS, shop))).unwrap();
        sleep(Duration::from_secs(120)).await;
        let pods = shared.with(|api, now| api.cluster(now).all(PODS));
        assert_eq!(pods.iter().filter(|pod| holds(pod, "Ready")).count(), 3);
        let mut told = 0;
        simulation.with(|world, _, now| world.measure(now, |_, _, _| told += 1));
        assert_eq!(told, 4, "three pods and their node");
        run.abort();
        feed.abort();
    }
}
