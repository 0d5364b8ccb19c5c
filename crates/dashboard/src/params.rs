//! The parameters that choose decisions, as the API document describes them. [`crate::query`] reads them.

use utoipa::IntoParams;

use crate::schema;

/// Which decisions are wanted; an absent parameter does not restrict.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DecisionParams {
    /// Of this feature.
    pub feature: Option<schema::Feature>,
    /// With this verb.
    pub verb: Option<schema::Verb>,
    /// For this reason.
    pub reason: Option<schema::Reason>,
    /// That ended like this.
    pub outcome: Option<schema::Outcome>,
    /// About this kind of object.
    pub kind: Option<String>,
    /// About objects in this namespace.
    pub namespace: Option<String>,
    /// About objects of this name.
    pub name: Option<String>,
    /// Whose subject, sentence or chosen candidate contains this text, in any case.
    pub q: Option<String>,
    /// Made or last repeated at this moment or later: microseconds since 1970, or RFC 3339.
    pub since: Option<String>,
    /// First made before this moment: microseconds since 1970, or RFC 3339.
    pub until: Option<String>,
    /// Older than this decision: the `next` of the page before.
    pub before: Option<schema::DecisionId>,
    /// How many at most, 1 to 500; 100 when absent. An export has no limit.
    pub limit: Option<u32>,
}
