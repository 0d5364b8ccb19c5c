//! The routes that only read.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Uri;
use keelson_core::{Decision, DecisionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Right, Seen, Viewer};
use crate::backend::Backend;
use crate::error::{ApiError, ErrorBody};
use crate::listing;
use crate::query::{self, PAGE_PARAMS, Params, Segments};
use crate::schema;
use crate::serve::App;
use crate::view::{Nodes, Overview, Subject, Why};

/// The most decisions a chain of causes shows; more is no help to a person.
const MAX_CHAIN: usize = 32;
/// The most consequences that are shown.
const MAX_CONSEQUENCES: u32 = 32;

/// Some of the decisions asked for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DecisionPage {
    /// The decisions, newest first.
    #[schema(value_type = Vec<schema::Decision>)]
    pub decisions: Vec<Decision>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::DecisionId>, nullable = false)]
    pub next: Option<DecisionId>,
    /// Whether a source did not answer, so that some may be missing.
    pub partial: bool,
}

/// One decision with what led to it and what followed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DecisionDetail {
    /// The decision.
    #[schema(value_type = schema::Decision)]
    pub decision: Decision,
    /// What led to it, and what led to that: oldest first, at most 32. Their `causes` say how they hang together.
    #[schema(value_type = Vec<schema::Decision>)]
    pub causes: Vec<Decision>,
    /// The decisions that name it as a cause: oldest first, at most 32.
    #[schema(value_type = Vec<schema::Decision>)]
    pub consequences: Vec<Decision>,
    /// How many of both are about what the caller may not see. What led to those is not looked for.
    pub hidden: u32,
}

/// Features, connections and facts.
#[utoipa::path(get, path = "/api/v1/overview", tag = "platform",
    responses((status = 200, body = Overview), (status = "4XX", body = ErrorBody)))]
pub async fn overview(State(app): State<App>, viewer: Viewer, uri: Uri) -> Result<Json<Arc<Overview>>, ApiError> {
    Params::read(&uri, &[])?;
    let (seen, nodes) = (viewer.seen(&*app.backend).await?, viewer.may(&Right::nodes()).await?);
    Ok(Json(told(&*app.backend, &seen, nodes)))
}

/// The overview for those who see this. Facts are about the nodes and all pods on them.
pub fn told(backend: &dyn Backend, seen: &Seen, nodes: bool) -> Arc<Overview> {
    let mut overview = backend.overview(seen);
    if !nodes {
        Arc::make_mut(&mut overview).facts.clear();
    }
    overview
}

/// Every node and what limits it.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "platform",
    responses((status = 200, body = Nodes), (status = "4XX", body = ErrorBody)))]
pub async fn nodes(State(app): State<App>, viewer: Viewer, uri: Uri) -> Result<Json<Arc<Nodes>>, ApiError> {
    Params::read(&uri, &[])?;
    viewer.must(&Right::nodes()).await?;
    Ok(Json(app.backend.nodes()))
}

