//! The command line: what can be said to `keelson`, and nothing else.
//!
//! The same words work as `kubectl keelson …` when the binary is on the path as `kubectl-keelson`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use keelson_api::platform::{SchedulingLayout, SchedulingSettings};
use keelson_core::{Feature, Mode, Reason};

use crate::extender::Extender;
use crate::leases::Leases;
use crate::probes::Probes;
use crate::sign_in::Door;
use crate::store::Keep;

/// Five platform features of a Kubernetes cluster, one spine, every decision explained.
#[derive(Debug, Parser)]
#[command(name = "keelson", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How logs are filtered, as in `info,keelson_runtime=debug`.
    #[arg(long, global = true, env = "KEELSON_LOG", default_value = "info", value_name = "FILTER", value_parser = filter)]
    pub log: String,
    /// How logs look.
    #[arg(long, global = true, env = "KEELSON_LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
    /// Where traces and metrics are sent (OTLP over HTTP), as in http://127.0.0.1:4318.
    #[arg(long, global = true, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", value_parser = collector)]
    pub otlp: Option<String>,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// One readable line an event.
    Human,
    /// One JSON object an event.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole platform here: a simulated cluster (or a real one), the controller and the page.
    Up(Up),
    /// Run the operators against a cluster, with a Lease for each.
    Controller(Controller),
    /// Serve the page from a shared store, apart from the controller.
    Dashboard(Dashboard),
    /// Say why something is where it is: `keelson why pod/cart-0 -n shop`.
    Why(Why),
    /// List decisions, newest first.
    Decisions(Decisions),
    /// Decide again from a decision's recording and compare.
    Replay(Replay),
    /// Say what Keelson would do with a cluster, from what kubectl wrote of it; nothing is installed or contacted.
    Simulate(Simulate),
    /// Hold every action of a feature (or of all) and keep deciding; `--resume` lets go.
    Pause(Pause),
    /// Check API access, permissions, definitions, clock and store, and say what to do.
    Doctor(Doctor),
    /// Back up a store, or make one from a backup.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Switch every feature Off, wait until its leader has, and say what stays; the chart does it before it goes.
    Uninstall(Uninstall),
    /// Print the custom resource definitions.
    Crds,
    /// Print the version.
    Version(Print),
    /// Print a shell's completion script.
    Completion {
        /// The shell.
        shell: Shell,
    },
    /// Print a file that is generated from the code and kept in the repository.
    #[command(hide = true)]
    Generate {
        /// Which.
        what: Generated,
    },
}

/// Files that are generated from the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Generated {
    /// `deploy/crds/keelson.dev.yaml`.
    Crds,
    /// `deploy/rbac/controller.yaml`.
    Rbac,
    /// `deploy/helm/keelson/templates/crds.yaml`.
    ChartCrds,
    /// `deploy/helm/keelson/files/rights.yaml`.
    ChartRights,
    /// `deploy/admission/scheduling.yaml`.
    Admission,
    /// `deploy/helm/keelson/templates/admission.yaml`.
    ChartAdmission,
    /// `deploy/admission/opt-in.yaml`.
    OptIn,
    /// `deploy/helm/keelson/templates/opt-in.yaml`.
    ChartOptIn,
    /// `docs/scheduling-fields.md`.
    SchedulingFields,
    /// `docs/settings.md`.
    Settings,
    /// `docs/metrics.md`.
    Metrics,
    /// `web/openapi.json`.
    Openapi,
}

/// `keelson up`.
#[derive(Debug, Args)]
pub struct Up {
    /// Use this cluster instead of the simulated one.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Where the page listens.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Who may come.
    #[command(flatten)]
    pub door: Door,
    /// Where the simulated API server listens; loopback only, port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR", conflicts_with = "kubeconfig")]
    pub api: SocketAddr,
    /// How many simulated seconds pass in one of yours, 1 to 600.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=600), conflicts_with = "kubeconfig")]
    pub speed: u32,
    /// The seed of the simulated evening.
    #[arg(long, default_value_t = 1, conflicts_with = "kubeconfig")]
    pub seed: u64,
    /// Where the store, the journal and the kubeconfig are kept; a fresh folder when not given.
    #[arg(long, env = "KEELSON_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A Platform in a file, re-read when it changes, instead of the object in the cluster.
    #[arg(long, value_name = "FILE")]
    pub platform: Option<PathBuf>,
    /// Where kube-scheduler asks.
    #[command(flatten)]
    pub extender: Extender,
    /// How much is kept.
    #[command(flatten)]
    pub keep: Keep,
}

