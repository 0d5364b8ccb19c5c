//! Decisions as a busy cluster makes them: about two kilobytes each, with candidates, causes and related objects.

use std::collections::BTreeMap;

use keelson_core::decision::{Candidate, Outcome, Score, Trigger, Verb};
use keelson_core::{Decision, DecisionId, Feature, Mode, ObjectRef, PlanId, Reason, Span, Timestamp};
use uuid::Uuid;

/// Machines that they speak of.
pub const NODES: u32 = 2_000;
/// Namespaces that their pods are in.
pub const NAMESPACES: u32 = 200;
/// The first is made then; each is a hundredth of a second after the one before.
pub const BEGIN: i64 = 1_800_000_000_000_000;
const APART: i64 = 10_000;

/// When decision `n` is made.
#[must_use]
pub fn at(n: u32) -> Timestamp {
    Timestamp(BEGIN + i64::from(n) * APART)
}

/// The id of decision `n`.
#[must_use]
pub fn id(n: u32) -> DecisionId {
    let millis = u128::from(at(n).0.unsigned_abs() / 1_000);
    // Version and variant as RFC 9562 has them; the rest is the number, scrambled as chance would.
    let random = u128::from(u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2) << 2 | u128::from(n & 3);
    DecisionId(Uuid::from_u128(millis << 80 | 0x7 << 76 | 0b10 << 62 | (random & ((1 << 62) - 1))))
}

/// Where pod `n` is.
#[must_use]
pub fn namespace(n: u32) -> String {
    format!("team-{}", n % NAMESPACES)
}

/// The name of pod `n`.
#[must_use]
pub fn pod(n: u32) -> String {
    format!("workload-{}-{n:x}", n % 5_000)
}

/// The machine that pod `n` is on.
#[must_use]
pub fn node(n: u32) -> String {
    format!("ip-10-{}-{}.internal", n % NODES / 250, n % NODES % 250)
}

/// Decision `n`: most place a pod, every third says that one waits, and one in a thousand is something rare.
#[must_use]
pub fn decision(n: u32) -> Decision {
    let waits = n.is_multiple_of(3);
    let rare = n % 1_000 == 500;
    let (verb, outcome) = if waits { (Verb::Wait, Outcome::NoAction) } else { (Verb::Place, Outcome::Pending) };
    let reason = match (rare, waits) {
        (true, _) => Reason::Panicked,
        (_, true) => Reason::Unschedulable,
        (_, false) => Reason::PodPlaced,
    };
    let score = |name: &str| Score { name: name.to_owned(), value: 61, weight: 1 };
    let scores = ["NodeResourcesFit", "NodeResourcesBalancedAllocation", "NetworkOverhead", "PodTopologySpread"];
    let candidate = |i: u32| Candidate {
        name: node(n + i),
        total: Some(244),
        scores: scores.map(score).to_vec(),
        failed: Vec::new(),
    };
    let workload = ObjectRef::namespaced("Deployment", &namespace(n), &format!("workload-{}", n % 5_000));
    Decision {
        id: id(n),
        at: at(n),
        feature: Feature::Scheduling,
        controller: "placement".to_owned(),
        mode: Mode::Enforce,
        subject: ObjectRef::namespaced("Pod", &namespace(n), &pod(n)),
        trigger: Trigger::Timer,
        causes: n.checked_sub(7).filter(|_| n % 10 == 7).map(id).into_iter().collect(),
        cause_count: u32::from(n % 10 == 7),
        related: vec![ObjectRef::cluster("Node", &node(n)), workload.in_group("apps")],
        verb,
        reason,
        sentence: format!("Placed on {}: the least loaded of 34 nodes in its zone.", node(n)),
        chosen: Some(node(n)),
        candidates: (0..3).map(candidate).collect(),
        inputs: BTreeMap::from([("requested cpu".to_owned(), "500m".to_owned())]),
        plan: PlanId(id(n).0),
        outcome,
        actions: Vec::new(),
        steps: Vec::new(),
        effect: None,
        fence: 1,
        trace_id: String::new(),
        took: Span::micros(62),
        count: 1,
        last_at: at(n),
    }
}
