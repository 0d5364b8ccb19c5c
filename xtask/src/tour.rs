//! The pictures of docs/tour.md, taken from a running `keelson up`.
//!
//! Pictures go old without anybody noticing; these are made by one command, from one seed. They are not compared in the tests:
//! fonts and what a busy machine has decided by then are never the same to the dot.

use std::fs;

use crate::run::{Outcome, program, root, show_in};
use crate::web;

/// Together, so that the repository stays small.
const BUDGET: u64 = 1_500_000;

/// `cargo xtask tour`.
pub fn tour() -> Outcome {
    web::build()?;
    program("keelson", "dev")?;
    show_in(&root().join("web"), "npx", &["playwright", "test", "--config", "tour/tour.config.ts"])?;
    let folder = root().join("docs/tour");
    let files = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let (mut pictures, mut bytes) = (0, 0);
    for file in files.flatten() {
        pictures += 1;
        bytes += file.metadata().map_or(0, |about| about.len());
    }
    eprintln!("tour: {pictures} pictures in docs/tour, {} kB; look at each before you commit", bytes / 1_000);
    if bytes > BUDGET {
        return Err(format!(
            "docs/tour has {} kB, at most {} kB: show less in a picture",
            bytes / 1_000,
            BUDGET / 1_000
        ));
    }
    Ok(())
}