/// `keelson controller`.
#[derive(Debug, Args)]
pub struct Controller {
    /// The cluster; what KUBECONFIG names or the pod's own service account when not given.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A SQLite file or a postgres:// URL.
    #[arg(long, env = "KEELSON_DATABASE", default_value = "/var/lib/keelson/keelson.db", value_name = "FILE|URL")]
    pub database: String,
    /// The folder of the journal.
    #[arg(long, env = "KEELSON_JOURNAL", default_value = "/var/lib/keelson/journal", value_name = "DIR")]
    pub journal: PathBuf,
    /// The namespace of the Leases.
    #[arg(long, env = "POD_NAMESPACE", default_value = "keelson-system")]
    pub namespace: String,
    /// Who holds the Leases; the host's name when not given.
    #[arg(long, env = "POD_NAME")]
    pub identity: Option<String>,
    /// How far a feature may go, as in `scheduling=Enforce`; repeatable. Observe when not given.
    #[arg(long = "ceiling", value_parser = ceiling, value_name = "FEATURE=MODE")]
    pub ceilings: Vec<(Feature, Mode)>,
    /// How long leadership lasts.
    #[command(flatten)]
    pub leases: Leases,
    /// A Platform in a file, re-read when it changes, instead of the object in the cluster.
    #[arg(long, value_name = "FILE")]
    pub platform: Option<PathBuf>,
    /// A Platform in a file that is made in the cluster when there is none; afterwards people own it, and what differs is
    /// said.
    #[arg(long, env = "KEELSON_INITIAL_PLATFORM", value_name = "FILE", conflicts_with = "platform")]
    pub initial_platform: Option<PathBuf>,
    /// Where the kubelet asks.
    #[command(flatten)]
    pub probes: Probes,
    /// Where kube-scheduler asks.
    #[command(flatten)]
    pub extender: Extender,
    /// Where the page, metrics and health answers listen.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Who may come.
    #[command(flatten)]
    pub door: Door,
    /// How much is kept.
    #[command(flatten)]
    pub keep: Keep,
}

/// `keelson dashboard`.
#[derive(Debug, Args)]
pub struct Dashboard {
    /// The controllers' store: a SQLite file or a postgres:// URL.
    #[arg(long, env = "KEELSON_DATABASE", value_name = "FILE|URL")]
    pub database: String,
    /// The cluster; what KUBECONFIG names or the pod's own service account when not given.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the controllers' Leases.
    #[arg(long, env = "POD_NAMESPACE", default_value = "keelson-system")]
    pub namespace: String,
    /// Where the kubelet asks.
    #[command(flatten)]
    pub probes: Probes,
    /// Where the page listens.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Who may come.
    #[command(flatten)]
    pub door: Door,
}

/// Where a running Keelson answers.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// The address of a running `keelson up`, `controller` or `dashboard`.
    #[arg(long, env = "KEELSON_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = server)]
    pub server: String,
    /// A token for the audience keelson, where people sign in.
    #[arg(long, env = "KEELSON_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// How answers look.
#[derive(Debug, Clone, Copy, Args)]
pub struct Print {
    /// Instead of words for people.
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<Format>,
}

/// How answers look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As the server has it.
    Json,
    /// The same, for reading.
    Yaml,
    /// More columns.
    Wide,
}

/// `keelson why`.
#[derive(Debug, Args)]
pub struct Why {
    /// What about: `pod/NAME`, `node/NAME`, `deployment/NAME` or another workload.
    #[arg(value_parser = subject, value_name = "KIND/NAME")]
    pub subject: (String, String),
    /// Its namespace.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
    /// How to answer.
    #[command(flatten)]
    pub print: Print,
}

/// `keelson decisions`.
#[derive(Debug, Args)]
pub struct Decisions {
    /// Only this feature's.
    #[arg(long)]
    pub feature: Option<Feature>,
    /// Only about subjects in this namespace.
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Only about this subject, as in `pod/cart-0`.
    #[arg(long, value_parser = subject, value_name = "KIND/NAME")]
    pub subject: Option<(String, String)>,
    /// Only with this reason, as in `Unschedulable`.
    #[arg(long, value_parser = reason)]
    pub reason: Option<Reason>,
    /// How many, newest first, 1 to 500.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
    /// How to answer.
    #[command(flatten)]
    pub print: Print,
}

