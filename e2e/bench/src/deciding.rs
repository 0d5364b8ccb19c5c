//! What a decision of the scheduler costs from the pod to the database, and what questions cost whoever decides.
//!
//! Nodes and pods are those of scheduler_perf. A decision is everything Keelson does for it but talking to the API server:
//! the pod is taken in, a node is chosen among all, the decision is worded, made durable in the journal, closed, and stored in
//! SQLite. Its price is the processor time of all threads together, so the rate is that of one core.
//!
//! A question (`keelson why`, what-if) is answered beside the loop, from a view that the loop hands out. What that costs the
//! loop is handing it out, and copying what it goes on to change. Whoever answers is as busy in the rounds that are compared,
//! with a view of long ago: two threads of one core slow each other down, whoever they are.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use keelson_cluster::{View, read};
use keelson_core::decision::{Outcome, Step, StepResult};
use keelson_core::{ActionKind, Mode, PlanId, Span, Timestamp};
use keelson_harness::processor;
use keelson_scheduling::decide::{Ask, Moment, Settings, decide};
use keelson_scheduling::mind::{Job, Mind, Standing};
use keelson_scheduling::queue::Backoff;
use keelson_store::{Journal, JournalOptions, Recorder, SqliteStore, recorder::RING};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::clock::{median, on_processor};
use crate::{Better, Row, Setting, decisions};

/// As the loop carries out at once.
const AT_ONCE: usize = 64;
/// As many as may wait for the store; what is offered beyond its queue is dropped, and this is about keeping.
const MOST: u64 = 4_000;

/// Runs it.
///
/// # Errors
/// When a file cannot be written, or something was not stored.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let nodes = setting.of(5_000, 20);
    let mut rows = recorded(nodes, setting.of(20_000, 60), setting.of((1_000, 20), (10, 2)))?;
    rows.push(questioned(nodes, setting.of((20, 1_000), (4, 150)))?);
    Ok(rows)
}

/// The loop's own, and its clock.
struct Loop {
    mind: Mind,
    now: Timestamp,
    made: u32,
}

impl Loop {
    fn new(nodes: usize) -> Result<Self> {
        let mut mind = Mind::new(standing(false));
        let now = decisions::at(0);
        let nodes = (0..nodes).map(|n| node(n, "as made")).collect::<Result<Vec<_>>>()?;
        mind.nodes(nodes.into_iter().map(Arc::new), now);
        Ok(Self { mind, now, made: 0 })
    }

    fn next(&mut self) -> Option<Job> {
        self.made += 1;
        self.mind.next(moment(self.made, self.now))
    }

    /// Everything that waits is tried again, after a change that helps nobody.
    fn again(&mut self) -> Result<()> {
        self.now = self.now + Span::minutes(10);
        self.mind.node(&node(0, &self.made.to_string())?, self.now);
        self.mind.configure(standing(true), self.now);
        self.mind.configure(standing(false), self.now);
        Ok(())
    }
}

/// A scheduler that leads and may act, unless its actions are held.
pub(crate) fn standing(held: bool) -> Standing {
    Standing {
        settings: Settings::new("keelson", Mode::Enforce),
        backoff: Backoff { initial: Span::seconds(1), max: Span::seconds(10) },
        group_wait: Span::ZERO,
        leading: true,
        held,
        moved_by: None,
        stands_back: None,
    }
}

/// The moment of decision `n`.
pub(crate) fn moment(n: u32, now: Timestamp) -> Moment {
    let decision = decisions::id(n);
    Moment { decision, plan: PlanId(decision.0), now }
}

/// A node of scheduler_perf's, with a label that no pod asks about.
fn node(n: usize, round: &str) -> Result<Node> {
    let (name, zone) = (format!("node-{n}"), format!("zone-{}", n % 3));
    let resources = json!({"cpu": "4", "memory": "32Gi", "pods": "110"});
    let labels = json!({"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone, "round": round});
    Ok(serde_json::from_value(json!({
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": resources, "allocatable": resources, "conditions": [{"type": "Ready", "status": "True"}]},
    }))?)
}

/// A pod of scheduler_perf's, or one that no node has the processors for.
fn pod(n: usize, cpu: &str) -> Value {
    json!({
        "metadata": {"name": format!("pod-{n}"), "namespace": "bench", "uid": n.to_string(), "labels": {"color": "blue"}},
        "spec": {"schedulerName": "keelson", "containers": [{"name": "pause", "image": "pause:3.10",
            "resources": {"requests": {"cpu": cpu, "memory": "500Mi"}}}]},
    })
}

fn read_pod(manifest: &Value) -> Result<Arc<Pod>> {
    Ok(Arc::new(serde_json::from_value(manifest.clone())?))
}

/// Decisions a second on one core: of pods that are placed, and of pods that are told the same again and again.
fn recorded(nodes: usize, pods: usize, (waiting, times): (usize, usize)) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let placed = placed(&folder.path().join("placed"), nodes, pods).await?;
        let (repeated, bytes) = repeated(&folder.path().join("repeated"), nodes, waiting, times).await?;
        let how =
            format!("{nodes} nodes, {pods} pods; journal and SQLite on disk; processor time of all threads together");
        let again = format!(
            "{nodes} nodes, {waiting} pods that none of them holds, each told so {times} times; otherwise the same"
        );
        let size = format!(
            "the database after that, by decision: of each pod a row that was acted on, and one of {} repeats",
            times - 1
        );
        Ok(vec![
            Row::new("a pod placed, recorded and stored", placed, "decisions/s a core", Better::Higher, &how)
                .goal(5_000.0),
            Row::new("a verdict repeated, recorded and stored", repeated, "decisions/s a core", Better::Higher, &again)
                .goal(5_000.0),
            Row::new("a verdict repeated, on disk", bytes, "bytes", Better::Lower, &size).goal(300.0),
        ])
    })
}

