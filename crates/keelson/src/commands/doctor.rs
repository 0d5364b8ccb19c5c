//! `keelson doctor`: what stands between Keelson and its work, and what to do about it.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use keelson_core::Mode;
use keelson_dashboard::view::Overview;
use keelson_runtime::{Calls, Clock, Scope};
use keelson_scheduling::fields::COMPLETE_FOR;
use keelson_store::Schema;
use kube::api::{Api, PostParams};
use kube::client::Body;
use serde::Serialize;

use crate::cli::Doctor;
use crate::client::Client;
use crate::commands::leftovers;
use crate::handover::DIFFERS;
use crate::https::is_nobody_there;
use crate::output::{Colour, paint, print};
use crate::{cluster, permissions, store};

/// How far two clocks may be apart before Leases and ages mislead people.
const SKEW_SECONDS: i64 = 5;
/// The longest one check may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: String,
    ok: bool,
    detail: String,
    /// What to do; empty when all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

impl Check {
    fn good(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), ok: true, detail: detail.into(), fix: String::new() }
    }

    /// Nothing is broken, and yet there is something to know and to do.
    fn doubtful(name: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { ok: true, ..Self::bad(name, detail, fix) }
    }

    fn bad(name: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.to_owned(), ok: false, detail: detail.into(), fix: fix.into() }
    }
}

/// Runs every check, also after one failed; false when any did.
///
/// # Errors
/// When standard output is closed.
pub async fn run(args: &Doctor) -> Result<bool> {
    let mut checks = Vec::new();
    if args.cleanup {
        let client = cluster::client(args.kubeconfig.as_deref(), &Calls::default()).await?;
        let checks = left(&client).await;
        print(args.print, &checks, |_| words(&checks))?;
        return Ok(checks.iter().all(|check| check.ok));
    }
    match cluster::client(args.kubeconfig.as_deref(), &Calls::default()).await {
        Ok(client) => {
            checks.push(timed("API access", version(&client)).await);
            if checks.iter().all(|check| check.ok) {
                checks.push(timed("pod fields", fields(&client)).await);
                checks.push(
                    timed("permissions", allowed(&client, args.ceiling, &args.namespace, args.account.as_deref()))
                        .await,
                );
                checks.push(timed("definitions", definitions(&client)).await);
                checks.extend(platform(&client).await);
                checks.push(timed("clock", skew(&client)).await);
            }
        }
        Err(error) => {
            checks.push(Check::bad("API access", format!("{error:#}"), "name a kubeconfig with --kubeconfig"))
        }
    }
    if let Some(database) = &args.database {
        checks.push(timed("store", reachable(database)).await);
    }
    checks.extend(running(args).await);
    let well = checks.iter().all(|check| check.ok);
    print(args.print, &checks, |_| words(&checks))?;
    Ok(well)
}

async fn timed(name: &str, check: impl Future<Output = Check>) -> Check {
    let late = || Check::bad(name, "no answer within 10 s", "see whether the address is right and reachable from here");
    tokio::time::timeout(DEADLINE, check).await.unwrap_or_else(|_| late())
}

async fn version(client: &kube::Client) -> Check {
    match client.apiserver_version().await {
        Ok(info) => Check::good("API access", format!("Kubernetes {}", info.git_version)),
        Err(error) => {
            Check::bad("API access", error.to_string(), "see whether the cluster runs and the kubeconfig is its own")
        }
    }
}

/// Whether the API server may store pod fields that this build does not read.
async fn fields(client: &kube::Client) -> Check {
    let info = match client.apiserver_version().await {
        Ok(info) => info,
        Err(error) => return Check::bad("pod fields", error.to_string(), "see whether the cluster runs"),
    };
    // Clouds write `36+`.
    let minor = info.minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>();
    match minor {
        Ok(minor) if minor <= COMPLETE_FOR => {
            Check::good("pod fields", format!("all that the API server has are judged (up to 1.{COMPLETE_FOR})"))
        }
        _ => Check::doubtful(
            "pod fields",
            format!(
                "the API server is {}, and only the fields of 1.{COMPLETE_FOR} are read: a pod that uses a newer one is \
                 placed as if it did not",
                info.git_version
            ),
            "upgrade keelson, or give such pods another schedulerName; docs/scheduling-fields.md has the fields",
        ),
    }
}