/// `keelson replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The decision's id.
    pub id: keelson_core::DecisionId,
    /// Decide as if the feature were in this mode.
    #[arg(long)]
    pub mode: Option<Mode>,
    /// Decide under another setting, as in `scheduler-name=keelson`; repeatable.
    #[arg(long, value_parser = setting, value_name = "NAME=VALUE")]
    pub set: Vec<(String, String)>,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
    /// How to answer.
    #[command(flatten)]
    pub print: Print,
}

/// `keelson simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// What `kubectl get nodes,pods,... -A -o json` wrote, in JSON or YAML; repeatable, `-` is standard input.
    #[arg(long, required = true, value_name = "FILE")]
    pub from: Vec<PathBuf>,
    /// Decides between nodes of equal score.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How nodes are divided with another scheduler, as in the Platform: only those with the label keelson.dev/pool=scheduling,
    /// all with room left on each, or all of every node.
    #[arg(long, value_parser = layouts(), ignore_case = true, default_value = SchedulingLayout::Replacement.as_str())]
    pub layout: SchedulingLayout,
    /// In layout Shared: how many hundredths of what a node offers of each resource are left to others.
    #[arg(long, default_value_t = SchedulingSettings::default().headroom_percent, value_parser = clap::value_parser!(i32).range(0..=50))]
    pub headroom_percent: i32,
    /// Write the report as a page, too: one file that asks nobody anything.
    #[arg(long, value_name = "FILE.html")]
    pub page: Option<PathBuf>,
    /// How to answer.
    #[command(flatten)]
    pub print: Print,
}

/// `keelson pause`.
#[derive(Debug, Args)]
pub struct Pause {
    /// Which feature; every one when not given.
    pub feature: Option<Feature>,
    /// Let go instead.
    #[arg(long)]
    pub resume: bool,
    /// Where to say it.
    #[command(flatten)]
    pub server: Server,
    /// How to answer.
    #[command(flatten)]
    pub print: Print,
}

/// `keelson doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The cluster to check; kubectl's own choice when not given.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The store to check: a SQLite file or a postgres:// URL.
    #[arg(long, env = "KEELSON_DATABASE", value_name = "FILE|URL")]
    pub database: Option<String>,
    /// The highest mode that the permissions must allow.
    #[arg(long, default_value = "Observe")]
    pub ceiling: Mode,
    /// The namespace Keelson runs in, for the rights that it needs there alone.
    #[arg(long, env = "POD_NAMESPACE", default_value = "keelson-system")]
    pub namespace: String,
    /// Check the rights of this account instead of your own, as in `system:serviceaccount:keelson-system:keelson`.
    #[arg(long = "as", value_name = "USER")]
    pub account: Option<String>,
    /// Find what an uninstallation has left, and say how each of it goes.
    #[arg(long)]
    pub cleanup: bool,
    /// A running Keelson to check too.
    #[command(flatten)]
    pub server: Server,
    /// How to answer.
    #[command(flatten)]
    pub print: Print,
}

/// `keelson store`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Write everything a store holds into a file that SQLite and PostgreSQL can both be restored from; controllers may
    /// go on meanwhile.
    Backup(Backup),
    /// Make an empty store hold what a backup holds.
    Restore(Backup),
}

/// `keelson store backup` and `restore`.
#[derive(Debug, Args)]
pub struct Backup {
    /// The store: a SQLite file or a postgres:// URL.
    #[arg(long, env = "KEELSON_DATABASE", value_name = "FILE|URL")]
    pub database: String,
    /// The backup; `-` is standard output, or standard input.
    pub file: PathBuf,
}

/// `keelson uninstall`.
#[derive(Debug, Args)]
pub struct Uninstall {
    /// The cluster; what KUBECONFIG names or the pod's own service account when not given.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the Leases.
    #[arg(long, env = "POD_NAMESPACE", default_value = "keelson-system")]
    pub namespace: String,
    /// How long to wait for the leaders, as in 60s or 2m.
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = wait)]
    pub wait: std::time::Duration,
}

fn wait(text: &str) -> Result<std::time::Duration, String> {
    text.parse::<keelson_core::GoDuration>().map(|time| time.span().to_std()).map_err(|error| error.to_string())
}

