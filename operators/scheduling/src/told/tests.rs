//! What objects are told, and when nothing is.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use keelson_runtime::assert_pure;

use super::*;

fn problem(field: &str, text: &str) -> Problem {
    Problem::new(field, text.into())
}

fn group(problems: &[Problem]) -> Snapshot {
    let object = ObjectRef::namespaced("AppGroup", "shop", "g").in_group("appgroup.diktyo.x-k8s.io").with_uid("1");
    Snapshot { object, generation: 3, conditions: Vec::new(), problems: problems.to_vec(), notes: Vec::new() }
}

fn told(plan: &Plan) -> Vec<Stored> {
    let ActionKind::ApplyStatus(status) = &plan.actions[0].kind else { panic!("{plan:?}") };
    serde_json::from_value(status["status"]["conditions"].clone()).unwrap()
}

#[test]
fn what_is_off_is_told_field_by_field() {
    let off = [problem("spec.workloads[0]", "is odd; write it even"), problem("spec.numMembers", "0 is not in 1 to 9")];
    let plan = decide(&group(&off), Timestamp(0));
    assert_eq!(plan.decisions[0].reason, Reason::ObjectLeftOut);
    let told = told(&plan);
    assert_eq!(
        (told[0].type_.as_str(), told[0].status.as_str(), told[0].observed_generation),
        ("Accepted", "False", Some(3))
    );
    assert_eq!(told[0].message, "spec.workloads[0]: is odd; write it even; spec.numMembers: 0 is not in 1 to 9.");
    assert_eq!((told[1].type_.as_str(), told.len()), ("FieldNotUnderstood", 2));
    assert!(matches!(&plan.actions[1].kind, ActionKind::Event { warning: true, .. }));
}

#[test]
fn what_nobody_asked_for_is_told_and_leaves_the_object_accepted() {
    let seen = Snapshot { notes: vec![problem("spec.configmapName", "is not there")], ..group(&[]) };
    let plan = decide(&seen, Timestamp(0));
    assert_eq!((told(&plan)[0].status.as_str(), plan.actions.len()), ("True", 1));
    let text = "All of this AppGroup is understood and counts. spec.configmapName: is not there.";
    assert_eq!(told(&plan)[0].message, text);
}

#[test]
fn what_is_understood_says_so_once() {
    let mut seen = group(&[]);
    let plan = decide(&seen, Timestamp(0));
    assert_eq!((plan.decisions[0].reason, plan.actions.len()), (Reason::ObjectAccepted, 1));
    seen.conditions = told(&plan);
    assert_eq!(decide(&seen, Timestamp(9)), Plan::default(), "nothing changed, so nothing is written");
}

#[test]
fn a_message_does_not_grow_with_what_is_wrong() {
    let off: Vec<Problem> = (0..500).map(|index| problem(&format!("spec.weights[{index}]"), "is off")).collect();
    let message = told(&decide(&group(&off), Timestamp(0))).remove(0).message;
    assert!(message.ends_with("480 more.") && message.len() < 32_768, "{message}");
}

/// The kinds of things that are off, of the types that are told, with their status.
fn kinds(plan: &Plan) -> Vec<(String, String)> {
    told(plan).into_iter().skip(1).map(|condition| (condition.type_, condition.status)).collect()
}

fn kind(finding: Finding, status: &str) -> (String, String) {
    (finding.name().to_owned(), status.to_owned())
}

#[test]
fn each_kind_of_thing_that_is_off_is_a_condition_of_its_own_and_false_when_it_is_mended() {
    let circle = problem("spec.workloads", "in a circle").of(Finding::DependencyCycle);
    let name = problem("spec.workloads[0].workload.name", "is not it").of(Finding::NameSelectorMismatch);
    let other = problem("spec.workloads[1].workload.name", "neither").of(Finding::NameSelectorMismatch);
    let mut seen = group(&[circle, name.clone(), other]);
    let plan = decide(&seen, Timestamp(0));
    assert_eq!(kinds(&plan), [kind(Finding::NameSelectorMismatch, "True"), kind(Finding::DependencyCycle, "True")]);
    let (conditions, fix) = (told(&plan), Finding::NameSelectorMismatch.fix());
    let message = format!("{name}; spec.workloads[1].workload.name: neither. {fix}");
    assert_eq!((conditions[1].reason.as_str(), &conditions[1].message), ("Found", &message));
    seen.conditions = conditions;
    assert_eq!(decide(&seen, Timestamp(9)), Plan::default(), "nothing changed, so nothing is written");
    seen.problems.truncate(1);
    let plan = decide(&seen, Timestamp(9));
    assert_eq!(kinds(&plan), [kind(Finding::NameSelectorMismatch, "False"), kind(Finding::DependencyCycle, "True")]);
    seen.problems.clear();
    seen.conditions = told(&plan);
    let conditions = told(&decide(&seen, Timestamp(10)));
    let status: Vec<&str> = conditions.iter().map(|condition| condition.status.as_str()).collect();
    assert_eq!(status, ["True", "False", "False"], "accepted, and nothing is off");
    assert_eq!(conditions[1].last_transition_time, keelson_api::conditions::stamp(Timestamp(9)));
}

#[test]
fn an_object_that_was_told_the_sum_alone_is_told_the_kinds_too() {
    let mut seen = group(&[problem("spec", "is off").of(Finding::MissingCost)]);
    seen.conditions = told(&decide(&seen, Timestamp(0)));
    seen.conditions.truncate(1);
    assert_eq!(kinds(&decide(&seen, Timestamp(1))), [kind(Finding::MissingCost, "True")]);
}

#[test]
fn others_conditions_are_left_alone() {
    let mut seen = group(&[]);
    let other =
        Stored { type_: "Synced".into(), status: "True".into(), ..told(&decide(&seen, Timestamp(0))).remove(0) };
    seen.conditions = vec![other];
    let told = told(&decide(&seen, Timestamp(0)));
    assert_eq!(told.iter().map(|condition| condition.type_.as_str()).collect::<Vec<_>>(), ["Accepted"]);
}

#[test]
fn the_decider_is_pure() {
    assert_pure::<Telling>(&group(&[problem("spec", "is off")]), Timestamp(7));
}