/// Asks for each right that the ceiling needs, whether `account` (or whoever asks) has it.
async fn allowed(client: &kube::Client, ceiling: Mode, namespace: &str, account: Option<&str>) -> Check {
    let mut missing = Vec::new();
    let rights = permissions::rights(ceiling);
    for right in &rights {
        let (resource, subresource) = right.resource.split_once('/').unwrap_or((right.resource.as_str(), ""));
        let attributes = ResourceAttributes {
            group: Some(right.group.clone()),
            resource: Some(resource.to_owned()),
            subresource: Some(subresource.to_owned()).filter(|name| !name.is_empty()),
            verb: Some(right.verb.clone()),
            name: right.name.clone(),
            namespace: (right.scope == Scope::Own).then(|| namespace.to_owned()),
            ..ResourceAttributes::default()
        };
        match may(client, attributes, account).await {
            Ok(true) => {}
            Ok(false) => missing.push(right.to_string()),
            Err(error) => {
                let reviews = account.map_or("selfsubjectaccessreviews", |_| "subjectaccessreviews");
                return Check::bad("permissions", error.to_string(), format!("allow creating {reviews}"));
            }
        }
    }
    let whose = account.map_or_else(|| "you have".to_owned(), |account| format!("{account} has"));
    if missing.is_empty() {
        return Check::good("permissions", format!("{whose} all {} that {ceiling} needs", rights.len()));
    }
    let fix = "bind the ClusterRole and the Role of deploy/rbac/controller.yaml, or check for a lower --ceiling";
    Check::bad("permissions", format!("for {ceiling} {whose} not: {}", missing.join(", ")), fix)
}

