//! Lives of pods a second in the simulated cluster, in virtual time: created by a Job, bound, run, finished, collected.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use keelson_core::{Span, Timestamp};
use keelson_sim::api::{Api, Config};
use keelson_sim::objects::{Cluster as _, Write};
use keelson_sim::world::drive::play;
use keelson_sim::world::kinds::{JOBS, PODS};
use keelson_sim::world::nodes::NodeSpec;
use keelson_sim::world::pod_life::RUN_SECONDS;
use keelson_sim::world::{Settings, World};
use serde_json::json;

use crate::clock::on_processor;
use crate::reconcile::BEGIN;
use crate::{Better, Row, Setting};

const JOBS_AT_ONCE: u32 = 10;

/// Runs it.
///
/// # Errors
/// When the world refuses what it is asked, or pods are left over.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let (nodes, pods) = (setting.of(50, 5), setting.of(2_000, 100));
    let from = Timestamp::parse(BEGIN)?;
    let mut api = Api::new(Config { seed: 1, history: 1_000, ..Config::default() });
    let mut world = World::new(1, Settings::default());
    for n in 0..nodes {
        let spec = NodeSpec::new(&format!("node-{n}"), "eu-west-1a", "m6i.4xlarge", 16, 64);
        world.add_node(&spec, &mut api.cluster(from)).map_err(|refusal| anyhow!("{refusal}"))?;
    }
    let each = pods / JOBS_AT_ONCE;
    for n in 0..JOBS_AT_ONCE {
        api.cluster(from).write(Write::Create(JOBS, job(n, each))).map_err(|refusal| anyhow!("{refusal}"))?;
    }
    let (mut begun, mut ended) = (BTreeSet::new(), 0_u64);
    let mut events = 0_u64;
    let start = on_processor();
    play(&mut world, &mut api, from, from + Span::hours(24), |event, _| {
        events += 1;
        if event.resource == PODS {
            let uid = event.object.pointer("/metadata/uid").and_then(|uid| uid.as_str()).unwrap_or_default();
            if event.deleted {
                ended += u64::from(begun.remove(uid));
            } else if event.before.is_none() {
                begun.insert(uid.to_owned());
            }
        }
    });
    let took = (on_processor() - start).as_secs_f64();
    anyhow::ensure!(begun.is_empty(), "{} of {pods} pods are left over", begun.len());
    anyhow::ensure!(ended >= u64::from(pods), "only {ended} of {pods} pods lived");
    let how = format!("{ended} pods of {JOBS_AT_ONCE} Jobs on {nodes} machines, {events} events, one thread");
    let lives = ended as f64 / took;
    Ok(vec![
        Row::new("simulator: lives of pods", lives, "/s", Better::Higher, &how).goal(20_000.0),
        Row::new("simulator: events", events as f64 / took, "/s", Better::Higher, &how),
    ])
}

fn job(n: u32, tasks: u32) -> serde_json::Value {
    let container =
        json!({"name": "main", "image": "task:1", "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}}});
    let template = json!({
        "metadata": {"annotations": {RUN_SECONDS: "30"}},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    });
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": "default", "name": format!("job-{n}")},
        "spec": {"completions": tasks, "parallelism": 100, "ttlSecondsAfterFinished": 10, "template": template},
    })
}
