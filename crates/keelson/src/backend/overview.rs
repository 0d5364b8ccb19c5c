//! The platform as a whole, in the page's words: each feature's standing, what is connected, which facts there are.
//!
//! A controller tells its own switches. A page of its own stands for no election and was granted nothing: it tells what the
//! controllers wrote into the Platform's status and into their Leases.

use keelson_api::names;
use keelson_api::platform::FeatureStatus;
use keelson_core::{Condition, ConditionStatus, Feature, Mode, Span, Timestamp};
use keelson_dashboard::Seen;
use keelson_dashboard::view::{Connection, ConnectionName, FactView, FeatureView};
use keelson_store::{OnFull, Reach};

use super::Live;

/// Facts older than this are drawn as stale; the slowest is asked for once a minute.
const STALE: Span = Span::seconds(120);

/// How a feature stands, whoever runs it.
pub(super) struct Standing {
    pub(super) mode: Mode,
    pub(super) wanted: Mode,
    pub(super) ceiling: Mode,
    paused: bool,
    breaker: Option<String>,
    leading: bool,
    pub(super) fence: u64,
}

impl Live {
    pub(super) fn standing(&self, feature: Feature) -> Standing {
        let switch = self.platform.runtime.switch(feature).borrow().clone();
        if self.platform.stands {
            return Standing {
                mode: switch.effective,
                wanted: switch.wanted,
                ceiling: switch.ceiling,
                paused: switch.paused,
                breaker: switch.breaker,
                leading: switch.leading,
                fence: switch.fence,
            };
        }
        let leader = self.leaders().get(&feature).copied();
        of_status(self.status_of(feature), switch.wanted, switch.paused, leader)
    }

    pub(super) fn feature(&self, feature: Feature, now: Timestamp, seen: &Seen) -> FeatureView {
        let standing = self.standing(feature);
        let mut tally = self.tally();
        let (mut counts, sparkline) = (tally.counts(feature, now, seen), tally.sparkline(feature, now, seen));
        drop(tally);
        let queue = self.queue().seen(seen);
        counts.refused = queue.refused;
        counts.waiting = queue.waiting.saturating_sub(queue.refused);
        let headline = match (standing.mode, queue.waiting) {
            (Mode::Off, _) => "Stopped".to_owned(),
            (Mode::Observe, _) => format!("{} decisions compared in the last hour, nothing touched", counts.would),
            (Mode::Enforce, 0) => format!("{} pods placed in the last hour, none waits", counts.placed),
            (Mode::Enforce, 1) => format!("{} pods placed in the last hour, 1 waits", counts.placed),
            (Mode::Enforce, waiting) => format!("{} pods placed in the last hour, {waiting} wait", counts.placed),
        };
        let conditions = self.status_of(feature).map(|status| status.conditions).unwrap_or_default();
        FeatureView {
            feature,
            title: "Scheduling".to_owned(),
            mode: standing.mode,
            wanted: standing.wanted,
            ceiling: standing.ceiling,
            paused: standing.paused,
            breaker: standing.breaker,
            leading: standing.leading,
            fence: standing.fence,
            headline,
            counts,
            sparkline,
            conditions: conditions.into_iter().map(keelson_api::conditions::read).collect(),
        }
    }

    /// What the Platform's status says of a feature.
    fn status_of(&self, feature: Feature) -> Option<FeatureStatus> {
        let platform = self.status.get("", names::PLATFORM)?;
        let mut features = platform.status.clone()?.features?;
        Some(features.entry(feature).clone())
    }

    pub(super) fn connections(&self) -> Vec<Connection> {
        let health = self.platform.runtime.health();
        let api = health.api.map(|reach| Connection {
            name: ConnectionName::Api,
            ok: reach.ok,
            since: reach.since,
            detail: if reach.ok { "Kubernetes answers".to_owned() } else { reach.detail },
        });
        let telemetry = self.collector.as_ref().map(|collector| {
            let health = collector.health();
            let detail = if health.reachable {
                format!("{} exports delivered", health.delivered)
            } else {
                format!("the collector does not answer; {} exports lost, nothing waits for it", health.failed)
            };
            let since = self.collected.since(health.reachable, self.now());
            Connection { name: ConnectionName::Telemetry, ok: health.reachable, since, detail }
        });
        api.into_iter().chain([self.store()]).chain(telemetry).collect()
    }

