//! OpenMetrics text as OTLP metrics.
//!
//! Reads what our own registry writes: counters, gauges, info and histograms. A family of another type is left out.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, metric,
    number_data_point,
};

/// One line of the text.
struct Sample {
    suffix: String,
    labels: Labels,
    value: f64,
}

type Labels = Vec<(String, String)>;

/// The families of `text`; `start` and `now` are nanoseconds since 1970 that bound every cumulative value.
pub fn to_otlp(text: &str, start: u64, now: u64) -> Vec<Metric> {
    let mut metrics = Vec::new();
    let mut family = Family::default();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (Some(key), Some(name)) = (words.next(), words.next()) else { continue };
            if name != family.name {
                metrics.extend(std::mem::take(&mut family).into_metric(start, now));
                name.clone_into(&mut family.name);
            }
            let text = words.next().unwrap_or_default().to_owned();
            match key {
                "TYPE" => family.kind = text,
                "HELP" => family.help = text,
                "UNIT" => family.unit = text,
                _ => {}
            }
        } else if let Some(sample) = sample(line, &family.name) {
            family.samples.push(sample);
        }
    }
    metrics.extend(family.into_metric(start, now));
    metrics
}

#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    help: String,
    unit: String,
    samples: Vec<Sample>,
}

impl Family {
    fn into_metric(self, start: u64, now: u64) -> Option<Metric> {
        if self.samples.is_empty() {
            return None;
        }
        let number = |labels: &[(String, String)], value: f64| NumberDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: start,
            time_unix_nano: now,
            value: Some(number_data_point::Value::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        let with = |suffix: &str| {
            let of_suffix = self.samples.iter().filter(|sample| sample.suffix == suffix);
            of_suffix.map(|sample| number(&sample.labels, sample.value)).collect::<Vec<_>>()
        };
        let cumulative = AggregationTemporality::Cumulative.into();
        let data = match self.kind.as_str() {
            "counter" => metric::Data::Sum(Sum {
                data_points: with("_total"),
                aggregation_temporality: cumulative,
                is_monotonic: true,
            }),
            "gauge" => metric::Data::Gauge(Gauge { data_points: with("") }),
            "info" => metric::Data::Gauge(Gauge { data_points: with("_info") }),
            "histogram" => metric::Data::Histogram(Histogram {
                data_points: self.histograms(start, now),
                aggregation_temporality: cumulative,
            }),
            _ => return None,
        };
        let suffix = match self.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        Some(Metric {
            name: format!("{}{suffix}", self.name),
            description: self.help,
            unit: self.unit,
            data: Some(data),
            ..Metric::default()
        })
    }

    /// Text buckets are cumulative and end in `+Inf`; OTLP's are counts between bounds.
    fn histograms(&self, start: u64, now: u64) -> Vec<HistogramDataPoint> {
        let mut points: Vec<(Labels, HistogramDataPoint)> = Vec::new();
        for Sample { suffix, labels, value } in &self.samples {
            let bound = labels.iter().find(|(name, _)| name == "le").map(|(_, bound)| bound.clone());
            let series: Labels = labels.iter().filter(|(name, _)| name != "le").cloned().collect();
            if points.iter().all(|(known, _)| *known != series) {
                let point = HistogramDataPoint {
                    attributes: attributes(&series),
                    start_time_unix_nano: start,
                    time_unix_nano: now,
                    ..HistogramDataPoint::default()
                };
                points.push((series.clone(), point));
            }
            let Some((_, point)) = points.iter_mut().find(|(known, _)| *known == series) else { continue };
            match suffix.as_str() {
                "_sum" => point.sum = Some(*value),
                "_count" => point.count = count(*value),
                "_bucket" => {
                    let before: u64 = point.bucket_counts.iter().sum();
                    point.bucket_counts.push(count(*value).saturating_sub(before));
                    point.explicit_bounds.extend(bound.and_then(|b| b.parse::<f64>().ok()).filter(|b| b.is_finite()));
                }
                _ => {}
            }
        }
        points.into_iter().map(|(_, point)| point).collect()
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
const fn count(value: f64) -> u64 {
    value as u64
}

fn attributes(labels: &[(String, String)]) -> Vec<KeyValue> {
    labels
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.clone(),
            value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.clone())) }),
            ..KeyValue::default()
        })
        .collect()
}

/// Reads `name_suffix{a="b"} 1.5 # exemplar`; none when it is not a sample of `family`.
fn sample(line: &str, family: &str) -> Option<Sample> {
    let rest = line.strip_prefix(family)?;
    let (suffix, labels, rest) = match rest.find(['{', ' '])? {
        at if rest.as_bytes().get(at) == Some(&b'{') => {
            let (labels, after) = labels(rest.get(at + 1..)?)?;
            (rest.get(..at)?, labels, after)
        }
        at => (rest.get(..at)?, Vec::new(), rest.get(at..)?),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { suffix: suffix.to_owned(), labels, value })
}

/// Reads `a="b",c="d"}` and returns what follows.
fn labels(mut text: &str) -> Option<(Labels, &str)> {
    let mut labels = Vec::new();
    loop {
        text = text.strip_prefix(',').unwrap_or(text);
        if let Some(after) = text.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        text = loop {
            match chars.next()? {
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (at, '"') => break after.get(at + 1..)?,
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::float_cmp)]
    use super::*;

    const TEXT: &str = "# HELP jobs Things done.\n# TYPE jobs counter\njobs_total{kind=\"a \\\"b\\\"\"} 3\n\
        # HELP depth Now.\n# TYPE depth gauge\ndepth -2\n\
        # HELP took Time.\n# TYPE took histogram\n# UNIT took seconds\ntook_sum 1.5\ntook_count 3\n\
        took_bucket{le=\"0.1\"} 1 # {trace_id=\"ab\"} 0.07\ntook_bucket{le=\"1.0\"} 1\ntook_bucket{le=\"+Inf\"} 3\n# EOF\n";

    #[test]
    fn counters_gauges_and_histograms_keep_their_numbers() {
        let metrics = to_otlp(TEXT, 1, 2);
        assert_eq!(metrics.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["jobs_total", "depth", "took"]);
        let Some(metric::Data::Sum(sum)) = &metrics[0].data else { panic!("not a sum") };
        assert!(sum.is_monotonic);
        assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsDouble(3.0)));
        assert_eq!(sum.data_points[0].attributes, attributes(&[("kind".into(), "a \"b\"".into())]));
        let Some(metric::Data::Gauge(gauge)) = &metrics[1].data else { panic!("not a gauge") };
        assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsDouble(-2.0)));
        let Some(metric::Data::Histogram(histogram)) = &metrics[2].data else { panic!("not a histogram") };
        let point = &histogram.data_points[0];
        assert_eq!((point.bucket_counts.clone(), point.explicit_bounds.clone()), (vec![1, 0, 2], vec![0.1, 1.0]));
        assert_eq!((point.count, point.sum), (3, Some(1.5)));
    }

    #[test]
    fn text_that_is_no_metric_is_left_out() {
        assert!(to_otlp("garbage\n# TYPE x summary\nx 1\nx{unclosed=\"\n", 0, 0).is_empty());
    }
}
