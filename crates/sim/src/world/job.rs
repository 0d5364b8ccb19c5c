//! The Job controller.
//!
//! Finished pods are counted once: each carries a finalizer that is taken only after the count is stored, so a pod that
//! is swept away with its node still counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use keelson_core::Span;

use super::agenda::Role;
use super::demand::is_finished;
use super::desk::{Desk, Looked, Note};
use super::kinds::{JOBS, PODS};
use super::read::{
    Key, Wanted, annotation, at, holds, int, is_leaving, list, name, put_condition, stamp, text, time, uid, yes,
};
use super::replicaset::{concerned, is_active, pod_from};
use crate::objects::{Event, Write};
use crate::tree::{Value, json};

/// The finalizer of a pod that was not counted yet.
const TRACKED: &str = "batch.kubernetes.io/job-tracking";
/// Annotation and label of a pod of an Indexed job.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How long changes of pods are gathered (kubernetes/pkg/controller/job, `syncJobBatchPeriod`).
const BATCH: Span = Span::seconds(1);
/// The delay after a failure; it doubles with each, up to ten minutes.
const BACK_OFF: Span = Span::seconds(10);

/// Looks at jobs that changed and at those whose pods did.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == JOBS && !event.deleted {
        desk.soon(Role::Job, Key::of(&event.object));
    } else if event.resource == PODS && !event.deleted && is_tracked(&event.object) && is_leaving(&event.object) {
        // The job itself may be gone: the pod is let go either way.
        desk.soon(Role::JobPod, Key::of(&event.object));
        batch(desk, event);
    } else if event.resource == PODS {
        batch(desk, event);
    }
}

/// Has the job of a pod looked at once for all that happens to its pods within a second.
fn batch(desk: &mut Desk<'_>, event: &Event) {
    if let Some(job) = concerned(event, "Job") {
        desk.at(desk.now + BATCH, Role::Job, job);
    }
}

fn is_tracked(pod: &Value) -> bool {
    list(pod, "metadata.finalizers").iter().any(|finalizer| finalizer.as_str() == Some(TRACKED))
}

/// Lets a leaving pod go whose job is gone.
///
/// # Errors
/// What the API says.
pub fn release_orphan(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(pod) = desk.get(PODS, key).filter(|pod| is_tracked(pod)) else { return Ok(()) };
    let owner = super::read::controller(&pod).map(|owner| Key::new(&key.namespace, text(owner, "name")));
    let known = owner.and_then(|owner| desk.get(JOBS, &owner)).is_some_and(|job| !is_leaving(&job));
    if known { Ok(()) } else { release(desk, &pod) }
}

fn release(desk: &mut Desk<'_>, pod: &Value) -> Looked {
    let kept = list(pod, "metadata.finalizers").iter().filter(|finalizer| finalizer.as_str() != Some(TRACKED));
    let kept: Vec<&Value> = kept.collect();
    match desk.merge(PODS, pod, "", json!({"metadata": {"finalizers": kept}})) {
        Err(refusal) if refusal.code != 404 => Err(refusal),
        _ => Ok(()),
    }
}

fn is_done(job: &Value) -> bool {
    holds(job, "Complete") || holds(job, "Failed")
}

/// One look at a job.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(job) = desk.get(JOBS, key).filter(|job| !is_leaving(job)) else { return Ok(()) };
    let pods = desk.state.seen.owned(uid(&job), PODS);
    if is_done(&job) {
        for pod in pods.iter().filter(|pod| is_tracked(pod)) {
            release(desk, pod)?;
        }
        return expire(desk, key, &job);
    }
    let (job, pods) = count(desk, job, &pods)?;
    let active: Vec<&Arc<Value>> = pods.iter().filter(|pod| is_active(pod)).collect();
    let (succeeded, failed) = (int(&job, "status.succeeded").unwrap_or(0), int(&job, "status.failed").unwrap_or(0));
    let completions = int(&job, "spec.completions");
    let limit = int(&job, "spec.backoffLimit").unwrap_or(6);
    let deadline = time(&job, "status.startTime").zip(int(&job, "spec.activeDeadlineSeconds"));
    let deadline = deadline.map(|(since, seconds)| since + Span::seconds(seconds));
    if let Some(deadline) = deadline.filter(|deadline| *deadline > desk.now) {
        desk.at(deadline, Role::Job, key.clone());
    }
    let none_left = active.is_empty() && succeeded > 0;
    if completions.map_or(none_left, |completions| succeeded >= completions) {
        return finish(
            desk,
            &job,
            &active,
            "Complete",
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        );
    }
    if failed > limit {
        let message = "Job has reached the specified backoff limit";
        return finish(desk, &job, &active, "Failed", "BackoffLimitExceeded", message);
    }
    if deadline.is_some_and(|deadline| deadline <= desk.now) {
        let message = "Job was active longer than specified deadline";
        return finish(desk, &job, &active, "Failed", "DeadlineExceeded", message);
    }
    if yes(&job, "spec.suspend") {
        active.iter().try_for_each(|pod| desk.delete(PODS, pod, None))?;
    } else {
        start(desk, key, &job, &pods, succeeded, failed)?;
    }
    report(desk, key)
}

