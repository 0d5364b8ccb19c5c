//! One HTTP exchange with the API server, byte for byte, to compare recorded exchanges with.
//!
//! Promises: sends what it was given and no header more than curl's `Host`, `User-Agent`, `Accept` and `Content-Length`,
//! and the administrator's token when no `Authorization` is given; a status of 400 or 500 is an answer, not an error.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::access::SERVER_NAME;
use crate::certificates::AUTHORITY;
use crate::cluster::Cluster;

/// Longest exchange; a watch is cut there and returns what came so far.
const PATIENCE: Duration = Duration::from_secs(20);
/// curl's exit status after its time limit.
const TIMED_OUT: i32 = 28;

/// What the API server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case with their values, in the server's order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Cluster {
    /// Sends one request to the API server from this machine. `path` begins with `/` and holds the query.
    ///
    /// # Errors
    /// When the API server cannot be reached or does not speak HTTP.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response> {
        let answer = tempfile::NamedTempFile::new_in(self.folder())?;
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--http1.1",
            "--noproxy",
            "*",
            "--globoff",
            "--path-as-is",
            "--request",
            method,
        ]);
        curl.args(["--max-time", &PATIENCE.as_secs().to_string(), "--dump-header"]).arg(answer.path());
        curl.args(["--resolve", &format!("{SERVER_NAME}:{}:127.0.0.1", self.port()), "--cacert"]);
        curl.arg(self.folder().join(AUTHORITY));
        // Headers go through a file, where other processes cannot read the token.
        let mut config = String::new();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            config += &format!("Authorization: Bearer {}\n", self.token());
        }
        for (name, value) in headers {
            config += &format!("{name}: {value}\n");
        }
        let sent = tempfile::NamedTempFile::new_in(self.folder())?;
        fs::write(sent.path(), config)?;
        curl.arg("--header").arg(format!("@{}", sent.path().display()));
        if !body.is_empty() {
            curl.args(["--data-binary", "@-", "--header", "Expect:"]);
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                curl.args(["--header", "Content-Type:"]);
            }
        } else if method == "HEAD" {
            curl.arg("--head");
        }
        curl.arg(format!("https://{SERVER_NAME}:{}{path}", self.port()));
        curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = curl.spawn().context("cannot run curl: install it and put it on PATH")?;
        child.stdin.take().context("curl's input")?.write_all(body)?;
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success() || output.status.code() == Some(TIMED_OUT),
            "{method} {path}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let head = fs::read_to_string(answer.path())?;
        let (status, headers) = parse(&head).with_context(|| format!("{method} {path}: no HTTP answer"))?;
        Ok(Response { status, headers, body: if method == "HEAD" { Vec::new() } else { output.stdout } })
    }
}

/// Status and headers of the last answer in `head` (an interim `100 Continue` comes before it).
fn parse(head: &str) -> Option<(u16, Vec<(String, String)>)> {
    let last = head.trim_end().rsplit("\r\n\r\n").next()?;
    let mut lines = last.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    Some((status, lines.filter_map(field).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_last_answer_counts_and_header_names_are_lowered() {
        let head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 409 Conflict\r\nAudit-Id: a:b\r\nX: \r\n\r\n";
        let (status, headers) = parse(head).unwrap();
        assert_eq!(status, 409);
        assert_eq!(headers, [("audit-id".to_owned(), "a:b".to_owned()), ("x".to_owned(), String::new())]);
        assert_eq!(parse("garbage"), None);
    }
}
