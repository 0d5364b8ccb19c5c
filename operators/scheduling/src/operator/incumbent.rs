//! Looks at kube-scheduler's Lease while Keelson is to replace it.

use k8s_openapi::api::coordination::v1::Lease;
use keelson_api::platform::{SchedulingLayout, SchedulingSettings};
use keelson_core::{Feature, Mode, Span};
use keelson_runtime::permissions::{Permissions, Rule};
use keelson_runtime::{Listing, Runtime};

use crate::incumbent::{Answer, EVERY, Incumbent, LEASE, NAMESPACE, Record, Watch};

/// An answer that takes longer is none.
const PATIENCE: Span = Span::seconds(5);

/// What looking needs.
pub(super) fn permissions() -> Permissions {
    Permissions(vec![Rule::new("coordination.k8s.io", &["leases"], &["get"]).named([LEASE])])
}

/// Why nothing of `default-scheduler`'s may be bound, in the layout in which it is Keelson's.
pub(super) fn stands_in_the_way(rt: &Runtime, settings: &SchedulingSettings) -> Option<String> {
    if settings.layout != Some(SchedulingLayout::Replacement) {
        return None;
    }
    rt.facts()
        .read::<Incumbent>()
        .map_or_else(Incumbent::default, |known| known.value.as_ref().clone())
        .stands_in_the_way()
}

/// Looks until the process stops.
pub(super) async fn keep(rt: Runtime) {
    tokio::select! {
        () = rt.stopping() => {}
        () = look(&rt) => {}
    }
}

async fn look(rt: &Runtime) {
    let (mut settings, mut switch) = (rt.settings(), rt.switch(Feature::Scheduling));
    loop {
        settings.mark_unchanged();
        switch.mark_unchanged();
        watch(rt).await;
        // Who comes to lead, or to replace, looks for as long as a Lease lasts first.
        if rt.facts().read::<Incumbent>().is_some() {
            rt.facts().fold(rt.clock().now(), None, |known: &mut Incumbent| *known = Incumbent::NotAsked);
        }
        tokio::select! {
            Ok(()) = settings.changed() => {}
            Ok(()) = switch.changed() => {}
            () = rt.stopping() => return,
        }
    }
}

/// Looks for as long as it is of use: whoever does not act needs not know.
async fn watch(rt: &Runtime) {
    let (settings, switch) = (rt.settings(), rt.switch(Feature::Scheduling));
    let mut watch = Watch::default();
    let is_of_use = || {
        let wanted = settings.borrow().features.scheduling.settings.layout == Some(SchedulingLayout::Replacement);
        let switch = switch.borrow();
        wanted && switch.leading && switch.effective == Mode::Enforce
    };
    while is_of_use() {
        let clock = rt.clock();
        let answer = tokio::select! {
            found = rt.look_up::<Lease>(NAMESPACE, LEASE) => answer(found),
            () = clock.sleep(PATIENCE) => Answer::Failed("the API server did not answer in time".to_owned()),
        };
        let now = clock.now();
        let found = watch.look(answer, now);
        rt.facts().fold(now, None, |known: &mut Incumbent| *known = found);
        clock.sleep(EVERY).await;
    }
}

fn answer(found: Listing<Lease>) -> Answer {
    match found {
        Listing::Read(leases) => leases.first().map_or(Answer::Absent, |lease| Answer::There(record(lease))),
        Listing::Absent => Answer::Absent,
        Listing::Forbidden(why) | Listing::Failed(why) => Answer::Failed(why),
    }
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let renewed = spec.renew_time.as_ref().and_then(|time| serde_json::to_value(time).ok());
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        renewed: renewed.map(|time| time.to_string()).unwrap_or_default(),
        transitions: spec.lease_transitions.unwrap_or_default(),
        lasts: Span::seconds(spec.lease_duration_seconds.unwrap_or_default().into()),
    }
}
