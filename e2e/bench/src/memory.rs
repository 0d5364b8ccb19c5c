//! What a large cluster weighs: in the cache that all features share, and in what placement knows beside it.
//!
//! Pods and nodes are read through the framework as from an API server. The scheduler then takes all of them in and decides
//! a pod of every workload once, so that it keeps what it keeps of each class. Measured is what the process has resident after
//! each step, less before it. It counts only in a process in which nothing else ran before, in the environment that the image
//! gives it (`cargo xtask bench` does): memory is given back late, or never.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use keelson_core::Timestamp;
use keelson_runtime::cache::Delta;
use keelson_scheduling::mind::Mind;

use crate::cache::{Stock, pod};
use crate::clock::resident;
use crate::deciding::{moment, standing};
use crate::{Better, Row, Setting, decisions};

/// Megabytes, each and together.
const GOAL: f64 = 250.0;
const GOAL_OF_ALL: f64 = 800.0;

/// Weighs it.
///
/// # Errors
/// When the framework does not start, or a pod of the workloads cannot be decided.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let stock = setting
        .of(Stock { pods: 100_000, workloads: 2_000, nodes: 5_000 }, Stock { pods: 100, workloads: 10, nodes: 10 });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let platform = stock.framework()?;
        platform.platform().synced().await;
        let before = resident("self");
        let (nodes, pods) = (platform.cache::<Node>(), platform.cache::<Pod>());
        nodes.synced().await;
        pods.synced().await;
        let cached = resident("self");
        let mut mind = Mind::new(standing(false));
        let now = decisions::at(0);
        let (Delta::Restarted(all_nodes), Delta::Restarted(all_pods)) =
            (nodes.subscribe().next().await, pods.subscribe().next().await)
        else {
            anyhow::bail!("a cache that was read does not begin with all there is");
        };
        mind.nodes(all_nodes, now);
        mind.pods(all_pods, now);
        let known = resident("self");
        decide_each(&mut mind, stock, now)?;
        let decided = resident("self");
        platform.shutdown().await;

        let what = format!("{} nodes, {} pods of {} workloads", stock.nodes, stock.pods, stock.workloads);
        let how = format!("{what}; resident memory after less before");
        let weighs = |what: &str, megabytes: f64, how: &str| Row::new(what, megabytes, "MB", Better::Lower, how);
        Ok(vec![
            weighs("the shared cache: pods and nodes", (cached - before).max(0.0), &how).goal(GOAL),
            weighs(
                "the scheduler: state, queue and classes",
                (decided - cached).max(0.0),
                &format!("{how}; a pod of each workload decided"),
            )
            .goal(GOAL),
            weighs("of that before the first decision", (known - cached).max(0.0), &how),
            weighs("all of the process", decided, &format!("{what}; resident memory")).goal(GOAL_OF_ALL),
        ])
    })
}

/// A pod more of every workload is decided, bound, and seen to be.
fn decide_each(mind: &mut Mind, stock: Stock, now: Timestamp) -> Result<()> {
    for n in 0..stock.workloads {
        let mut more: Pod = serde_json::from_value(pod(n, stock))?;
        let name = format!("{}-more", more.metadata.name.unwrap_or_default());
        (more.metadata.uid, more.metadata.name) = (Some(name.clone()), Some(name));
        more.status = None;
        let mut on = |node: Option<String>| {
            let spec = more.spec.as_mut().context("a pod has a spec")?;
            (spec.node_name, spec.scheduler_name) = (node, Some("keelson".to_owned()));
            anyhow::Ok(Arc::new(more.clone()))
        };
        mind.pod(&on(None)?, now);
        let job = mind.next(moment(u32::try_from(n)?, now)).context("a pod is not due")?;
        let made = job.plan.decisions.first().context("nothing was decided")?;
        ensure!(job.awaits.is_some(), "a pod is not placed: {}", made.sentence);
        let bound = on(made.chosen.clone())?;
        mind.ended(&job.uid, true, now);
        mind.pod(&bound, now);
    }
    Ok(())
}
