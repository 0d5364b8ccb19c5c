//! The law that no way of finding rows finds other rows than reading all of them would.

use keelson_core::decision::Outcome;
use keelson_core::{Decision, Feature, ObjectRef, Reason, Timestamp};
use keelson_store::{Filter, MAX_PAGE, Quota, Retention, Store};

use crate::decisions::{decision, id};

fn row(n: u32) -> Decision {
    let reasons = [Reason::Unschedulable, Reason::PodPlaced];
    let named = |n: u32| match n {
        7 | 1_333 => format!("odd-%_!\"-Zürich-{n}"),
        _ if n.is_multiple_of(97) => format!("some-{n}"),
        _ => format!("p{n:04}"),
    };
    let at = Timestamp(1_800_000_000_000_000 + i64::from(n) * 1_000_000);
    // The ids of a clock that went back, and of one that is ahead.
    let shown = at.0 / 1_000 + [0, 40_000, -30_000][usize::from(n % 50 == 3) + 2 * usize::from(n % 50 == 9)];
    Decision {
        id: id(u128::try_from(shown).unwrap() << 80 | u128::from(n)),
        at,
        last_at: at,
        subject: ObjectRef::namespaced("Pod", ["shop", "bank"][usize::from(n.is_multiple_of(7))], &named(n)),
        reason: reasons[usize::from(n.is_multiple_of(100))],
        outcome: Outcome::NoAction,
        ..decision(n, "")
    }
}

/// Enough rows for every way of finding them, some of them late, repeated, of another time than their id says, or gone.
pub(crate) async fn fill(store: &dyn Store) {
    let mut rows: Vec<_> = (1..=1_600).map(row).collect();
    rows.swap(10, 1_500);
    rows.swap(300, 900);
    let (first, late) = rows.split_at(1_550);
    store.record(first).await.unwrap();
    // Old verdicts that are repeated much later.
    let again =
        |n: u32, later: u32| Decision { id: row(later).id, at: row(later).at, last_at: row(later).at, ..row(n) };
    store.record(&[again(5, 5_000), again(44, 5_001), again(1_333, 5_002)]).await.unwrap();
    store.record(late).await.unwrap();
    let few = Retention { per_feature: Quota { decisions: 1_450, bytes: 1 << 30 }, ..Retention::default() };
    while store.sweep(Timestamp(0), &few).await.unwrap().is_partial() {}
}

/// Asks a filled store.
pub(crate) async fn hold(store: &dyn Store) {
    let mut out = Vec::new();
    store.export(&Filter::default(), &mut out).await.unwrap();
    let lines = std::str::from_utf8(&out).unwrap().lines();
    let everything: Vec<Decision> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(everything.len(), 1_450);

    let text = |text: &str| Filter { text: Some(text.to_owned()), ..Filter::default() };
    let at = |n| Some(row(n).at);
    let mut questions = vec![Filter::default()];
    for wanted in
        ["p", "zq", "Z", "p04", "P0444", "%_!\"-ZÜRICH", "some-", "100% of", "node-3", "0_4", "never", "shop/p1"]
    {
        questions.push(text(wanted));
        questions.push(Filter { namespace: Some("bank".to_owned()), ..text(wanted) });
        questions.push(Filter { reason: Some(Reason::PodPlaced), ..text(wanted) });
        questions.push(Filter { feature: Some(Feature::Scheduling), since: at(400), until: at(700), ..text(wanted) });
        questions.push(Filter { before: Some(row(700).id), ..text(wanted) });
    }
    for (since, until) in
        [(at(300), at(310)), (at(1_000), None), (None, at(200)), (at(4_000), None), (at(5_001), at(45))]
    {
        questions.push(Filter { since, until, ..Filter::default() });
        questions.push(Filter { since, until, outcome: Some(Outcome::NoAction), ..text("p1") });
        questions.push(Filter { since, until, before: Some(row(305).id), ..Filter::default() });
    }
    for question in questions {
        let wanted: Vec<_> =
            everything.iter().filter(|row| question.matches(row)).map(|row| row.id.0.as_u128()).collect();
        for limit in [60, MAX_PAGE] {
            let (mut found, mut page) = (Vec::new(), Filter { limit, ..question.clone() });
            loop {
                let answer = store.decisions(&page).await.unwrap();
                found.extend(answer.decisions.iter().map(|row| row.id.0.as_u128()));
                match answer.next {
                    Some(next) => page.before = Some(next),
                    None => break,
                }
            }
            assert_eq!(found, wanted, "{limit} a page: {question:?}");
        }
    }
}
