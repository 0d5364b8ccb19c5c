//! Sees to it that there is a page to embed.
//!
//! The page is built by `cargo xtask web` into `web/dist`, which is not in git. Rust must build without npm, so that a
//! missing page is replaced by one that says how to make it.

use std::path::Path;
use std::{fs, io};

const MISSING: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Keelson</title>
<h1>The page is not built yet</h1>
<p>Run <code>cargo xtask web</code> and start Keelson again. The API answers meanwhile: <a href="/api/v1/overview">/api/v1/overview</a>,
described by <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p>
</html>
"#;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../web/dist");
    let dist = Path::new("../../web/dist");
    let index = dist.join("index.html");
    if !index.exists() {
        fs::create_dir_all(dist)?;
        fs::write(index, MISSING)?;
    }
    Ok(())
}
