//! A layer in a process of its own, beside others: every line that it prints begins with its name.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::run::{Outcome, command};

/// Runs a layer to its end.
pub fn run(name: &str) -> Outcome {
    // Not by its name: the tests build xtask too, and put another file there.
    let mut child = command("/proc/self/exe")
        .args(["layer", name])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("a second xtask could not be started: {error}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(|| pass_on(name, err));
        pass_on(name, out);
    });
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err("the lines above that begin with its name say why".to_owned()) }
}

fn pass_on(name: &str, from: Option<impl Read>) {
    for line in from.map(|from| BufReader::new(from).lines()).into_iter().flatten().map_while(Result::ok) {
        println!("{name} | {line}");
    }
}
