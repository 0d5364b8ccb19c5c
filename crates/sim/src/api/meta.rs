//! Names, labels and the other words of `metadata`.

use keelson_core::Timestamp;
use rand::{Rng, RngCore, rngs::SmallRng};

use super::{json::Json, kinds::Kind, status::Cause};
use crate::tree::Value;

/// `2026-11-23T20:53:41Z`: metav1.Time has whole seconds.
pub(crate) fn time(now: Timestamp) -> String {
    Timestamp(now.as_seconds().saturating_mul(1_000_000)).to_string()
}

/// Five letters that make no words, as upstream draws them.
pub(crate) fn suffix(rng: &mut SmallRng) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..5).filter_map(|_| LETTERS.get(rng.random_range(0..LETTERS.len()))).map(|&letter| char::from(letter)).collect()
}

/// A version 4 UUID from the run's generator.
pub(crate) fn uid(rng: &mut SmallRng) -> String {
    let high = (rng.next_u64() & !0xf000) | 0x4000;
    let low = (rng.next_u64() & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
    alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
    validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

pub(crate) const BAD_KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Why a label's value is none.
pub(crate) fn bad_value(text: &str) -> &'static str {
    if text.len() > 63 {
        return "must be no more than 63 bytes";
    }
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
     with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
     '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
}

/// Why a text is no name in the domain system, if it is none.
pub(crate) fn bad_subdomain(text: &str) -> Option<&'static str> {
    (!text.split('.').all(is_label)).then_some(SUBDOMAIN)
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|&byte| inner(byte))
        && bytes.last().is_some_and(|&byte| inner(byte))
        && bytes.iter().all(|&byte| inner(byte) || byte == b'-')
}

/// What is wrong with an object's name, labels, annotations and finalizers.
pub(crate) fn validate(kind: &Kind, value: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = value.text(&["metadata", "name"]);
    let bad_name = match (kind.group, kind.plural) {
        ("", "namespaces") => (!is_label(name)).then_some(LABEL),
        ("", "services") => {
            (!is_label(name) || name.starts_with(|first: char| first.is_ascii_digit())).then_some(DNS1035)
        }
        ("rbac.authorization.k8s.io", _) => {
            (name.contains(['/', '%']) || name == "." || name == "..").then_some("may not contain '/' or '%'")
        }
        _ => (!name.split('.').all(is_label)).then_some(SUBDOMAIN),
    };
    let limit = if matches!(kind.plural, "namespaces" | "services") && kind.group.is_empty() { 63 } else { 253 };
    let asked = value.at(&["metadata", "name"]);
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else if let Some(detail) = bad_name {
        causes.push(Cause::invalid("metadata.name", asked, detail));
    } else if name.len() > limit {
        causes.push(Cause::invalid("metadata.name", asked, &format!("must be no more than {limit} characters")));
    }
    for (key, label) in value.entries(&["metadata", "labels"]) {
        if keelson_core::selector::validate_key(key).is_err() {
            causes.push(Cause::invalid("metadata.labels", &Value::from(key.as_str()), BAD_KEY));
        }
        let text = label.as_str().unwrap_or("");
        if keelson_core::selector::validate_value(key, text).is_err() {
            causes.push(Cause::invalid("metadata.labels", label, bad_value(text)));
        }
    }
    let size: usize = value
        .entries(&["metadata", "annotations"])
        .map(|(key, text)| key.len() + text.as_str().map_or(0, str::len))
        .sum();
    if size > 256 * 1024 {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: "metadata.annotations".into(),
            message: "Too long: may not be more than 262144 bytes".into(),
        });
    }
    for owner in value.items(&["metadata", "ownerReferences"]) {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.text(&[field]).is_empty() {
                causes.push(Cause::invalid(
                    format!("metadata.ownerReferences.{field}"),
                    &Value::from(""),
                    if field == "apiVersion" { "version must not be empty" } else { "must not be empty" },
                ));
            }
        }
    }
    causes
}