/// Decisions, newest first.
#[utoipa::path(get, path = "/api/v1/decisions", tag = "decisions", params(schema::DecisionParams, schema::PageParams),
    responses((status = 200, body = DecisionPage), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn decisions(State(app): State<App>, viewer: Viewer, uri: Uri) -> Result<Json<DecisionPage>, ApiError> {
    let filter = Params::read(&uri, &PAGE_PARAMS)?.filter()?;
    let page = listing::page(&*app.backend, &viewer, &filter).await?;
    Ok(Json(DecisionPage { decisions: page.decisions, next: page.next, partial: page.partial }))
}

/// One decision, what led to it and what followed.
#[utoipa::path(get, path = "/api/v1/decisions/{id}", tag = "decisions",
    params(("id" = schema::DecisionId, Path, description = "The decision.")),
    responses((status = 200, body = DecisionDetail), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn decision(
    State(app): State<App>,
    viewer: Viewer,
    Segments(id): Segments<String>,
    uri: Uri,
) -> Result<Json<DecisionDetail>, ApiError> {
    Params::read(&uri, &[])?;
    let decision = shown(&app, &viewer, query::decision_id(&id)?).await?;
    let (causes, hidden) = causes(&app, &viewer, &decision).await?;
    let consequences = app.backend.consequences(decision.id, MAX_CONSEQUENCES).await?;
    let all = consequences.len();
    let consequences = viewer.all_shown(consequences).await?;
    let hidden = u32::try_from(hidden + all - consequences.len()).unwrap_or(u32::MAX);
    Ok(Json(DecisionDetail { decision, causes, consequences, hidden }))
}

/// A decision that the caller may see. One that they may not is as unknown as one that there never was.
pub async fn shown(app: &App, viewer: &Viewer, id: DecisionId) -> Result<Decision, ApiError> {
    let shown = match app.backend.decision(id).await? {
        Some(decision) => viewer.shown(decision).await?,
        None => None,
    };
    shown.ok_or_else(|| {
        let fix = "It may have been swept after its retention; look for newer ones about its subject.";
        ApiError::not_found("id", format!("decision {id} is not known"), fix)
    })
}

/// Follows the causes of a decision, nearest first, as far as they are known, may be seen, and [`MAX_CHAIN`] allows. All that
/// are equally near are read at once. Counts those that may not be seen.
async fn causes(app: &App, viewer: &Viewer, decision: &Decision) -> Result<(Vec<Decision>, usize), ApiError> {
    let mut seen = BTreeSet::from([decision.id]);
    let mut chain: Vec<Decision> = Vec::new();
    let mut hidden = 0;
    let mut level = decision.causes.clone();
    while !level.is_empty() {
        let room = MAX_CHAIN - chain.len();
        let new: Vec<_> = level.into_iter().filter(|id| seen.insert(*id)).take(room).collect();
        let found = if new.is_empty() { Vec::new() } else { app.backend.decisions_by_ids(&new).await? };
        let all = found.len();
        let found = viewer.all_shown(found).await?;
        hidden += all - found.len();
        level = found.iter().flat_map(|cause| cause.causes.iter().copied()).collect();
        chain.extend(found);
    }
    chain.sort_by_key(|cause| (cause.at, cause.id));
    Ok((chain, hidden))
}

/// One object, and why it is as it is.
#[utoipa::path(get, path = "/api/v1/subjects/{kind}/{namespace}/{name}", tag = "subjects",
    params(("kind" = String, Path, description = "The kind, with its group after a dot unless it is core: Pod, Deployment.apps."),
           ("namespace" = String, Path, description = "The namespace, or - for a cluster-scoped kind."),
           ("name" = String, Path, description = "The name.")),
    responses((status = 200, body = Subject), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn subject(
    State(app): State<App>,
    viewer: Viewer,
    Segments((kind, namespace, name)): Segments<(String, String, String)>,
    uri: Uri,
) -> Result<Json<Subject>, ApiError> {
    Params::read(&uri, &[])?;
    let object = query::object(&kind, &namespace, &name)?;
    match Right::to_see(&object) {
        Some(right) => viewer.must(&right).await?,
        None => return Err(ApiError::not_found("kind", format!("{object} is no kind of that group"), "Check both.")),
    }
    let seen = viewer.seen(&*app.backend).await?;
    match app.backend.subject(&object, &seen).await? {
        Some(subject) => Ok(Json(subject)),
        None => {
            let message = format!("{object} does not exist, and nothing was decided about it");
            Err(ApiError::not_found("name", message, "Check the kind, the namespace and the spelling."))
        }
    }
}

/// Why one object is as it is.
#[utoipa::path(get, path = "/api/v1/why/{kind}/{namespace}/{name}", tag = "subjects",
    params(("kind" = String, Path, description = "The kind, with its group after a dot unless it is core."),
           ("namespace" = String, Path, description = "The namespace, or - for a cluster-scoped kind."),
           ("name" = String, Path, description = "The name.")),
    responses((status = 200, body = Why), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn why(
    state: State<App>,
    viewer: Viewer,
    path: Segments<(String, String, String)>,
    uri: Uri,
) -> Result<Json<Why>, ApiError> {
    let Json(subject) = subject(state, viewer, path, uri).await?;
    match subject.why {
        Some(why) => Ok(Json(why)),
        None => {
            let message = format!("no feature has looked at {}", subject.object);
            let fix = "A feature looks at what concerns it, in mode Observe or Enforce; see /api/v1/overview.";
            Err(ApiError::not_found("name", message, fix))
        }
    }
}
