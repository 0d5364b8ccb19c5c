//! What the components of a cluster cost: the processor time of each, since it began.
//!
//! Promise: whatever runs in the cluster's process namespace is counted, by the name of its program; what has ended is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cluster::Cluster;

/// What the kernel counts in: `USER_HZ`, a hundredth of a second everywhere.
const TICK: Duration = Duration::from_millis(10);

impl Cluster {
    /// Processor time by program.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn processor_times(&self) -> Result<BTreeMap<String, Duration>> {
        let own = fs::read_link(format!("/proc/{}/ns/pid", self.space().pid()))?;
        let mut times: BTreeMap<String, Duration> = BTreeMap::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let folder = entry.path();
            if fs::read_link(folder.join("ns/pid")).is_ok_and(|space| space == own)
                && let Ok((name, time)) = of(&folder)
            {
                *times.entry(name).or_default() += time;
            }
        }
        Ok(times)
    }
}

/// Name and processor time of the process that has this folder in `/proc`.
///
/// # Errors
/// When it has ended.
pub fn of(folder: &Path) -> Result<(String, Duration)> {
    read(&fs::read_to_string(folder.join("stat"))?).with_context(|| folder.display().to_string())
}

/// From `proc_pid_stat(5)`: the second field is the name in parentheses, the 14th and 15th are ticks in user and system mode.
fn read(stat: &str) -> Option<(String, Duration)> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let mut ticks = rest.split_whitespace().skip(11).map(|ticks| ticks.parse::<u32>().ok());
    Some((name.to_owned(), TICK * (ticks.next()?? + ticks.next()??)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_what_separates_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 5 6 7 8 120 30 0 0 20 0 1 0 9";
        assert_eq!(read(stat), Some(("a) b".to_owned(), Duration::from_millis(1_500))));
        assert_eq!(read("7 (a) S 1"), None);
    }
}