    fn store(&self) -> Connection {
        let recorder = &self.platform.recorder;
        let kept = recorder.health();
        let (is_there, since) = match kept.store {
            Reach::Unknown => (true, self.started),
            Reach::Since(since) => (true, since),
            Reach::AwaySince(since) => (false, since),
        };
        let trouble = recorder.journal_trouble();
        let ok = is_there && trouble.is_none();
        let since = self.stored.since(ok, since);
        let mut detail = match recorder.why_away() {
            None if kept.dropped == 0 => "every decision is kept".to_owned(),
            None => format!("{} records were dropped while it was slow or full", kept.dropped),
            Some(why) => {
                let lost = match kept.dropped {
                    0 => "nothing is lost".to_owned(),
                    dropped => format!("{dropped} were dropped"),
                };
                format!("{why}; {} records wait in the journal and {lost}", kept.pending)
            }
        };
        if let Some(trouble) = trouble {
            let act = match recorder.on_full() {
                OnFull::Act => "actions go on and may be forgotten",
                OnFull::Hold => "actions are held",
            };
            detail.push_str(&format!("; {trouble}: {act}"));
        }
        if let (count, Some(first)) = kept.unreadable {
            detail
                .push_str(&format!("; {count} stored decisions cannot be read and are left out, the first is {first}"));
        }
        if let Some(why) = recorder.store().shortcoming() {
            detail.push_str(&format!("; {why}"));
        }
        Connection { name: ConnectionName::Store, ok, since, detail }
    }

    pub(super) fn facts(&self, now: Timestamp) -> Vec<FactView> {
        let facts = self.platform.runtime.facts().list();
        let view = |fact: keelson_runtime::facts::Listed| {
            let age = now.since(fact.at);
            FactView { name: fact.name.to_owned(), age_us: age.0, stale: age > STALE, detail: fact.told }
        };
        facts.into_iter().map(view).collect()
    }
}

/// What the controllers wrote. Without a word of theirs the feature observes, and which rights they were granted shows
/// only when the mode asks for more: until then the API server decides about a switch.
fn of_status(status: Option<FeatureStatus>, wanted: Mode, paused: bool, leader: Option<u64>) -> Standing {
    let FeatureStatus { mode, conditions } = status.unwrap_or_default();
    let conditions: Vec<Condition> = conditions.into_iter().map(keelson_api::conditions::read).collect();
    let holds = |kind: &str| conditions.iter().find(|said| said.kind == kind && said.status == ConditionStatus::True);
    Standing {
        mode,
        wanted,
        ceiling: holds("CeilingReached").map_or(Mode::Enforce, |_| mode),
        paused,
        breaker: holds("BreakerOpen").map(|said| said.message.clone()),
        leading: leader.is_some(),
        fence: leader.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(mode: Mode, conditions: &[(&str, &str)]) -> Option<FeatureStatus> {
        let mut list = Vec::new();
        for (kind, message) in conditions {
            let (status, reason) = (ConditionStatus::True, "Because".to_owned());
            let condition = Condition { kind: (*kind).to_owned(), status, reason, message: (*message).to_owned() };
            keelson_api::conditions::set(&mut list, &condition, 1, Timestamp(1));
        }
        Some(FeatureStatus { mode, conditions: list })
    }

    #[test]
    fn a_page_of_its_own_tells_what_the_controllers_wrote() {
        let standing = of_status(said(Mode::Enforce, &[]), Mode::Enforce, false, Some(7));
        assert_eq!(
            (standing.mode, standing.ceiling, standing.leading, standing.fence),
            (Mode::Enforce, Mode::Enforce, true, 7)
        );
        let held = of_status(said(Mode::Observe, &[("CeilingReached", "no rights")]), Mode::Enforce, true, None);
        assert_eq!((held.mode, held.wanted, held.ceiling), (Mode::Observe, Mode::Enforce, Mode::Observe));
        assert_eq!((held.paused, held.leading), (true, false));
        let open =
            of_status(said(Mode::Enforce, &[("BreakerOpen", "three in a row failed")]), Mode::Enforce, false, None);
        assert_eq!(open.breaker.unwrap(), "three in a row failed");
        assert_eq!(of_status(None, Mode::Observe, false, None).mode, Mode::Observe);
    }
}
