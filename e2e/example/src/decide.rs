//! Step 5: how many replicas a Deployment should have now.
//!
//! As many as its annotation for this part of the day says, from the moment the part begins. Nothing is decided when it has
//! them already, and the next look is at the next turn of the clock, not before.
//!
//! Promises: pure; a Deployment whose annotation cannot be read is left as it is, and told which annotation and how to write it.

use keelson_core::{Action, ActionKind, Decision, Plan, Requeue, Timestamp, Verb};

use crate::snapshot::Snapshot;
use crate::words::{CONTROLLER, DAY, FEATURE, NIGHT, SCALE, TURNED, UNREADABLE};

/// The most replicas that an annotation may ask for: one digit too many is a mistake that costs.
pub const MOST: i32 = 1_000;

/// Decides about one Deployment.
#[must_use]
pub fn decide(seen: &Snapshot, now: Timestamp) -> Plan {
    let wanted = match wanted(seen, now) {
        Ok(wanted) => wanted,
        Err(problem) => return refuse(seen, &problem, now),
    };
    let turn = seen.hours.next_turn(now);
    let requeue = Requeue::At(turn);
    if seen.replicas == wanted {
        return Plan { requeue, ..Plan::default() };
    }
    let part = if seen.hours.is_night(now) { "night" } else { "day" };
    let sentence = format!("Scaled from {} to {wanted}: it is {part} until {turn}.", seen.replicas);
    let mut decision = Decision::new((FEATURE, CONTROLLER), 0, seen.deployment.clone(), (SCALE, TURNED), sentence, now);
    decision.inputs.insert("replicas".to_owned(), seen.replicas.to_string());
    decision.inputs.insert("wanted".to_owned(), wanted.to_string());
    let kind = ActionKind::Scale { replicas: wanted };
    let action = Action { decision: decision.id, object: seen.deployment.clone(), kind };
    Plan { decisions: vec![decision], actions: vec![action], requeue, ..Plan::default() }
}

/// How many replicas it should have now.
///
/// # Errors
/// Which annotation cannot be read, what it says, and how to write it: also the one that does not count now, so that nobody
/// is woken at dawn by a mistake of yesterday.
pub fn wanted(seen: &Snapshot, now: Timestamp) -> Result<i32, String> {
    let (day, night) = (number(DAY, seen.day.as_deref())?, number(NIGHT, seen.night.as_deref())?);
    Ok(if seen.hours.is_night(now) { night } else { day })
}

fn refuse(seen: &Snapshot, problem: &str, now: Timestamp) -> Plan {
    let what = (Verb::Refuse, UNREADABLE);
    let decision = Decision::new((FEATURE, CONTROLLER), 0, seen.deployment.clone(), what, problem, now);
    Plan { decisions: vec![decision], ..Plan::default() }
}

/// What an annotation asks for.
fn number(name: &str, text: Option<&str>) -> Result<i32, String> {
    let Some(text) = text else {
        return Err(format!("metadata.annotations[{name}] is missing; write how many replicas, as in \"4\"."));
    };
    match text.parse() {
        Ok(number @ 0..=MOST) => Ok(number),
        _ => {
            let shown: String = text.chars().take(64).collect();
            Err(format!("metadata.annotations[{name}] is {shown:?}; write a whole number from 0 to {MOST}."))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
    use keelson_core::{ObjectRef, Span};
    use proptest::prelude::*;

    use super::*;
    use crate::hours::Hours;

    fn shop(replicas: i32, day: Option<&str>, night: Option<&str>) -> Snapshot {
        let deployment = ObjectRef::namespaced("Deployment", "shop", "cart").in_group("apps").with_uid("1");
        let (day, night) = (day.map(str::to_owned), night.map(str::to_owned));
        Snapshot { deployment, replicas, day, night, hours: Hours { dusk: 22, dawn: 6 } }
    }

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-23T{time}Z")).unwrap()
    }

    #[test]
    fn it_is_scaled_when_the_part_of_the_day_asks_for_another_number_and_not_otherwise() {
        for (time, replicas, scaled_to, looks_again) in [
            ("21:59:59", 4, None, "2026-11-23T22:00:00Z"),
            ("22:00:00", 4, Some(1), "2026-11-24T06:00:00Z"),
            ("22:00:00", 1, None, "2026-11-24T06:00:00Z"),
            ("03:00:00", 9, Some(1), "2026-11-23T06:00:00Z"),
            ("06:00:00", 1, Some(4), "2026-11-23T22:00:00Z"),
        ] {
            let plan = decide(&shop(replicas, Some("4"), Some("1")), at(time));
            let scales = |action: &Action| match action.kind {
                ActionKind::Scale { replicas } => Some(replicas),
                _ => None,
            };
            assert_eq!(plan.actions.iter().find_map(scales), scaled_to, "{replicas} at {time}");
            assert_eq!(plan.decisions.len(), plan.actions.len(), "{replicas} at {time}");
            assert_eq!(plan.requeue, Requeue::At(Timestamp::parse(looks_again).unwrap()), "{replicas} at {time}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_its_name_and_touches_nothing() {
        for (day, night, says) in [
            (
                None,
                Some("1"),
                "metadata.annotations[night.example.com/day] is missing; write how many replicas, as in \"4\".",
            ),
            (Some("4"), Some("one"), "[night.example.com/night] is \"one\"; write a whole number from 0 to 1000."),
            (Some("4"), Some("-1"), "[night.example.com/night] is \"-1\"; write"),
            (Some("40000"), Some("1"), "[night.example.com/day] is \"40000\"; write"),
        ] {
            let plan = decide(&shop(4, day, night), at("23:00:00"));
            assert!(plan.actions.is_empty());
            assert_eq!((plan.decisions[0].verb, plan.decisions[0].reason), (Verb::Refuse, UNREADABLE));
            assert!(plan.decisions[0].sentence.contains(says), "{}", plan.decisions[0].sentence);
        }
    }

    proptest! {
        #[test]
        fn after_scaling_there_is_nothing_left_to_do_until_the_next_turn(
            (replicas, day, night) in (0..50_i32, 0..50_i32, 0..50_i32),
            (dusk, dawn) in (0_u8..24, 0_u8..24),
            second in 0_i64..1_000_000,
        ) {
            let (day, night) = (day.to_string(), night.to_string());
            let mut seen = Snapshot { hours: Hours { dusk, dawn }, ..shop(replicas, Some(&day), Some(&night)) };
            let now = Timestamp(0) + Span::seconds(second);
            seen.replicas = wanted(&seen, now).unwrap();
            let Requeue::At(turn) = decide(&seen, now).requeue else { panic!("it looks again at a moment") };
            prop_assert!(turn > now && turn.since(now) <= Span::hours(24));
            for later in [now, Timestamp(turn.0 - 1)] {
                prop_assert_eq!(decide(&seen, later), Plan { requeue: Requeue::At(turn), ..Plan::default() });
            }
        }
    }
}
