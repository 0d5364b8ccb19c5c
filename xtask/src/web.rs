//! The page, built when its sources are newer than what was built.
//!
//! npm is needed only here: `cargo build` embeds whatever lies in `web/dist`.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::run::{Outcome, program, read, root, show_in};

/// Builds `web/dist` unless it is newer than every source.
pub fn build() -> Outcome {
    let web = root().join("web");
    install(&web)?;
    // Not `index.html`: a Rust build without the page puts one there that says so.
    let built = newest(&web.join("dist/assets"));
    let sources = ["src", "public", "index.html", "vite.config.ts", "package-lock.json", "tsconfig.json"];
    let newest = sources.iter().map(|source| newest(&web.join(source))).max().flatten();
    if built.is_some() && built >= newest {
        eprintln!("web: the page is up to date");
        return Ok(());
    }
    show_in(&web, "npm", &["run", "--silent", "build"])
}

/// Builds the page and runs the tests that need no browser.
pub fn test() -> Outcome {
    build()?;
    let web = root().join("web");
    show_in(&web, "npm", &["run", "--silent", "lint"])?;
    show_in(&web, "npm", &["run", "--silent", "test"])
}

/// The types of the API as the page sees them, from the API document beside it.
pub fn types() -> Result<String, String> {
    install(&root().join("web"))?;
    read("npm", &["--prefix", "web", "run", "--silent", "types"])
}

/// Looks at the page in a browser, served by a running `keelson up`.
pub fn see() -> Outcome {
    build()?;
    program("keelson", "dev")?;
    show_in(&root().join("web"), "npm", &["run", "--silent", "e2e"])
}

/// Measures the page in a browser, in front of a large and busy cluster; the rows go to this file.
pub fn measure(rows: &str) -> Outcome {
    build()?;
    program("keelson", "dev")?;
    // What an earlier run left: rows are added one by one.
    let _ = fs::remove_file(rows);
    show_in(&root().join("web"), "env", &[&format!("KEELSON_ROWS={rows}"), "npx", "playwright", "test", "scale.spec"])
}

/// Installs the locked packages once for each lock file.
fn install(web: &Path) -> Outcome {
    let stamp = web.join("node_modules/.package-lock.json");
    if modified(&stamp).is_some() && modified(&stamp) >= modified(&web.join("package-lock.json")) {
        return Ok(());
    }
    // Not `npm ci`: npm 11 leaves packages of other platforms out of the lock file, and then refuses its own file.
    show_in(web, "npm", &["install", "--no-save", "--no-audit", "--no-fund"])
}

fn newest(path: &Path) -> Option<SystemTime> {
    if !path.is_dir() {
        return modified(path);
    }
    let entries = fs::read_dir(path).ok()?;
    entries.flatten().map(|entry| newest(&entry.path())).max().flatten()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
