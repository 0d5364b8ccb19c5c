//! Keelson's main job on this machine: sets up what is missing, builds, and runs `keelson up`.

use crate::run::{Outcome, show};
use crate::{setup, web};

/// Runs `keelson up` with `args`; with `--real` on a real cluster made for it.
pub fn up(args: &[&str]) -> Outcome {
    setup::setup()?;
    web::build()?;
    show("cargo", &["build", "--locked", "-p", "keelson"])?;
    let Some(at) = args.iter().position(|arg| *arg == "--real") else {
        let mut command = vec!["run", "--quiet", "--locked", "-p", "keelson", "--", "up"];
        command.extend(args);
        return show("cargo", &command);
    };
    let rest: Vec<&str> = args.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, arg)| *arg).collect();
    let mut command = vec!["run", "--quiet", "--locked", "-p", "keelson-harness", "--bin", "keelson-cluster", "--"];
    command.extend(["--real", "2", "--kwok", "50", "--dns"]);
    command.extend(rest);
    show("cargo", &command)
}
