//! Round-trip times that were measured between nodes, by the ConfigMap that they stand in.
//!
//! A NetworkTopology names the ConfigMap that netperf's component writes. It is asked for once a minute; what is off with it
//! the NetworkTopology is told.
//!
//! Promises: what was read counts until another is read or the ConfigMap is gone; a time that is missing or cannot be read is
//! no time, and never zero.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_cluster::Problem;
use keelson_cluster::read::network::{Finding, Name, ReadMeasured};
use keelson_runtime::Fact;

/// The field that names the ConfigMap.
const FIELD: &str = "spec.configmapName";

/// What the ConfigMaps say that are named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkTimes {
    known: BTreeMap<Name, Times>,
}

/// What one of them says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Times {
    /// Told as their number.
    read: Option<Arc<ReadMeasured>>,
    missing: Option<Missing>,
}

/// Why nothing new is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// There is none of this name.
    #[error("is not there, so nothing is measured; let netperf's component write it, or take the name away")]
    Absent,
    /// Keelson has no right to it.
    #[error("may not be read, so nothing is measured; the chart grants it")]
    Forbidden,
    /// It could not be read, in the server's words.
    #[error("cannot be read; what it said before counts: {0}")]
    Failed(String),
}

impl Fact for NetworkTimes {
    const NAME: &'static str = "NetworkTimes";

    fn told(&self) -> String {
        format!("{} of {} ConfigMaps with round-trip times were read.", self.read().count(), self.known.len())
    }
}

impl NetworkTimes {
    /// Takes in the answers for all that are named now.
    pub fn heard(&mut self, answers: BTreeMap<Name, Result<ReadMeasured, Missing>>) {
        let mut before = std::mem::take(&mut self.known);
        for (name, answer) in answers {
            let before = before.remove(&name).unwrap_or_default();
            let times = match answer {
                Ok(read) => Times { read: Some(Arc::new(read)), missing: None },
                Err(missing @ Missing::Failed(_)) => Times { read: before.read, missing: Some(missing) },
                Err(missing) => Times { read: None, missing: Some(missing) },
            };
            self.known.insert(name, times);
        }
    }

    /// Every ConfigMap that was read.
    pub fn read(&self) -> impl Iterator<Item = &Arc<ReadMeasured>> {
        self.known.values().filter_map(|times| times.read.as_ref())
    }

    /// What is off with the ConfigMap of a NetworkTopology.
    #[must_use]
    pub fn problems(&self, name: &Name) -> Vec<Problem> {
        let Some(times) = self.known.get(name) else { return Vec::new() };
        let (namespace, config_map) = name;
        let about = |text: String| Problem::new(FIELD, text).of(Finding::MeasurementsMissing);
        let mut problems: Vec<Problem> =
            times.missing.iter().map(|missing| about(format!("ConfigMap {config_map} {missing}"))).collect();
        if times.missing == Some(Missing::Forbidden) {
            let values = format!("{{namespace: {namespace}, configMap: {config_map}}}");
            problems.iter_mut().for_each(|problem| {
                problem.text = format!("{} with features.scheduling.networkTimes={values}", problem.text);
            });
        }
        if let Some(read) = &times.read {
            if read.is_empty() {
                let keys = "netperf.p90.latency.milliseconds.origin.NODE.destination.NODE";
                problems.push(about(format!("ConfigMap {config_map} has no time in it; its keys are {keys}")));
            }
            problems.extend(read.problems.iter().map(|found| about(format!("ConfigMap {config_map}: {found}"))));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use keelson_cluster::read::network::measured;
    use serde_json::{Value, json};

    use super::*;

    fn name() -> Name {
        ("shop".to_owned(), "netperf".to_owned())
    }

    fn config_map(data: Value) -> ReadMeasured {
        let written = json!({"metadata": {"namespace": "shop", "name": "netperf"}, "data": data});
        measured(&serde_json::from_value(written).unwrap())
    }

    fn heard(times: &mut NetworkTimes, answer: Result<ReadMeasured, Missing>) -> Vec<String> {
        times.heard(BTreeMap::from([(name(), answer)]));
        times.problems(&name()).iter().map(ToString::to_string).collect()
    }

    const KEY: &str = "netperf.p50.latency.milliseconds.origin.n1.destination.n2";

    #[test]
    fn a_config_map_that_may_not_be_read_is_told_with_the_value_to_set() {
        let mut times = NetworkTimes::default();
        assert_eq!(
            heard(&mut times, Err(Missing::Forbidden)),
            [
                "spec.configmapName: ConfigMap netperf may not be read, so nothing is measured; the chart grants it with \
              features.scheduling.networkTimes={namespace: shop, configMap: netperf}"
            ]
        );
        assert!(heard(&mut times, Err(Missing::Absent))[0].contains("is not there"));
        assert!(times.read().next().is_none());
    }

    #[test]
    fn what_was_read_counts_while_it_cannot_be_read_and_is_forgotten_when_it_is_gone() {
        let mut times = NetworkTimes::default();
        assert_eq!(heard(&mut times, Ok(config_map(json!({KEY: "1.5"})))), Vec::<String>::new());
        assert!(heard(&mut times, Err(Missing::Failed("busy".into())))[0].ends_with("counts: busy"));
        assert_eq!(times.read().count(), 1);
        heard(&mut times, Err(Missing::Absent));
        assert_eq!(times.read().count(), 0);
        times.heard(BTreeMap::new());
        assert_eq!(times, NetworkTimes::default(), "nobody names it any more");
    }

    #[test]
    fn a_figure_that_is_none_is_told_by_its_key() {
        let mut times = NetworkTimes::default();
        let told = heard(&mut times, Ok(config_map(json!({KEY: "fast"}))));
        assert!(told[0].contains("has no time in it"), "{told:?}");
        assert!(told[1].contains(KEY) && told[1].contains("counts as not measured"), "{told:?}");
        assert_eq!(times.told(), "1 of 1 ConfigMaps with round-trip times were read.");
    }
}