async fn may(client: &kube::Client, right: ResourceAttributes, account: Option<&str>) -> Result<bool, kube::Error> {
    let (params, right) = (PostParams::default(), Some(right));
    let Some(account) = account else {
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: right, ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let answer = Api::<SelfSubjectAccessReview>::all(client.clone()).create(&params, &review).await?;
        return Ok(answer.status.is_some_and(|status| status.allowed));
    };
    let (user, groups) = (Some(account.to_owned()), Some(groups(account)));
    let spec = SubjectAccessReviewSpec { resource_attributes: right, user, groups, ..Default::default() };
    let review = SubjectAccessReview { spec, ..Default::default() };
    let answer = Api::<SubjectAccessReview>::all(client.clone()).create(&params, &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// The groups that the API server gives an account; those of people only their sign-in knows.
fn groups(account: &str) -> Vec<String> {
    let mut groups = vec!["system:authenticated".to_owned()];
    if let Some((namespace, _)) = account.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        groups.extend(["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]);
    }
    groups
}

async fn definitions(client: &kube::Client) -> Check {
    let there: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut missing = Vec::new();
    for ours in keelson_api::crds::own() {
        let name = ours.metadata.name.clone().unwrap_or_default();
        match there.get_opt(&name).await {
            Ok(Some(theirs)) if same_versions(&ours, &theirs) => {}
            Ok(Some(_)) => missing.push(format!("{name} (another version)")),
            Ok(None) => missing.push(name),
            Err(error) => {
                return Check::bad("definitions", error.to_string(), "allow reading customresourcedefinitions");
            }
        }
    }
    if missing.is_empty() {
        return Check::good("definitions", "as this version has them");
    }
    Check::bad("definitions", format!("missing: {}", missing.join(", ")), "run `keelson crds | kubectl apply -f -`")
}

/// What the Platform says of itself that somebody should know; nothing where all is well or there is none.
async fn platform(client: &kube::Client) -> Vec<Check> {
    let status = match cluster::platform(client).await {
        Ok(there) => there.and_then(|there| there.status).unwrap_or_default(),
        Err(error) => return vec![Check::bad("platform", error.to_string(), "allow reading platforms.keelson.dev")],
    };
    let features = status.features.unwrap_or_default().scheduling.map(|feature| feature.conditions);
    let conditions = status.conditions.into_iter().chain(features.into_iter().flatten());
    let telling = conditions.filter(|condition| match condition.type_.as_str() {
        DIFFERS | "CeilingReached" | "BreakerOpen" => condition.status == "True",
        "SettingsAccepted" => condition.status == "False",
        _ => false,
    });
    telling.map(|told| Check::doubtful("platform", told.type_, told.message)).collect()
}

/// What an uninstallation has left.
async fn left(client: &kube::Client) -> Vec<Check> {
    match leftovers::find(client).await {
        Ok(found) if found.is_empty() => vec![Check::good("leftovers", "nothing of Keelson is in this cluster")],
        Ok(found) => {
            let told = |one: leftovers::Leftover| Check::bad("left", format!("{} {}", one.what, one.why), one.remove);
            found.into_iter().map(told).collect()
        }
        Err(error) => vec![Check::bad("leftovers", format!("{error:#}"), "ask as an administrator")],
    }
}

/// The API server fills in defaults, so only what the versions are called and hold is compared.
fn same_versions(ours: &CustomResourceDefinition, theirs: &CustomResourceDefinition) -> bool {
    let columns = |crd: &CustomResourceDefinition| {
        let versions = crd.spec.versions.iter();
        versions.map(|version| (version.name.clone(), version.schema.clone())).collect::<Vec<_>>()
    };
    columns(ours) == columns(theirs)
}

/// Compares the `Date` of an answer with our clock.
async fn skew(client: &kube::Client) -> Check {
    let request = http::Request::get("/version").body(Body::empty());
    let answer = match request {
        Ok(request) => client.send(request).await,
        Err(error) => return Check::bad("clock", error.to_string(), "report this"),
    };
    let date = match &answer {
        Ok(answer) => answer.headers().get(http::header::DATE).and_then(|value| value.to_str().ok()),
        Err(error) => return Check::bad("clock", error.to_string(), "see whether the cluster runs"),
    };
    let Some(there) = date.and_then(cluster::http_date) else {
        return Check::good("clock", "not compared: the API server does not say its time");
    };
    let apart = (Clock::system().now().as_seconds() - there).abs();
    if apart <= SKEW_SECONDS {
        return Check::good("clock", format!("{apart} s from the API server's"));
    }
    Check::bad(
        "clock",
        format!("{apart} s from the API server's"),
        "set this machine's clock (NTP); ages and Leases mislead until then",
    )
}

async fn reachable(database: &str) -> Check {
    match store::inspect(database).await {
        Ok(Schema { found: 0, .. }) => Check::good("store", "is empty; the controller makes what it needs"),
        Ok(Schema { found, known }) if found == known => {
            Check::good("store", "opens, and its schema is this version's")
        }
        Ok(Schema { found, known }) if found < known => {
            let detail = format!("has schema {found}; the controller brings it to {known} when it starts");
            Check::good("store", detail)
        }
        Ok(Schema { found, known }) => {
            let detail = format!("has schema {found}, this version knows up to {known}");
            Check::bad("store", detail, "run the newer keelson, or restore a backup")
        }
        Err(error) => {
            let fix = "see whether the file or the database is there; the controller makes a file that is not";
            Check::bad("store", format!("{error:#}"), fix)
        }
    }
}

/// What a running Keelson says of itself; not running is not an illness.
async fn running(args: &Doctor) -> Vec<Check> {
    let overview = match Client::new(&args.server) {
        Ok(client) => client.get::<Overview>("overview", &[]).await,
        Err(error) => Err(error),
    };
    let overview = match overview {
        Ok(overview) => overview,
        Err(error) if is_nobody_there(&error) => {
            return vec![Check::good("running Keelson", format!("none at {}", args.server.server))];
        }
        Err(error) => {
            let fix = "see what answers at that address, or name Keelson's with --server";
            return vec![Check::bad("running Keelson", format!("{error:#}"), fix)];
        }
    };
    judged(&overview)
}

fn judged(overview: &Overview) -> Vec<Check> {
    let mut checks: Vec<_> = overview
        .connections
        .iter()
        .map(|connection| Check {
            name: format!("connection to {}", connection.name.as_str()),
            ok: connection.ok,
            detail: connection.detail.clone(),
            fix: if connection.ok { String::new() } else { "the detail says what to do".to_owned() },
        })
        .collect();
    for feature in &overview.features {
        let detail = format!("{} (wanted {}, ceiling {})", feature.mode, feature.wanted, feature.ceiling);
        checks.push(match &feature.breaker {
            Some(why) => {
                Check::bad(&feature.title, format!("the breaker is open: {why}"), "mend the cause, then resume")
            }
            None => Check::good(&feature.title, detail),
        });
        let waiting = feature.counts.waiting + feature.counts.refused;
        if feature.mode < Mode::Enforce && waiting > 0 {
            let detail = format!(
                "SchedulerNotEnforcing: {waiting} pods name Keelson and stay Pending, because {} is in mode {}",
                feature.feature, feature.mode
            );
            checks.push(Check::bad(
                "pods held back",
                detail,
                "switch it to Enforce, or give them another schedulerName",
            ));
        }
    }
    checks
}

fn words(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = match (check.ok, check.fix.is_empty()) {
            (true, true) => paint("ok  ", Colour::Green),
            (true, false) => paint("warn", Colour::Yellow),
            (false, _) => paint("FAIL", Colour::Red),
        };
        text.push_str(&format!("{mark}  {:<20} {}\n", check.name, check.detail));
        if !check.fix.is_empty() {
            text.push_str(&format!("      {:<20} -> {}\n", "", check.fix));
        }
    }
    text
}

#[cfg(test)]
mod tests;
