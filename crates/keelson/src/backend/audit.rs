//! Who asked for a change, as a decision about the Platform.
//!
//! A row of its own kind would need a page of its own. As a decision it is listed, searched, exported, streamed and kept as
//! everything else that explains why something is as it is, and a refusal that is repeated folds into one row with a count.

use std::collections::BTreeMap;

use keelson_api::names;
use keelson_core::{Decision, ObjectRef, Outcome, PlanId, Span, Trigger, Verb};
use keelson_dashboard::Audit;

use super::Live;

/// The record of it.
pub(super) fn decision(live: &Live, row: Audit) -> Decision {
    let (at, standing) = (live.now(), live.standing(row.feature));
    let id = live.platform.runtime.decision_id();
    Decision {
        id,
        at,
        feature: row.feature,
        controller: "page".to_owned(),
        mode: standing.mode,
        subject: ObjectRef::cluster("Platform", names::PLATFORM).in_group(names::GROUP),
        trigger: Trigger::Request,
        causes: Vec::new(),
        cause_count: 0,
        related: Vec::new(),
        verb: if row.done { Verb::Configure } else { Verb::Refuse },
        reason: row.reason,
        sentence: row.sentence,
        chosen: None,
        candidates: Vec::new(),
        inputs: BTreeMap::new(),
        plan: PlanId(id.0),
        outcome: Outcome::NoAction,
        steps: Vec::new(),
        effect: None,
        fence: standing.fence,
        trace_id: keelson_telemetry::trace_id(),
        took: Span::ZERO,
        count: 1,
        last_at: at,
    }
}
