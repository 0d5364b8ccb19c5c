//! The oracle: upstream's plugins in a process of their own.
//!
//! Promises: an answer belongs to the question that was asked last; the process ends with its owner.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use keelson_harness::tools::Toolset;
use serde::{Deserialize, Serialize};

use crate::request::Request;

/// What a plugin says of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Code {
    /// Yes.
    Success,
    /// It has nothing to say of this pod.
    Skip,
    /// No, but it may be yes when other pods are gone.
    Unschedulable,
    /// No, whatever pods are evicted.
    UnschedulableAndUnresolvable,
    /// It could not tell.
    Error,
}

/// A verdict and its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Yes or no.
    pub code: Code,
    /// Upstream's words.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// The nodes that a PreFilter leaves; `None` leaves all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<BTreeSet<String>>,
}

impl Verdict {
    /// Yes.
    pub const YES: Self = Self::new(Code::Success, Vec::new());

    /// A verdict on a node; the order of reasons means nothing.
    #[must_use]
    pub const fn new(code: Code, reasons: Vec<String>) -> Self {
        Self { code, reasons, nodes: None }
    }
}

/// The points of one plugin on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Points {
    /// As scored.
    pub raw: i64,
    /// In comparison with the other nodes, 0 to 100.
    pub normalized: i64,
}

/// Whom a preemption would evict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Preemption {
    /// Why nobody is.
    pub why: String,
    /// The chosen node; one of `ties`.
    pub node: String,
    /// Uids of the pods to evict, most important first.
    pub victims: Vec<String>,
    /// Nodes as good as the chosen one.
    pub ties: Vec<String>,
    /// All nodes on which eviction would help.
    pub candidates: BTreeMap<String, Candidate>,
}

/// A node on which eviction would help.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Candidate {
    /// As [`Preemption::victims`].
    pub victims: Vec<String>,
    /// How many of them break a budget.
    pub violations: i64,
}

/// By plugin, then by node.
pub type Scores = BTreeMap<String, BTreeMap<String, Points>>;

/// What upstream's plugins say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    error: String,
    /// Why kube-scheduler itself would have given up with an error.
    pub failed: String,
    /// What each PreFilter said.
    pub prefilter: BTreeMap<String, Verdict>,
    /// The plugins whose Filter was asked, in order.
    pub ran: Vec<String>,
    /// By node, those of `ran` that did not say Success.
    pub filter: BTreeMap<String, BTreeMap<String, Verdict>>,
    /// The nodes that can hold the pod.
    pub feasible: Vec<String>,
    /// The scores of the feasible nodes; a plugin that had nothing to say is absent.
    pub score: Scores,
    /// What a plugin's points count.
    pub weights: BTreeMap<String, i64>,
    /// The weighted sums.
    pub total: BTreeMap<String, i64>,
    /// Whom a preemption would evict; absent when it was not asked for or some node is feasible.
    pub preemption: Option<Preemption>,
    /// What an API server would say against the objects; empty when it was not asked for.
    pub refusals: Vec<String>,
}

impl Answer {
    /// Every plugin that may forbid a node.
    #[must_use]
    pub fn plugins(&self) -> BTreeSet<&str> {
        self.prefilter.keys().chain(&self.ran).map(String::as_str).collect()
    }

    /// What a plugin says of a node, wherever it said so: no from PreFilter is no on every node, and so is a set that the
    /// node is not in, in the words that kube-scheduler uses then.
    #[must_use]
    pub fn verdict(&self, plugin: &str, node: &str) -> Verdict {
        match self.prefilter.get(plugin) {
            Some(before) if before.code == Code::Skip => return Verdict::YES,
            Some(before) if before.code != Code::Success => return before.clone(),
            Some(Verdict { nodes: Some(left), .. }) if !left.contains(node) => {
                let reason = format!("node(s) didn't satisfy plugin(s) [{plugin}]");
                return Verdict::new(Code::UnschedulableAndUnresolvable, vec![reason]);
            }
            _ => {}
        }
        self.filter.get(node).and_then(|said| said.get(plugin)).cloned().unwrap_or(Verdict::YES)
    }

    /// Where the plugins, each asked alone, contradict kube-scheduler's own run over them: nothing, or the oracle is wrong.
    #[must_use]
    pub fn contradictions(&self) -> Vec<String> {
        if !self.failed.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let plugins = self.plugins();
        for node in self.filter.keys() {
            let all = plugins.iter().all(|plugin| self.verdict(plugin, node).code == Code::Success);
            if all != self.feasible.contains(node) {
                found.push(format!("{node}: all plugins say yes: {all}; it is feasible: {}", !all));
            }
        }
        for (node, total) in &self.total {
            let points = |(plugin, nodes): (&String, &BTreeMap<String, Points>)| {
                let points = nodes.get(node).map_or(0, |points| points.normalized);
                points * self.weights.get(plugin).copied().unwrap_or(1)
            };
            let sum: i64 = self.score.iter().map(points).sum();
            if sum != *total {
                found.push(format!("{node}: the points add up to {sum}; the total is {total}"));
            }
        }
        found
    }
}

/// A running oracle.
#[derive(Debug)]
pub struct Oracle {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts one, after building it where this machine has not yet.
    ///
    /// # Errors
    /// When it cannot be built or started.
    pub fn start() -> Result<Self> {
        let program = Toolset::Oracle.ready()?.join("oracle");
        let mut command = Command::new(&program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| program.display().to_string())?;
        let answers = BufReader::new(process.stdout.take().context("the oracle's output")?);
        Ok(Self { questions: process.stdin.take(), process, answers })
    }

    /// Asks one question.
    ///
    /// # Errors
    /// When the oracle has ended, or could not judge: the text is its own.
    pub fn ask(&mut self, request: &Request) -> Result<Answer> {
        let line = self.answer_to(&serde_json::to_string(request)?)?;
        let answer: Answer = serde_json::from_str(&line).with_context(|| format!("the oracle's answer: {line}"))?;
        if !answer.error.is_empty() {
            bail!("the oracle could not judge: {}", answer.error);
        }
        Ok(answer)
    }

    /// The line that answers a line.
    ///
    /// # Errors
    /// When the oracle has ended.
    pub fn answer_to(&mut self, question: &str) -> Result<String> {
        let questions = self.questions.as_mut().context("the oracle takes no more questions")?;
        questions
            .write_all(question.as_bytes())
            .and_then(|()| questions.write_all(b"\n"))
            .context("asking the oracle")?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the oracle ended: {}", self.process.wait()?);
        }
        Ok(line)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.questions.take());
        let _ = self.process.wait();
    }
}