/// Where decisions go, and what they cost until they are there.
struct Books {
    recorder: Recorder,
    store: Arc<SqliteStore>,
    running: JoinSet<Result<String>>,
    spent: Duration,
}

impl Books {
    async fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let store = Arc::new(SqliteStore::open(&folder.join("keelson.db")).await?);
        let journal = Journal::open(&folder.join("journal"), JournalOptions::default())?;
        let recorder = Recorder::start(store.clone(), journal, Arc::new(|| decisions::at(0)), RING);
        Ok(Self { recorder, store, running: JoinSet::new(), spent: processor_time()? })
    }

    /// Carries a job out as far as it is remembered; the loop is told of those that ended.
    async fn carry_out(&mut self, job: Job, mind: &mut Mind, now: Timestamp) -> Result<()> {
        self.running.spawn(remember(self.recorder.clone(), job, now));
        self.until(AT_ONCE - 1, mind, now).await?;
        while self.recorder.health().pending > MOST {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    async fn until(&mut self, running: usize, mind: &mut Mind, now: Timestamp) -> Result<()> {
        while self.running.len() > running {
            let Some(ended) = self.running.join_next().await else { break };
            mind.ended(&ended??, true, now);
        }
        Ok(())
    }

    /// Decisions a second of one core, once all are stored.
    async fn close(mut self, mind: &mut Mind, now: Timestamp, made: usize) -> Result<f64> {
        self.until(0, mind, now).await?;
        while self.recorder.health().pending > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let spent = processor_time()?.saturating_sub(self.spent);
        ensure!(self.recorder.health().dropped == 0, "{:?}", self.recorder.health());
        self.recorder.close(Duration::from_secs(60)).await;
        self.store.close().await;
        Ok(made as f64 / spent.as_secs_f64())
    }
}

/// What the executor does for a decision beside its requests.
async fn remember(recorder: Recorder, job: Job, now: Timestamp) -> Result<String> {
    let Job { uid, plan, mut recording, .. } = job;
    for mut decision in plan.decisions {
        let mine: Vec<_> = plan.actions.iter().filter(|action| action.decision == decision.id).collect();
        if mine.is_empty() {
            recorder.offer(decision);
            continue;
        }
        let id = decision.id;
        let step = |action: &&_| {
            let action = format!("{action}");
            Step { at: now, action, result: StepResult::Done, detail: String::new() }
        };
        let steps = mine.iter().map(step).collect();
        let tells = |kind: &ActionKind| matches!(kind, ActionKind::Event { .. });
        decision.outcome = Outcome::Pending;
        decision.actions = mine.into_iter().filter(|action| !tells(&action.kind)).cloned().collect();
        recorder.begin(decision, recording.take()).await?;
        recorder.finish(id, Outcome::Done, steps);
    }
    Ok(uid)
}

async fn placed(folder: &Path, nodes: usize, pods: usize) -> Result<f64> {
    let mut all = Loop::new(nodes)?;
    let pods = (0..pods).map(|n| read_pod(&pod(n, "100m"))).collect::<Result<Vec<_>>>()?;
    let mut books = Books::open(folder).await?;
    for pod in &pods {
        all.mind.pod(pod, all.now);
        let job = all.next().context("a pod is not due")?;
        ensure!(job.awaits.is_some(), "a pod is not placed: {:?}", job.plan.decisions);
        books.carry_out(job, &mut all.mind, all.now).await?;
    }
    books.close(&mut all.mind, all.now, pods.len()).await
}

/// Decisions a second, and what one weighs in the database.
async fn repeated(folder: &Path, nodes: usize, pods: usize, times: usize) -> Result<(f64, f64)> {
    let mut all = Loop::new(nodes)?;
    let mut books = Books::open(folder).await?;
    for n in 0..pods {
        let mut manifest = pod(n, "64");
        all.mind.pod(&read_pod(&manifest)?, all.now);
        let job = all.next().context("a pod is not due")?;
        // What it is told, it says.
        let told = job.plan.actions.iter().find_map(|action| match &action.kind {
            ActionKind::ApplyStatus(intent) => intent.get("status").cloned(),
            _ => None,
        });
        manifest.as_object_mut().context("a pod")?.insert("status".to_owned(), told.context("it is told nothing")?);
        all.mind.pod(&read_pod(&manifest)?, all.now);
        books.carry_out(job, &mut all.mind, all.now).await?;
    }
    for _ in 1..times {
        all.again()?;
        let mut heard = 0;
        while let Some(job) = all.next() {
            ensure!(job.plan.actions.is_empty(), "a verdict that was said is said again");
            books.carry_out(job, &mut all.mind, all.now).await?;
            heard += 1;
        }
        ensure!(heard == pods, "{heard} of {pods} pods were tried again");
    }
    let rate = books.close(&mut all.mind, all.now, pods * times).await?;
    let bytes = std::fs::metadata(folder.join("keelson.db"))?.len();
    Ok((rate, bytes as f64 / (pods * times) as f64))
}

fn processor_time() -> Result<Duration> {
    Ok(processor::of(Path::new("/proc/self"))?.1)
}

/// What the loop spends more on a decision while questions are asked as fast as they are answered, in percent.
fn questioned(nodes: usize, (rounds, pods): (usize, usize)) -> Result<Row> {
    let mut all = Loop::new(nodes)?;
    let (ask, asked) = channel::<Sender<Arc<View>>>();
    let (storm, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let first = all.mind.view();
    let (mut calm, mut stormy) = (Vec::new(), Vec::new());
    let answered = std::thread::scope(|scope| {
        let asker = scope.spawn(|| answer(&ask, &first, &storm, &over));
        let mut decided = || {
            for round in 0..rounds {
                let asking = round % 2 == 1;
                storm.store(asking, Relaxed);
                let spent = round_of(&mut all, &asked, round * pods..(round + 1) * pods)?;
                // The first warms up.
                match round {
                    0 => {}
                    _ if asking => stormy.push(spent),
                    _ => calm.push(spent),
                }
            }
            anyhow::Ok(())
        };
        let outcome = decided();
        over.store(true, Relaxed);
        // Whoever still waits for a view is told that there is none.
        while !asker.is_finished() {
            drop(asked.try_recv());
        }
        outcome?;
        asker.join().map_err(|_| anyhow::anyhow!("who answers questions panicked"))?
    })?;
    ensure!(answered > 0, "no question was answered");
    let more = 100.0 * (median(&mut stormy) / median(&mut calm) - 1.0);
    let how = format!(
        "{nodes} nodes, {rounds} rounds of {pods} pods, in every other a thread asks for one view after the other and answers \
         what-ifs from them ({answered} answered), in the others from one of long ago; the loop's processor time, medians"
    );
    Ok(Row::new("a storm of what-ifs costs the loop", more.max(0.0), "%", Better::Lower, &how).goal(5.0))
}

/// Decides pods, and hands out views to who asks; the seconds a decision took of this thread's processor.
fn round_of(all: &mut Loop, asked: &Receiver<Sender<Arc<View>>>, numbers: std::ops::Range<usize>) -> Result<f64> {
    let count = numbers.len();
    let pods = numbers.map(|n| read_pod(&pod(n, "100m"))).collect::<Result<Vec<_>>>()?;
    let began = on_processor();
    for pod in &pods {
        while let Ok(reply) = asked.try_recv() {
            // Whoever asked may have gone away.
            let _ = reply.send(all.mind.view());
        }
        all.mind.pod(pod, all.now);
        let job = all.next().context("a pod is not due")?;
        all.mind.ended(&job.uid, true, all.now);
    }
    Ok((on_processor() - began).as_secs_f64() / count as f64)
}

/// Answers what-ifs until it is over: from views that it asks for while there is a storm, from the first otherwise.
fn answer(ask: &Sender<Sender<Arc<View>>>, first: &Arc<View>, storm: &AtomicBool, over: &AtomicBool) -> Result<usize> {
    let pod = read_pod(&pod(usize::MAX, "250m"))?;
    let mut answered = 0;
    while !over.load(Relaxed) {
        let mut view = Arc::clone(first);
        if storm.load(Relaxed) {
            let (reply, handed) = channel();
            ask.send(reply)?;
            let Ok(fresh) = handed.recv() else { continue };
            view = fresh;
            answered += 1;
        }
        let settings = Settings::new("keelson", Mode::Enforce);
        let asked = Ask::new(&pod, read::pod(&pod), settings, moment(0, decisions::at(0)));
        let decided = decide(&asked, &view.snapshot_for(&asked.pod));
        ensure!(decided.node.is_some(), "a what-if found no node");
    }
    Ok(answered)
}
