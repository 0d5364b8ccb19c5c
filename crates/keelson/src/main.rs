//! The one binary.
//!
//! Exit codes: 0 it is so, 1 it is not or it failed, 2 the question makes no sense.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};
use keelson_runtime::Clock;
use keelson_telemetry::start::of_pod;
use keelson_telemetry::{Config, LogFormat, Telemetry};

use keelson::cli::{self, Cli, Command};
use keelson::commands::{decisions, doctor, generate, pause, replay, simulate, store, uninstall, why};
use keelson::{VERSION, controller, output, up};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("keelson: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("keelson: {error:#}");
            if error.is::<simulate::Unusable>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Does what was asked; false when the answer is no.
async fn run(cli: Cli) -> Result<bool> {
    let component = match cli.command {
        Command::Up(_) => Some("up"),
        Command::Controller(_) => Some("controller"),
        Command::Dashboard(_) => Some("dashboard"),
        _ => None,
    };
    let telemetry = match component {
        Some(component) => Some(Telemetry::start(&telemetry(&cli, component), Clock::system().now())?),
        None => None,
    };
    match cli.command {
        Command::Up(args) => up::run(&args, telemetry.as_ref()).await?,
        Command::Controller(args) => controller::run(&args, telemetry.as_ref()).await?,
        Command::Dashboard(args) => controller::dashboard(&args).await?,
        Command::Why(args) => why::run(&args).await?,
        Command::Decisions(args) => decisions::run(&args).await?,
        Command::Replay(args) => return replay::run(&args).await,
        Command::Simulate(args) => simulate::run(&args)?,
        Command::Pause(args) => pause::run(&args).await?,
        Command::Doctor(args) => return doctor::run(&args).await,
        Command::Store(args) => store::run(&args).await?,
        Command::Uninstall(args) => return uninstall::run(&args).await,
        Command::Crds => print(&generate::crds()?)?,
        Command::Version(args) => {
            let value = serde_json::json!({"version": VERSION});
            output::print(args, &value, |_| format!("keelson {VERSION}\n"))?;
        }
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "keelson", &mut std::io::stdout());
        }
        Command::Generate { what } => print(&generate::print(what)?)?,
    }
    if let Some(telemetry) = telemetry {
        telemetry.stop().await;
    }
    Ok(true)
}

fn print(text: &str) -> Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn telemetry(cli: &Cli, component: &'static str) -> Config {
    Config {
        component,
        version: VERSION,
        format: match cli.log_format {
            cli::LogFormat::Auto => LogFormat::Auto,
            cli::LogFormat::Human => LogFormat::Human,
            cli::LogFormat::Json => LogFormat::Json,
        },
        filter: cli.log.clone(),
        otlp: cli.otlp.clone().filter(|endpoint| !endpoint.is_empty()),
        attributes: of_pod(|name| std::env::var(name).ok()),
    }
}
