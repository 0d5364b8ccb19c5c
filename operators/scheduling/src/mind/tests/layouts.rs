//! Layouts that change, and a scheduler that is to be replaced.

use keelson_placement::{Layout, Pool};

use super::*;

fn pooled(name: &str) -> Value {
    let mut node = node(name, 1_000);
    node["metadata"]["labels"]["keelson.dev/pool"] = json!("scheduling");
    node
}

fn pool() -> Layout {
    Layout::Pool(Pool::new("keelson.dev/pool", "scheduling"))
}

fn with(change: impl FnOnce(&mut Standing)) -> Standing {
    let mut standing = standing(Mode::Enforce);
    change(&mut standing);
    standing
}

fn of_default(name: &str) -> Value {
    let mut pod = pod(name, "500m");
    pod["spec"]["schedulerName"] = json!("default-scheduler");
    pod
}

#[test]
fn another_layout_tries_everybody_again_the_short_way_and_the_long_way() {
    let pods: Vec<_> = (0..3).map(|i| pod(&format!("p{i}"), "100m")).collect();
    let mut mind = mind(Mode::Enforce, &[node("a", 1_000)], &pods);
    mind.configure(with(|standing| standing.settings.layout = pool()), at(1));
    for _ in 0..3 {
        assert_eq!(reason(&mind.next(moment(1)).unwrap()), Reason::PoolEmpty);
    }
    assert!(mind.next(moment(2)).is_none(), "nothing changed");
    mind.configure(with(|standing| standing.settings.layout = Layout::Headroom(10)), at(3));
    let placed = std::iter::from_fn(|| mind.next(moment(3))).filter(Job::binds).count();
    assert_eq!(placed, 3);
}

#[test]
fn a_node_that_joins_the_pool_is_tried_at_once() {
    let mut mind = mind(Mode::Enforce, &[node("a", 1_000)], &[pod("p", "100m")]);
    mind.configure(with(|standing| standing.settings.layout = pool()), at(1));
    assert_eq!(reason(&mind.next(moment(1)).unwrap()), Reason::PoolEmpty);
    mind.node(&serde_json::from_value(pooled("a")).unwrap(), at(20));
    assert!(mind.next(moment(20)).unwrap().binds());
    assert_eq!((mind.pool().nodes(), mind.pool().open()), (1, (1, "a".to_owned())));
    mind.node_gone("a", at(30));
    assert_eq!((mind.pool().nodes(), mind.pool().open().0), (0, 0));
}

#[test]
fn nothing_of_the_replaced_schedulers_is_bound_while_it_leads_and_all_of_it_afterwards() {
    let replacing = |why: Option<&str>| {
        with(|standing| {
            standing.settings.replaces = true;
            standing.stands_back = why.map(str::to_owned);
        })
    };
    let mut mind = mind(Mode::Enforce, &[node("a", 4_000)], &[of_default("theirs"), pod("ours", "500m")]);
    mind.configure(replacing(Some("node-1_a holds the Lease")), at(1));
    let jobs: Vec<_> = std::iter::from_fn(|| mind.next(moment(1))).collect();
    let told: Vec<(String, Reason)> =
        jobs.iter().map(|job| (job.plan.decisions[0].subject.name.clone(), reason(job))).collect();
    assert!(told.contains(&("theirs".into(), Reason::OtherSchedulerLeads)), "{told:?}");
    assert!(told.contains(&("ours".into(), Reason::OnlyFeasibleNode)), "{told:?}");
    assert!(jobs.iter().all(|job| job.uid != "uid-theirs" || job.plan.actions.is_empty()));
    // The other scheduler binds one: that is its choice, and compared as before.
    mind.pod(&written(&of_default("placed")), at(2));
    mind.pod(&written(&bound(of_default("placed"), "a")), at(3));
    assert!(mind.next_comparison(moment(3)).is_some());

    mind.configure(replacing(None), at(20));
    let jobs: Vec<_> = std::iter::from_fn(|| mind.next(moment(20))).collect();
    assert_eq!(jobs.iter().map(|job| (job.uid.as_str(), job.binds())).collect::<Vec<_>>(), [("uid-theirs", true)]);
    mind.ended("uid-theirs", true, at(20));
    mind.pod(&written(&bound(of_default("theirs"), "a")), at(21));
    assert!(mind.next_comparison(moment(21)).is_none(), "its own choice is not compared");
}
