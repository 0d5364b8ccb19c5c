//! How requests introduce themselves: `keelson/0.1.0 (scheduling; fence 7)`.
//!
//! An API server's audit log then shows, request by request, which leader wrote, and whether anything of an older one was
//! accepted after a newer one began. The form is that of RFC 9110 §10.1.5: a product, and in the comment who acts.

use http::HeaderValue;
use keelson_core::Feature;

/// The product alone, for whatever is asked by no leader.
pub const PRODUCT: &str = concat!("keelson/", env!("CARGO_PKG_VERSION"));

/// Of what is asked as the leader of a feature.
pub(crate) fn of_leader(feature: Feature, fence: u64) -> HeaderValue {
    let text = format!("{PRODUCT} ({feature}; fence {fence})");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(PRODUCT))
}

/// The feature and the fence that a request was made under; none when it was made by no leader.
///
/// ```
/// use keelson_core::Feature;
/// use keelson_runtime::user_agent::made_under;
/// assert_eq!(made_under("keelson/0.1.0 (scheduling; fence 7)"), Some((Feature::Scheduling, 7)));
/// assert_eq!(made_under("keelson/0.1.0"), None);
/// ```
#[must_use]
pub fn made_under(user_agent: &str) -> Option<(Feature, u64)> {
    let comment = user_agent.strip_prefix("keelson/")?.split_once(" (")?.1.strip_suffix(')')?;
    let (feature, fence) = comment.split_once("; fence ")?;
    Some((feature.parse().ok()?, fence.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let said = of_leader(Feature::Scheduling, u64::MAX);
        assert_eq!(made_under(said.to_str().unwrap()), Some((Feature::Scheduling, u64::MAX)));
    }

    #[test]
    fn others_are_made_under_nothing() {
        let others =
            ["", "kubectl/v1.36.3 (linux/amd64)", "keelson/1 (scheduling; fence x)", "keelson/1 (sailing; fence 1)"];
        assert_eq!(others.iter().find(|other| made_under(other).is_some()), None);
    }
}
