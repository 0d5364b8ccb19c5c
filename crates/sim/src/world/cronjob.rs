//! The CronJob controller: a Job whenever its schedule is due, in UTC.
//!
//! A look after a long sleep starts the last missed run only, if its starting deadline allows, as upstream does.

use std::sync::Arc;

use keelson_core::{Span, Timestamp};

use super::agenda::Role;
use super::cron::Schedule;
use super::desk::{Desk, Looked, Note};
use super::kinds::{CRON_JOBS, JOBS};
use super::read::{Key, at, holds, int, is_leaving, name, owned_by, stamp, text, time, uid, yes};
use super::replicaset::notice_owner;
use crate::objects::{Event, Write};
use crate::tree::{Value, json};

/// Who says so in events.
const BY: &str = "cronjob-controller";

/// Looks at cron jobs that changed and at those whose jobs did.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == CRON_JOBS && !event.deleted {
        desk.soon(Role::CronJob, Key::of(&event.object));
    } else if event.resource == JOBS {
        notice_owner(desk, event, "CronJob", Role::CronJob);
    }
}

fn is_running(job: &Value) -> bool {
    !holds(job, "Complete") && !holds(job, "Failed")
}

/// One look at a cron job.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(cron) = desk.get(CRON_JOBS, key).filter(|cron| !is_leaving(cron)) else { return Ok(()) };
    let jobs = desk.state.seen.owned(uid(&cron), JOBS);
    tidy(desk, &cron, &jobs)?;
    let Some(schedule) = Schedule::parse(text(&cron, "spec.schedule")) else {
        let message = format!("unparseable schedule: {}", text(&cron, "spec.schedule"));
        desk.tell(
            &cron,
            "CronJob",
            Note { level: "Warning", reason: "UnparseableSchedule", message: &message, by: BY },
        );
        return Ok(());
    };
    let last = time(&cron, "status.lastScheduleTime").or_else(|| time(&cron, "metadata.creationTimestamp"));
    if let Some(due) = last_due(&schedule, last.unwrap_or(desk.now), desk.now)
        && !yes(&cron, "spec.suspend")
    {
        let late = desk.now.since(due);
        if int(&cron, "spec.startingDeadlineSeconds").is_none_or(|limit| late <= Span::seconds(limit)) {
            start(desk, &cron, &jobs, due)?;
        }
    }
    if let Some(next) = schedule.after(desk.now) {
        desk.at(next, Role::CronJob, key.clone());
    }
    report(desk, key)
}

/// The last moment after `since` that is due by now.
fn last_due(schedule: &Schedule, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    std::iter::successors(schedule.after(since), |due| schedule.after(*due)).take_while(|due| *due <= now).last()
}

fn start(desk: &mut Desk<'_>, cron: &Value, jobs: &[Arc<Value>], due: Timestamp) -> Looked {
    let running: Vec<&Arc<Value>> = jobs.iter().filter(|job| is_running(job)).collect();
    match text(cron, "spec.concurrencyPolicy") {
        "Forbid" if !running.is_empty() => {
            let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
            desk.tell(cron, "CronJob", Note { level: "Normal", reason: "JobAlreadyActive", message, by: BY });
            return Ok(());
        }
        "Replace" => running.iter().try_for_each(|job| desk.delete(JOBS, job, None))?,
        _ => {}
    }
    // The name holds the minute, so that one run is never started twice.
    let job_name = format!("{}-{}", name(cron), due.as_seconds() / 60);
    let template = at(cron, "spec.jobTemplate").cloned().unwrap_or_default();
    let metadata = json!({
        "namespace": super::read::namespace(cron), "name": job_name, "labels": at(&template, "metadata.labels"),
        "annotations": at(&template, "metadata.annotations"),
        "ownerReferences": [owned_by(cron, "batch/v1", "CronJob")],
    });
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": at(&template, "spec")});
    match desk.write(Write::Create(JOBS, job)) {
        Err(refusal) if refusal.reason != "AlreadyExists" => return Err(refusal),
        _ => {}
    }
    let message = format!("Created job {job_name}");
    desk.tell(cron, "CronJob", Note { level: "Normal", reason: "SuccessfulCreate", message: &message, by: BY });
    desk.merge(CRON_JOBS, cron, "status", json!({"status": {"lastScheduleTime": stamp(due)}})).map(drop)
}

/// Deletes finished jobs beyond the history limits, oldest first.
fn tidy(desk: &mut Desk<'_>, cron: &Value, jobs: &[Arc<Value>]) -> Looked {
    for (kind, limit, usual) in
        [("Complete", "spec.successfulJobsHistoryLimit", 3), ("Failed", "spec.failedJobsHistoryLimit", 1)]
    {
        let mut done: Vec<&Arc<Value>> = jobs.iter().filter(|job| holds(job, kind) && !is_leaving(job)).collect();
        done.sort_by_key(|job| (time(job, "metadata.creationTimestamp"), name(job).to_owned()));
        let keep = usize::try_from(int(cron, limit).unwrap_or(usual)).unwrap_or(0);
        let excess = done.len().saturating_sub(keep);
        done.into_iter().take(excess).try_for_each(|job| desk.delete(JOBS, job, None))?;
    }
    Ok(())
}

fn report(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(cron) = desk.get(CRON_JOBS, key) else { return Ok(()) };
    let jobs = desk.state.seen.owned(uid(&cron), JOBS);
    let reference = |job: &Arc<Value>| {
        let (name, uid) = (name(job), uid(job));
        json!({"apiVersion": "batch/v1", "kind": "Job", "namespace": key.namespace, "name": name, "uid": uid})
    };
    let active: Vec<Value> = jobs.iter().filter(|job| is_running(job)).map(reference).collect();
    let mut status = json!({"active": active});
    let last = jobs.iter().filter_map(|job| time(job, "status.completionTime")).max();
    if let (Some(last), Some(fields)) = (last, status.as_object_mut()) {
        fields.insert("lastSuccessfulTime".to_owned(), Value::from(stamp(last)));
    }
    let known = super::read::list(&cron, "status.active");
    let same = known.len() == active.len() && known.iter().zip(&active).all(|(a, b)| text(a, "uid") == text(b, "uid"));
    let told = last.is_none_or(|last| time(&cron, "status.lastSuccessfulTime").is_some_and(|known| known >= last));
    if same && told {
        return Ok(());
    }
    desk.merge(CRON_JOBS, &cron, "status", json!({"status": status})).map(drop)
}
