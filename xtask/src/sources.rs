//! Every source file introduces itself, stays short, and names no host of the network; deciders stay pure.

use std::fs;

use crate::run::{read, root};

/// No file is longer (DESIGN: a file holds one idea).
const MAX_LINES: usize = 600;

/// Where deciders live (by the beginning of the path)...
const PURE: &[&str] = &[
    "crates/core/src/",
    "crates/placement/src/",
    "crates/cluster/src/",
    "operators/scheduling/src/decide",
    "operators/scheduling/src/effect",
    "operators/scheduling/src/fields",
    "operators/scheduling/src/incumbent",
    "operators/scheduling/src/mind",
    "operators/scheduling/src/observe",
    "operators/scheduling/src/opt_in",
    "operators/scheduling/src/queue",
    "operators/scheduling/src/recording",
];
/// ...and what they may not name: a cluster, a runtime, a clock, the machine, chance (DESIGN §3.1).
const IMPURE: &[&str] = &[
    "kube::",
    "tokio::",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::env::",
    "std::fs::",
    "std::net::",
    "rand::",
];

/// Hosts that are names only: nothing connects to them.
const NAMES: &[&str] = &["www.w3.org", "www.apache.org", "kubernetes.default.svc", "example.com", "json-schema.org"];

/// Every file that breaks one of the rules.
pub fn violations() -> Result<Vec<String>, String> {
    let files = read("git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let mut wrong = Vec::new();
    for path in files.lines() {
        let kind = path.rsplit('.').next().unwrap_or_default();
        if !["rs", "ts", "tsx", "css", "go", "sh", "toml", "html"].contains(&kind) {
            continue;
        }
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        let lines = text.lines().count();
        let is_generated = path == "web/src/api/schema.ts";
        if ["rs", "ts", "tsx", "css"].contains(&kind) && lines > MAX_LINES && !is_generated {
            wrong.push(format!("{path}: {lines} lines; a file holds one idea in at most {MAX_LINES}"));
        }
        if kind == "rs" && !text.starts_with("//!") {
            wrong.push(format!("{path}: does not say at its top what it is for (//!)"));
        }
        if kind == "rs" && PURE.iter().any(|place| path.starts_with(place)) {
            let named = IMPURE.iter().filter(|word| names(&text, word));
            wrong.extend(named.map(|word| format!("{path}: decides, and so may not name {word}")));
        }
        wrong.extend(hosts(&text).map(|host| format!("{path}: names the host {host}")));
    }
    Ok(wrong)
}

/// Whether code (not a comment) names something, as a word of its own.
fn names(text: &str, word: &str) -> bool {
    let is_word = |line: &str, at: usize| {
        !line
            .get(..at)
            .and_then(|before| before.chars().last())
            .is_some_and(|c| c.is_alphanumeric() || "_:".contains(c))
    };
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.into_iter().any(|line| line.match_indices(word).any(|(at, _)| is_word(line, at)))
}

/// The hosts of the URLs in a text that are not on this machine and not mere names.
fn hosts(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("://").filter_map(|(at, mark)| {
        let scheme = text.get(..at)?;
        if !scheme.ends_with("http") && !scheme.ends_with("https") {
            return None;
        }
        let rest = text.get(at + mark.len()..)?;
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).unwrap_or(rest.len());
        let host = rest.get(..end)?;
        let outside = host.contains('.') && host.chars().any(|c| c.is_ascii_alphabetic());
        (outside && !host.ends_with(".cluster.local") && !NAMES.contains(&host)).then_some(host)
    })
}

#[cfg(test)]
mod tests {
    use super::{hosts, names};

    #[test]
    fn a_decider_that_reads_a_clock_is_found_and_a_comment_about_it_is_not() {
        assert!(names("let now = std::time::Instant::now();", "std::time::Instant"));
        assert!(!names("/// Not `std::time::Instant`.\nuse my_kube::x;", "kube::"));
    }

    #[test]
    fn a_host_of_the_network_is_found_and_loopback_is_not() {
        let url = ["https:", "//downloads.some.host/x"].concat();
        assert_eq!(hosts(&url).collect::<Vec<_>>(), ["downloads.some.host"]);
        assert_eq!(hosts("http://127.0.0.1:8080 http://localhost/ http://{host}/").count(), 0);
    }
}