/// Counts finished pods and lets them go.
fn count(
    desk: &mut Desk<'_>,
    job: Arc<Value>,
    pods: &[Arc<Value>],
) -> Result<(Arc<Value>, Vec<Arc<Value>>), crate::objects::Refusal> {
    let over: Vec<&Arc<Value>> = pods
        .iter()
        .filter(|pod| is_tracked(pod) && (is_finished(pod) || text(pod, "spec.nodeName").is_empty() && is_leaving(pod)))
        .collect();
    if over.is_empty() {
        return Ok((job, pods.to_vec()));
    }
    let good = over.iter().filter(|pod| text(pod, "status.phase") == "Succeeded").count();
    let plus = |path: &str, more: usize| int(&job, path).unwrap_or(0) + i64::try_from(more).unwrap_or(0);
    let mut status = json!({
        "succeeded": plus("status.succeeded", good), "failed": plus("status.failed", over.len() - good),
    });
    if text(&job, "spec.completionMode") == "Indexed" {
        let done = over.iter().filter(|pod| text(pod, "status.phase") == "Succeeded").filter_map(|pod| index(pod));
        let mut indexes = completed(&job);
        indexes.extend(done);
        if let Some(fields) = status.as_object_mut() {
            fields.insert("completedIndexes".to_owned(), Value::from(ranges(&indexes)));
        }
    }
    let key = Key::of(&job);
    desk.write_status(JOBS, &job, status)?;
    for pod in &over {
        release(desk, pod)?;
    }
    let job = desk.get(JOBS, &key).unwrap_or(job);
    let pods = desk.state.seen.owned(uid(&job), PODS);
    Ok((job, pods))
}

fn index(pod: &Value) -> Option<i64> {
    annotation(pod, INDEX)?.parse().ok()
}

/// `0,2-4` as numbers.
fn completed(job: &Value) -> BTreeSet<i64> {
    let parts = text(job, "status.completedIndexes").split(',');
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.parse::<i64>().ok()?..=to.parse::<i64>().ok()?)
    };
    parts.filter_map(range).flatten().collect()
}

