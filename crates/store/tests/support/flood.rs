//! Rows of a feature that this build does not have, written past the store.

use keelson_core::Timestamp;
use keelson_store::{Filter, Quota, Retention, Store};

use crate::decisions::decision;

/// Statements that insert `count` rows; `blob` makes an id of `{n}` in the engine's own words.
pub(crate) fn rows(feature: &str, count: u32, blob: &str) -> Vec<String> {
    let body = serde_json::to_string(&decision(1, "flood")).unwrap().replace('\'', "''");
    let row = |n: u32| {
        let id = blob.replace("{n}", &(n + 1_000).to_string());
        format!(
            "INSERT INTO decision (id, subject_key, feature, kind, namespace, name, verb, reason, outcome, at, last_at, \
             bytes, search, body) VALUES ({id}, 'flood {n}', '{feature}', 'Pod', 'shop', 'flood', 'Wait', \
             'Unschedulable', 'NoAction', 1, 1, {}, '', '{body}')",
            body.len()
        )
    };
    (0..count).map(row).collect()
}

/// Five rows of scheduling and thirty of another feature become five and ten.
pub(crate) async fn is_swept_alone(store: &dyn Store) {
    let ten = Retention { per_feature: Quota { decisions: 10, bytes: 1 << 30 }, ..Retention::default() };
    let swept = store.sweep(Timestamp(0), &ten).await.unwrap();
    assert_eq!((swept.by_quota, swept.total()), (20, 20));
    let of_pod = |name: &str| Filter { name: Some(name.to_owned()), ..Filter::default() };
    assert_eq!(store.decisions(&of_pod("flood")).await.unwrap().decisions.len(), 10);
    assert_eq!(store.decisions(&Filter::default()).await.unwrap().decisions.len(), 15);
    assert_eq!(store.sweep(Timestamp(0), &ten).await.unwrap().total(), 0);
}
