//! What a layout makes of a decision.

use keelson_placement::Pool;

use super::*;

fn pooled(name: &str, cpu: i64, tainted: bool) -> Value {
    let mut node = node(name, cpu);
    node["metadata"]["labels"]["keelson.dev/pool"] = json!("scheduling");
    if tainted {
        node["spec"] = json!({"taints": [{"key": "keelson.dev/pool", "value": "scheduling", "effect": "NoSchedule"}]});
    }
    node
}

fn under(state: &State, pod: &Value, layout: Layout) -> (Ask, Decided) {
    let written = serde_json::from_value(pod.clone()).unwrap();
    let settings = Settings { layout, ..Settings::new("keelson", Mode::Enforce) };
    let other = ask(pod, Mode::Enforce);
    let at = Moment { decision: other.decision, plan: other.plan, now: other.now };
    let ask = Ask::new(&written, read::pod(&written), settings, at);
    let decided = decide(&ask, &state.live().snapshot_for(&ask.pod));
    (ask, decided)
}

fn pool() -> Layout {
    Layout::Pool(Pool::new("keelson.dev/pool", "scheduling"))
}

#[test]
fn a_pod_is_bound_in_the_pool_and_no_other_node_counts() {
    let state = cluster(&[node("a", 9_000), pooled("b", 1_000, true), node("c", 9_000)], &[]);
    let (_, decided) = under(&state, &pod("cart", "500m"), pool());
    assert_eq!(decided.node.as_deref(), Some("b"));
    let decision = &decided.plan.decisions[0];
    assert_eq!(decision.sentence, "Placed on b: the only one of 3 nodes that can hold it.");
}

#[test]
fn without_a_node_in_the_pool_the_pod_says_so_and_what_to_do() {
    let state = cluster(&[node("a", 9_000), node("b", 9_000)], &[]);
    let (_, decided) = under(&state, &pod("cart", "500m"), pool());
    let decision = &decided.plan.decisions[0];
    assert_eq!((decision.verb, decision.reason), (Verb::Wait, Reason::PoolEmpty));
    let said = "No node is in Keelson's pool: label nodes keelson.dev/pool=scheduling and taint them \
                keelson.dev/pool=scheduling:NoSchedule, or choose layout Shared.";
    assert_eq!(decision.sentence, said);
    let ActionKind::ApplyStatus(status) = &decided.plan.actions[1].kind else { panic!() };
    let condition = &status["status"]["conditions"][0];
    assert_eq!(condition["reason"], "Unschedulable", "what autoscalers look for");
    let told = format!("0/2 nodes are available: 2 node(s) were not in Keelson's pool. {said}");
    assert_eq!(condition["message"].as_str().unwrap(), told);
    assert!(decided.waits.meets(Waits::NODE));

    let (_, decided) = under(&cluster(&[], &[]), &pod("cart", "500m"), pool());
    assert_eq!(decided.plan.decisions[0].reason, Reason::PoolEmpty, "nor when there is no node at all");
}

#[test]
fn a_full_pool_is_not_an_empty_one() {
    let state = cluster(&[node("a", 9_000), pooled("b", 100, false)], &[]);
    let (_, decided) = under(&state, &pod("cart", "500m"), pool());
    let decision = &decided.plan.decisions[0];
    assert_eq!(decision.reason, Reason::Unschedulable);
    assert!(
        decision
            .sentence
            .starts_with("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were not in Keelson's pool."),
        "{}",
        decision.sentence
    );
}

#[test]
fn headroom_is_kept_for_our_pods_and_for_nobody_elses() {
    let state = cluster(&[node("a", 1_000)], &[]);
    let (_, decided) = under(&state, &pod("cart", "950m"), Layout::Headroom(10));
    let text = &decided.plan.decisions[0].candidates[0].failed[0].text;
    assert_eq!(text, "needs 950m cpu, 900m free: short 50m (100m more are left to other schedulers)");
    let mut other = pod("cart", "950m");
    other["spec"]["schedulerName"] = json!("default-scheduler");
    for layout in [Layout::Headroom(10), pool()] {
        assert_eq!(under(&state, &other, layout).1.node.as_deref(), Some("a"));
    }
}

#[test]
fn a_recording_is_decided_again_in_its_layout_or_in_another() {
    let state = cluster(&[node("a", 9_000), pooled("b", 1_000, true)], &[]);
    for layout in [pool(), Layout::Headroom(20)] {
        let (ask, decided) = under(&state, &pod("cart", "500m"), layout);
        let recording = crate::recording::record(&ask, &state.live().snapshot_for(&ask.pod), Verb::Place).unwrap();
        assert_eq!(crate::recording::replay(&recording, None).unwrap(), decided.plan);
        let open = crate::recording::replay(&recording, Some(Settings::new("keelson", Mode::Enforce))).unwrap();
        assert_eq!(open.decisions[0].chosen.as_deref(), Some("a"));
    }
}

#[test]
fn while_another_scheduler_leads_its_pod_is_not_touched_whatever_it_uses() {
    let state = cluster(&[node("a", 9_000)], &[]);
    let mut cart = pod("cart", "500m");
    cart["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    let mut waits = ask(&cart, Mode::Enforce);
    waits.stands_back = Some("node-1_a holds Lease kube-system/kube-scheduler".into());
    let decided = decide(&waits, &state.live().snapshot_for(&waits.pod));
    assert_eq!(decided.plan.decisions[0].reason, Reason::OtherSchedulerLeads);
    assert_eq!(
        decided.plan.decisions[0].sentence,
        "Waits, and is not touched: node-1_a holds Lease kube-system/kube-scheduler."
    );
    assert_eq!(decided.plan.actions, []);
}

#[test]
fn the_pods_of_the_replaced_scheduler_are_ours_only_where_we_act() {
    let replacing = |name: &str, mode| Settings { replaces: true, ..Settings::new(name, mode) };
    for (settings, named, ours) in [
        (replacing("keelson", Mode::Enforce), "default-scheduler", true),
        (replacing("keelson", Mode::Enforce), "keelson", true),
        (replacing("keelson", Mode::Enforce), "volcano", false),
        (replacing("keelson", Mode::Observe), "default-scheduler", false),
        (replacing("keelson", Mode::Observe), "keelson", true),
        (replacing("default-scheduler", Mode::Enforce), "default-scheduler", true),
        (replacing("default-scheduler", Mode::Observe), "default-scheduler", false),
        (Settings::new("keelson", Mode::Enforce), "default-scheduler", false),
        (Settings::new("default-scheduler", Mode::Enforce), "default-scheduler", false),
    ] {
        assert_eq!(settings.places(named), ours, "{settings:?} {named}");
    }
}