/// Numbers as `0,2-4`.
fn ranges(indexes: &BTreeSet<i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let text = |(from, to): &(i64, i64)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

/// Starts as many pods as the parallelism allows and the completions still need.
fn start(desk: &mut Desk<'_>, key: &Key, job: &Value, pods: &[Arc<Value>], succeeded: i64, failed: i64) -> Looked {
    let active: Vec<&Arc<Value>> = pods.iter().filter(|pod| is_active(pod)).collect();
    let running = i64::try_from(active.len()).unwrap_or(i64::MAX);
    let parallelism = int(job, "spec.parallelism").unwrap_or(1);
    let wanted = match int(job, "spec.completions") {
        Some(completions) => parallelism.min(completions - succeeded),
        None if succeeded > 0 => running,
        None => parallelism,
    };
    if running > wanted {
        let excess = usize::try_from(running - wanted).unwrap_or(0);
        return active.iter().take(excess).try_for_each(|pod| desk.delete(PODS, pod, None));
    }
    let last_failure =
        pods.iter().filter(|pod| text(pod, "status.phase") == "Failed").filter_map(|pod| ended(pod)).max();
    if let Some(last) = last_failure {
        let delay = BACK_OFF.0.saturating_mul(1 << failed.clamp(1, 20).saturating_sub(1));
        let after = last + Span(delay).min(Span::minutes(10));
        if after > desk.now {
            desk.at(after, Role::Job, key.clone());
            return Ok(());
        }
    }
    let indexed = text(job, "spec.completionMode") == "Indexed";
    let mut taken = completed(job);
    taken.extend(active.iter().filter_map(|pod| index(pod)));
    for _ in running..wanted {
        let next = (0..).find(|index| !taken.contains(index)).unwrap_or(0);
        taken.insert(next);
        create(desk, job, indexed.then_some(next))?;
    }
    Ok(())
}

/// When a pod's last container ended.
fn ended(pod: &Value) -> Option<keelson_core::Timestamp> {
    let ends =
        list(pod, "status.containerStatuses").iter().filter_map(|status| time(status, "state.terminated.finishedAt"));
    ends.max()
}

fn create(desk: &mut Desk<'_>, job: &Value, index: Option<i64>) -> Looked {
    let mut pod = pod_from(at(job, "spec.template").unwrap_or(&Value::Null), job, "batch/v1", "Job");
    if let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("finalizers".to_owned(), json!([TRACKED]));
        let mut put = |map: &str, key: &str, value: String| {
            let entries = metadata.entry(map).or_insert_with(|| json!({}));
            if let Some(entries) = entries.as_object_mut() {
                entries.insert(key.to_owned(), Value::from(value));
            }
        };
        put("labels", "batch.kubernetes.io/job-name", name(job).to_owned());
        put("labels", "job-name", name(job).to_owned());
        put("labels", "batch.kubernetes.io/controller-uid", uid(job).to_owned());
        if let Some(index) = index {
            put("labels", INDEX, index.to_string());
            put("annotations", INDEX, index.to_string());
        }
    }
    let pod = desk.write(Write::Create(PODS, pod))?;
    let message = format!("Created pod: {}", name(&pod));
    desk.tell(
        job,
        "Job",
        Note { level: "Normal", reason: "SuccessfulCreate", message: &message, by: "job-controller" },
    );
    Ok(())
}

fn finish(desk: &mut Desk<'_>, job: &Value, active: &[&Arc<Value>], kind: &str, reason: &str, message: &str) -> Looked {
    active.iter().try_for_each(|pod| desk.delete(PODS, pod, None))?;
    let mut conditions = list(job, "status.conditions").to_vec();
    let early = if kind == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" };
    for kind in [early, kind] {
        put_condition(&mut conditions, Wanted { kind, status: "True", reason, message }, desk.now);
    }
    let mut status = json!({"conditions": conditions, "active": 0, "ready": 0});
    if kind == "Complete"
        && let Some(fields) = status.as_object_mut()
    {
        fields.insert("completionTime".to_owned(), Value::from(stamp(desk.now)));
    }
    desk.write_status(JOBS, job, status)?;
    let note = Note { level: "Normal", reason, message, by: "job-controller" };
    desk.tell(job, "Job", note);
    Ok(())
}

/// Deletes a finished job when its time is over.
fn expire(desk: &mut Desk<'_>, key: &Key, job: &Value) -> Looked {
    let Some(ttl) = int(job, "spec.ttlSecondsAfterFinished") else { return Ok(()) };
    let conditions = list(job, "status.conditions").iter();
    let ends = conditions
        .filter(|c| matches!(text(c, "type"), "Complete" | "Failed"))
        .filter_map(|c| time(c, "lastTransitionTime"));
    let until = ends.max().unwrap_or(desk.now) + Span::seconds(ttl);
    if until <= desk.now {
        return desk.delete(JOBS, job, None);
    }
    desk.at(until, Role::Job, key.clone());
    Ok(())
}

fn report(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(job) = desk.get(JOBS, key) else { return Ok(()) };
    let pods = desk.state.seen.owned(uid(&job), PODS);
    let count = |test: &dyn Fn(&Value) -> bool| pods.iter().filter(|pod| is_active(pod) && test(pod)).count();
    let mut status = json!({"active": count(&|_| true), "ready": count(&|pod| holds(pod, "Ready"))});
    if time(&job, "status.startTime").is_none()
        && !yes(&job, "spec.suspend")
        && let Some(fields) = status.as_object_mut()
    {
        fields.insert("startTime".to_owned(), Value::from(stamp(desk.now)));
    }
    if super::replicaset::says_less(&job, &status) {
        desk.write_status(JOBS, &job, status)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_ranges() {
        let job = json!({"status": {"completedIndexes": "0,2-4,7"}});
        assert_eq!(ranges(&completed(&job)), "0,2-4,7");
        assert_eq!(completed(&job).len(), 5);
        assert_eq!(ranges(&BTreeSet::new()), "");
    }
}
