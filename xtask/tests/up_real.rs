//! `cargo xtask up --real`: what a person types, until the shop runs on real nodes and Ctrl-C ends all of it.
//!
//! Needs root and the programs of `e2e/tools/README.md`, as every test of the real cluster does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use keelson_harness::{Traces, corpus, tools, wait};
use serde_json::Value;

/// Ended when a test panics; after that the cluster's watcher cleans up.
struct Up(Child);

impl Up {
    fn interrupt(&self) {
        // A terminal sends Ctrl-C to everything in the foreground.
        assert!(Command::new("kill").args(["-INT", "--", &format!("-{}", self.0.id())]).status().unwrap().success());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(program: &str, args: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args);
    tools::run(command)
}

#[test]
fn up_real_serves_the_page_places_the_shop_on_real_nodes_and_ctrl_c_leaves_nothing() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["up", "--real", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).process_group(0);
    let mut up = Up(command.spawn().unwrap());
    let mut lines = BufReader::new(up.0.stdout.take().unwrap()).lines();
    let mut said = |start: &str| {
        let found = lines.by_ref().map_while(Result::ok).find_map(|line| Some(line.split_once(start)?.1.to_owned()));
        found.unwrap_or_else(|| panic!("up --real ended before it said {start:?}"))
    };
    let kubeconfig = said("kubeconfig ");
    let kubectl = said("kubectl ");
    let page = format!("http://{}", said("http://"));
    let traces = Traces::of(Path::new(&kubeconfig).parent().unwrap()).unwrap();

    wait::until("the shop to run on real nodes", Duration::from_secs(120), || {
        let pods = read(
            &kubectl,
            &["--kubeconfig", &kubeconfig, "get", "pods", "--namespace=online-boutique", "--output=json"],
        )?;
        let pods: Value = serde_json::from_str(&pods)?;
        let running = |pod: &&Value| {
            pod["status"]["phase"] == "Running"
                && pod["spec"]["nodeName"].as_str().is_some_and(|n| n.starts_with("real-"))
        };
        let count = pods["items"].as_array().context("pods")?.iter().filter(running).count();
        ensure!(count >= 11, "{count} of 11 services run");
        Ok(())
    })
    .unwrap();
    let placed = wait::until("a placement on the page", Duration::from_secs(20), || {
        let url = format!("{page}/api/v1/decisions?namespace=online-boutique&verb=Place&limit=50");
        let answer: Value = serde_json::from_str(&read("curl", &["--silent", "--fail", &url])?)?;
        let done = answer["decisions"].as_array().context("decisions")?.iter().find(|one| one["outcome"] == "Done");
        done.cloned().with_context(|| format!("none is done: {answer}"))
    })
    .unwrap();
    assert!(placed["chosen"].as_str().is_some_and(|node| node.starts_with("real-")), "{placed:#}");
    let html = read("curl", &["--silent", "--fail", &page]).unwrap();
    assert!(html.contains("<script"), "not the built page: {html}");
    let log = Path::new(&kubeconfig).parent().unwrap().join("logs/audit.log");
    corpus::only_what_is_known(&log, corpus::Server::Whole).unwrap_or_else(|error| panic!("{error:#}"));

    up.interrupt();
    assert!(up.0.wait().unwrap().success());
    assert_eq!(traces.leftovers().unwrap(), Vec::<String>::new());
    assert!(read("curl", &["--silent", &page]).is_err(), "the page still answers");
}
