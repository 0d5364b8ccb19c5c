//! Who asked for a change, as a decision about the Platform.
//!
//! A row of its own kind would need a page of its own. As a decision it is listed, searched, exported, streamed and kept as
//! everything else that explains why something is as it is, and a refusal that is repeated folds into one row with a count.

use keelson_api::names;
use keelson_core::{Decision, ObjectRef, PlanId, Trigger, Verb};
use keelson_dashboard::Audit;

use super::Live;

/// The record of it.
pub(super) fn decision(live: &Live, row: Audit) -> Decision {
    let (at, standing) = (live.now(), live.standing(row.feature));
    let id = live.platform.runtime.decision_id();
    let subject = ObjectRef::cluster("Platform", names::PLATFORM).in_group(names::GROUP);
    let verb = if row.done { Verb::Configure } else { Verb::Refuse };
    Decision {
        id,
        mode: standing.mode,
        trigger: Trigger::Request,
        plan: PlanId(id.0),
        fence: standing.fence,
        trace_id: keelson_telemetry::trace_id(),
        ..Decision::new((row.feature, "page"), 0, subject, (verb, row.reason), row.sentence, at)
    }
}
