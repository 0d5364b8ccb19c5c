//! The program of the test images is built from its folder and behaves as a pod's first process should.
//!
//! Needs go on PATH; without it the test fails and says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use keelson_harness::tools::Toolset;
use keelson_harness::wait;
use keelson_image::{Archive, Image, Program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn the_stand_in_program_fits_an_image_and_ends_when_asked() {
    let program = Toolset::Pause.ready().unwrap_or_else(|error| panic!("{error:#}")).join("pause");
    let binary = std::fs::read(&program).unwrap();
    let image = Image { name: "keelson.local/web:1".into(), ..Image::default() };
    assert!(Archive::of(Program::native("app", &binary), &[image]).unwrap().bytes.len() > binary.len());

    let mut waiting = Command::new(&program).arg("wait").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(waiting.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "waiting\n");
    let pid = Pid::from_raw(i32::try_from(waiting.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let status = wait::until("pause to end", Duration::from_secs(10), || waiting.try_wait()?.context("still running"));
    assert!(status.unwrap().success());
}
