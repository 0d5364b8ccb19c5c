//! What the API server was asked, by whom, and what it answered: its audit log.
//!
//! Rights are proven minimal, and fences proven to be obeyed, from what really was asked. So every cluster keeps a log of
//! every request, without bodies but those of patches, in `logs/audit.log`: one JSON object a line.
//!
//! Promises: a line is there before the request is answered (the log blocks), so whoever has an answer can read of it; a
//! watch has two lines, one when it begins and one when it ends.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Megabytes after which the log would go on in another file: never. (After 100 of them, unless this is given.)
const WHOLE: u32 = 100_000;

/// Every request, at the moment it is answered, with the agent that sent it; of bodies only those of patches, for nothing
/// else tells what kind of patch it was.
#[must_use]
pub fn policy() -> String {
    json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"], "omitManagedFields": true,
        "rules": [{"level": "Request", "verbs": ["patch"]}, {"level": "Metadata"}],
    })
    .to_string()
}

/// The API server's flags for a policy in a file and a log.
#[must_use]
pub fn flags(policy: &Path, log: &Path) -> String {
    format!(
        " --audit-policy-file={} --audit-log-path={} --audit-log-format=json --audit-log-mode=blocking \
         --audit-log-maxsize={WHOLE}",
        policy.display(),
        log.display()
    )
}

impl Cluster {
    /// The audit log, good for as long as the cluster's folder is.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.folder().join("logs/audit.log")
    }

    /// Every request so far, in the order of their answers, as `audit.k8s.io/v1` events.
    ///
    /// # Errors
    /// When the cluster keeps no log ([`crate::Config::audit`]), or a line is not JSON.
    pub fn audited(&self) -> Result<Vec<Value>> {
        read(&self.audit_log())
    }
}

/// The events of a log in a file.
///
/// # Errors
/// As [`Cluster::audited`].
pub fn read(log: &Path) -> Result<Vec<Value>> {
    let text =
        fs::read_to_string(log).with_context(|| format!("{}: start the cluster with Config::audit", log.display()))?;
    events(&text)
}

/// The events of a log; what follows the last line's end is still being written.
///
/// # Errors
/// When a line is not JSON.
pub fn events(text: &str) -> Result<Vec<Value>> {
    let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
    whole.lines().map(|line| serde_json::from_str(line).with_context(|| format!("audit log: {line}"))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_line_that_is_still_being_written_is_left_for_later() {
        let found = events("{\"verb\":\"get\"}\n{\"verb\":\"li").unwrap();
        assert_eq!(found, [json!({"verb": "get"})]);
        assert!(events("").unwrap().is_empty());
        assert!(events("nonsense\n").unwrap_err().to_string().contains("nonsense"));
    }
}