fn filter(text: &str) -> Result<String, String> {
    keelson_telemetry::start::check_filter(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

/// An address with a scheme of `schemes` and a host.
fn address(text: &str, schemes: &[&str]) -> Result<String, String> {
    let example = "http://127.0.0.1";
    let url: http::Uri = text.parse().map_err(|error| format!("{error}; write it like {example}"))?;
    match (url.scheme_str(), url.host()) {
        (Some(scheme), Some(_)) if schemes.contains(&scheme) => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(format!("it must start with {} and name a host, as in {example}", schemes.join(":// or ") + "://")),
    }
}

fn collector(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { address(text, &["http", "https"]) }
}

fn server(text: &str) -> Result<String, String> {
    address(text, &["http", "https"])
}

fn reason(text: &str) -> Result<Reason, String> {
    let known = || Reason::ALL.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ");
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or_else(|| format!("use one of: {}", known()))
}

fn layouts() -> impl TypedValueParser<Value = SchedulingLayout> {
    PossibleValuesParser::new(SchedulingLayout::ALL.map(SchedulingLayout::as_str)).try_map(|text| {
        let known = SchedulingLayout::ALL.into_iter().find(|layout| layout.as_str().eq_ignore_ascii_case(&text));
        known.ok_or("is no layout")
    })
}

fn ceiling(text: &str) -> Result<(Feature, Mode), String> {
    let (feature, mode) = text.split_once('=').ok_or("write it like scheduling=Enforce")?;
    Ok((feature.parse().map_err(|e| format!("{e}"))?, mode.parse().map_err(|e| format!("{e}"))?))
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("scheduler-name", value)) if !value.is_empty() => Ok(("scheduler-name".to_owned(), value.to_owned())),
        Some(("scheduler-name", _)) => Err("scheduler-name is empty".to_owned()),
        Some((name, _)) => Err(format!("setting {name:?} is unknown; use scheduler-name=NAME")),
        None => Err("write it like scheduler-name=keelson".to_owned()),
    }
}

/// Reads `pod/NAME`; kinds in any letter case, singular, plural or short.
fn subject(text: &str) -> Result<(String, String), String> {
    let (kind, name) = text.split_once('/').ok_or("write it like pod/NAME")?;
    let kind = match kind.to_ascii_lowercase().as_str() {
        "pod" | "pods" | "po" => "Pod",
        "node" | "nodes" | "no" => "Node",
        "deployment" | "deployments" | "deploy" => "Deployment",
        "statefulset" | "statefulsets" | "sts" => "StatefulSet",
        "replicaset" | "replicasets" | "rs" => "ReplicaSet",
        "daemonset" | "daemonsets" | "ds" => "DaemonSet",
        "job" | "jobs" => "Job",
        "platform" | "platforms" | "kp" => "Platform",
        "appgroup" | "appgroups" | "ag" => "AppGroup",
        "networktopology" | "networktopologies" | "nt" => "NetworkTopology",
        _ => {
            return Err(format!(
                "kind {kind:?} is unknown; use pod, node, deployment, replicaset, statefulset, daemonset, job, appgroup, \
                 networktopology or platform"
            ));
        }
    };
    if name.is_empty() || name.len() > 253 {
        return Err("the name must have 1 to 253 characters".to_owned());
    }
    Ok((kind.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bad_words_are_named() {
        for (args, word) in [
            (vec!["keelson", "why", "cart-0"], "pod/NAME"),
            (vec!["keelson", "why", "ship/cart-0"], "ship"),
            (vec!["keelson", "up", "--speed", "0"], "0"),
            (vec!["keelson", "controller", "--ceiling", "scheduling=on"], "Off, Observe or Enforce"),
            (vec!["keelson", "decisions", "--feature", "sched"], "sched"),
            (vec!["keelson", "replay", "not-an-id"], "not-an-id"),
            (vec!["keelson", "replay", "01a20a36-4c94-7c29-ba35-d33514b3210c", "--set", "speed=9"], "scheduler-name"),
            (vec!["keelson", "decisions", "--reason", "Because"], "Unschedulable"),
            (vec!["keelson", "decisions", "--server", "ftp://here"], "http://"),
            (vec!["keelson", "decisions", "--server", "http://"], "http://"),
            (vec!["keelson", "version", "--log", "keelson=loud"], "keelson=loud"),
            (vec!["keelson", "version", "--otlp", "collector"], "http://"),
            (vec!["keelson", "up", "--keep", "5m"], "below an hour"),
            (vec!["keelson", "up", "--store-on-full", "wait"], "act or hold"),
        ] {
            let error = Cli::try_parse_from(args).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn kinds_are_read_as_kubectl_reads_them() {
        for kind in ["pod", "Pods", "po"] {
            assert_eq!(subject(&format!("{kind}/a")).unwrap(), ("Pod".to_owned(), "a".to_owned()));
        }
    }
}
