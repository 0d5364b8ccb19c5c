//! What Keelson would do with a cluster that is only written down.
//!
//! Two questions are asked of the scheduler's own decisions. Where would those pods go that wait, with everything else as it
//! is? And where would those be that run, had Keelson placed them one after the other: first the most urgent, then the oldest,
//! around what cannot move, and AppGroups as a
//! unit? The second answer is compared with today's.
//!
//! Promises: nobody is asked anything and nothing is changed; the same cluster and seed give the same report; what cannot be
//! judged stays where it is, and is counted with its reason. Rules are held against a pod's node as its scheduler sees it: all
//! of every node today, Keelson's layout for what it placed.
//!
//! No promise: requests are compared, not usage; the order of one pass is one of many; whoever is evicted is not followed.
//!
//! | room | what it holds |
//! |---|---|
//! | [`subject`] | one pod: waiting, movable, or staying and why |
//! | `trial` | a state that is tried on |
//! | `waiting` | where waiting pods go, by reason |
//! | `measure`, `spreads`, `broken` | how good a placement is: nodes and shares, skew, rules that are not met |
//! | `replay` | running pods, placed again |
//! | `groups` | what AppGroups cost |
//! | [`report`] | the answer |

pub mod report;
pub mod subject;

mod broken;
mod groups;
mod measure;
mod replay;
mod spreads;
mod trial;
mod waiting;

use std::collections::BTreeMap;

use keelson_cluster::{Event, Heard, State};
use keelson_placement::Layout;

pub use crate::operator::divided;
pub use report::Report;
pub use subject::{Standing, Stays, Subject};

use report::{Counts, Moved, Staying};
use subject::in_order;
use trial::Trial;

/// A cluster as it was written down.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// Everything but pods.
    pub ground: State,
    /// The pods that have not ended.
    pub pods: Vec<Subject>,
    /// What is heard of nodes' interfaces, with their loads: those hold for today's placement alone.
    pub interfaces: Vec<(String, Heard)>,
}

/// What is asked of it.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Decides between nodes of equal score.
    pub seed: u64,
    /// What of the nodes Keelson may use.
    pub layout: Layout,
}

/// What is being worked on, for whoever waits: the work, how much of it is done, and how much there is.
pub type Progress<'a> = &'a mut dyn FnMut(&str, usize, usize);

/// Answers both questions.
#[must_use]
pub fn simulate(cluster: Cluster, question: &Question, progress: Progress<'_>) -> Report {
    let Cluster { mut ground, mut pods, interfaces } = cluster;
    let seed = question.seed;
    hear(&mut ground, interfaces.iter().map(|(node, heard)| (node, Heard { load: None, ..*heard })));
    for pod in &mut pods {
        pod.draw(seed);
        pod.ask.pod.layout.clone_from(&question.layout);
        pod.complete(ground.live());
    }
    let standing: Vec<Standing> = pods.iter().map(|pod| pod.standing(&ground)).collect();
    let order = in_order(&pods, ground.live().network());
    let of = |wanted: fn(&Standing) -> bool| -> Vec<&Subject> {
        let all = order.iter().filter(|index| standing.get(**index).is_some_and(wanted));
        all.filter_map(|index| pods.get(*index)).collect()
    };
    let (waits, moves) = (of(|standing| *standing == Standing::Waits), of(|standing| *standing == Standing::Moves));
    let stays = of(|standing| matches!(standing, Standing::Stays(_)));

    let mut today = Trial::new(&ground, &[&stays, &moves]);
    let (bound, working) = (bound(&stays, &moves), working(&pods, &standing));
    let (before, skews_before) = (measure::placement(&today.state, &working), spreads::skews(&moves, &today.state));
    let broken_before = broken::rules(&today.state, &[(&bound, &Layout::All)], progress);
    let members = groups::members(&bound, &today.state);

    let mut replayed = Trial::new(&ground, &[&stays]);
    let (unplaced, ways) = replay::replay(&mut replayed, &moves, &members, seed, progress);
    let (after, skews_after) = (measure::placement(&replayed.state, &working), spreads::skews(&moves, &replayed.state));
    let broken_after = broken::rules(&replayed.state, &[(&stays, &Layout::All), (&moves, &question.layout)], progress);
    let groups = groups::compared(&members, &today.state, &ways);

    let moved = moved(&moves, &replayed.state);
    let waiting_after = waiting::placed(replayed, &waits, progress);
    hear(&mut today.state, interfaces.iter().map(|(node, heard)| (node, *heard)));
    let waiting = waiting::answers(today, &waits, progress);
    Report {
        seed,
        layout: question.layout.clone(),
        counts: Counts {
            nodes: before.nodes.len(),
            zones: measure::zones(&ground),
            pods: pods.len(),
            waiting: waits.len(),
            movable: moves.len(),
            staying: stays.len(),
            elsewhere: moved.len(),
        },
        nodes: measure::rows(&before, &after),
        today: measure::summary(&before, &skews_before, &broken_before),
        replayed: measure::summary(&after, &skews_after, &broken_after),
        emptied: measure::emptied(&before, &after),
        spreads: spreads::compared(skews_before, &skews_after),
        broken_today: broken_before,
        broken_after,
        groups,
        moved,
        unplaced,
        staying: staying(&standing),
        waiting,
        waiting_placed_after: waiting_after,
        refused_fields: subject::refused_fields(&pods),
    }
}

fn hear<'a>(state: &mut State, interfaces: impl Iterator<Item = (&'a String, Heard)>) {
    interfaces.for_each(|(node, heard)| {
        state.apply(Event::InterfaceHeard { node: node.clone(), heard: Some(heard) });
    });
}

/// The pods that have a node today.
fn bound<'a>(stays: &[&'a Subject], moves: &[&'a Subject]) -> Vec<&'a Subject> {
    stays.iter().chain(moves).copied().collect()
}

/// The uids of pods for whose sake a node is there: those of DaemonSets and of the node itself are not among them.
fn working(pods: &[Subject], standing: &[Standing]) -> std::collections::HashSet<String> {
    let works = |standing: &Standing| !matches!(standing, Standing::Stays(Stays::Daemon | Stays::Static));
    let all = pods.iter().zip(standing).filter(|(pod, standing)| pod.bound_to.is_some() && works(standing));
    all.map(|(pod, _)| pod.ask.pod.uid.clone()).collect()
}

fn moved(moves: &[&Subject], after: &State) -> Vec<Moved> {
    let mut moved: Vec<Moved> = moves
        .iter()
        .filter_map(|pod| {
            let (from, to) = (pod.bound_to.clone()?, after.node_of(&pod.ask.pod.uid)?.to_owned());
            (from != to).then(|| Moved { pod: pod.key(), from, to })
        })
        .collect();
    moved.sort_by(|a, b| a.pod.cmp(&b.pod));
    moved
}

fn staying(standing: &[Standing]) -> Vec<Staying> {
    let mut counts: BTreeMap<Stays, usize> = BTreeMap::new();
    for standing in standing {
        if let Standing::Stays(why) = standing {
            *counts.entry(*why).or_default() += 1;
        }
    }
    counts.into_iter().map(|(why, pods)| Staying { reason: why, sentence: why.as_str().to_owned(), pods }).collect()
}

#[cfg(test)]
mod tests;
