//! Reads the parameters of a request, and says by name what is wrong with them.
//!
//! Promises: every parameter is known, given once, bounded in length and of its type; anything else is refused with the
//! parameter's name and how to write it. Nothing is ignored: a misspelt filter that matches everything misleads.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use http::Uri;
use http::request::Parts;
use keelson_core::{DecisionId, Feature, GroupKind, Mode, ObjectRef, Outcome, Reason, Timestamp, Verb};
use keelson_store::{Filter, MAX_PAGE};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The longest query string, in bytes.
const MAX_QUERY: usize = 4_096;
/// The longest value: a DNS-1123 subdomain is at most 253 characters, and a search text needs no more.
const MAX_VALUE: usize = 253;

/// The parameters that choose decisions.
pub const DECISION_PARAMS: [&str; 12] =
    ["feature", "verb", "reason", "outcome", "kind", "namespace", "name", "about", "q", "since", "until", "before"];

/// The same, and how many are wanted.
pub const PAGE_PARAMS: [&str; 13] = [
    "feature",
    "verb",
    "reason",
    "outcome",
    "kind",
    "namespace",
    "name",
    "about",
    "q",
    "since",
    "until",
    "before",
    "limit",
];

/// The parameters of one request, by name.
#[derive(Debug, Default)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads a query string that may hold the `known` parameters and no others.
    ///
    /// # Errors
    /// Names the first parameter that is unknown, given twice, too long or no text.
    pub fn read(uri: &Uri, known: &[&str]) -> Result<Self, ApiError> {
        let raw = uri.query().unwrap_or_default();
        if raw.len() > MAX_QUERY {
            let message = format!("the query string has {} bytes; at most {MAX_QUERY} are read", raw.len());
            return Err(ApiError::invalid("query", message, "Ask for less."));
        }
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| ApiError::invalid("query", error.body_text(), "Write it as name=value&name=value."))?;
        let mut params = BTreeMap::new();
        for (name, value) in pairs {
            if name.is_empty() {
                return Err(ApiError::invalid("query", "a parameter has no name", "Write it as name=value."));
            }
            if !known.contains(&name.as_str()) {
                let name = shown(&name);
                let fix = match known {
                    [] => "This path takes no parameters.".to_owned(),
                    known => format!("Use some of: {}.", known.join(", ")),
                };
                return Err(ApiError::invalid(&name, format!("the parameter {name:?} is unknown"), fix));
            }
            check_text(&name, &value)?;
            if params.insert(name.clone(), value).is_some() {
                let message = format!("{name} is given more than once");
                return Err(ApiError::invalid(&name, message, "Give each parameter once."));
            }
        }
        Ok(Self(params))
    }

    /// A parameter's value; an empty one counts as not given, as an emptied search field sends it.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A parameter read by its type's own `FromStr`, whose error says what to write.
    fn parsed<T: FromStr>(&self, name: &str, fix: &str) -> Result<Option<T>, ApiError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| ApiError::invalid(name, format!("{name} {:?} cannot be read", shown(text)), fix))
        };
        self.get(name).map(parse).transpose()
    }

    /// A parameter that is one of a closed list of words.
    fn word<T: Copy>(&self, name: &str, all: &[T], word: fn(T) -> &'static str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match all.iter().copied().find(|value| word(*value) == text) {
            Some(value) => Ok(Some(value)),
            None => {
                let words: Vec<_> = all.iter().copied().map(word).collect();
                let message = format!("{name} {:?} is unknown", shown(text));
                Err(ApiError::invalid(name, message, format!("Use one of: {}.", words.join(", "))))
            }
        }
    }

    /// A moment: microseconds since 1970, or RFC 3339.
    fn moment(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse().map(Timestamp).or_else(|_| Timestamp::parse(text)) {
            Ok(moment) => Ok(Some(moment)),
            Err(error) => {
                let fix = "Write microseconds since 1970, or a time like 2026-11-23T20:53:41Z.";
                Err(ApiError::invalid(name, error.to_string(), fix))
            }
        }
    }

    /// The mode that `mode` names; it must be given.
    ///
    /// # Errors
    /// When it is missing or no mode.
    pub fn mode(&self) -> Result<Mode, ApiError> {
        let fix = "Use one of: Off, Observe, Enforce.";
        self.word("mode", &Mode::ALL, Mode::as_str)?.ok_or_else(|| ApiError::invalid("mode", "mode is missing", fix))
    }

    /// Which decisions are wanted.
    ///
    /// # Errors
    /// Names the first parameter that cannot be read.
    pub fn filter(&self) -> Result<Filter, ApiError> {
        let since = self.moment("since")?;
        let until = self.moment("until")?;
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            let message = format!("until ({until}) is not after since ({since})");
            return Err(ApiError::invalid("until", message, "Swap them, or leave one out."));
        }
        let limit = self.parsed("limit", &limit_fix())?.unwrap_or_else(|| Filter::default().limit);
        if limit == 0 || limit > MAX_PAGE {
            return Err(ApiError::invalid("limit", format!("limit {limit} is out of bounds"), limit_fix()));
        }
        Ok(Filter {
            feature: self.word("feature", &Feature::ALL, Feature::as_str)?,
            kind: self.text("kind"),
            namespace: self.text("namespace"),
            name: self.text("name"),
            about: self.get("about").map(about).transpose()?,
            verb: self.word("verb", VERBS, Verb::as_str)?,
            reason: self.word("reason", Reason::ALL, Reason::as_str)?,
            outcome: self.word("outcome", &OUTCOMES, Outcome::as_str)?,
            since,
            until,
            text: self.text("q"),
            before: self.parsed("before", "Use the `next` of the page before.")?,
            limit,
        })
    }
}

const VERBS: &[Verb] = Verb::ALL;
const OUTCOMES: [Outcome; 5] = [Outcome::NoAction, Outcome::Would, Outcome::Pending, Outcome::Done, Outcome::Failed];

fn limit_fix() -> String {
    format!("Use a whole number from 1 to {MAX_PAGE}.")
}

/// At most 64 characters of what was given, for a message.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Refuses a text that no name and no search contains; databases refuse some of them later and less clearly.
fn check_text(field: &str, text: &str) -> Result<(), ApiError> {
    // An object is named by three such words.
    let most = if field == "about" { 3 * MAX_VALUE } else { MAX_VALUE };
    if text.chars().count() > most {
        let message = format!("{field} is longer than {most} characters");
        return Err(ApiError::invalid(field, message, "Shorten it."));
    }
    match text.chars().any(char::is_control) {
        false => Ok(()),
        true => Err(ApiError::invalid(field, format!("{field} contains a control character"), "Leave it out.")),
    }
}

/// The variable parts of a path.
pub struct Segments<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let fix = "Write it as UTF-8, percent-encoded.";
        let refused =
            |error: axum::extract::rejection::PathRejection| ApiError::invalid("path", error.body_text(), fix);
        Path::from_request_parts(parts, state).await.map(|Path(parts)| Self(parts)).map_err(refused)
    }
}

/// A feature named in a path.
///
/// # Errors
/// When this build has no such feature.
pub fn feature(word: &str) -> Result<Feature, ApiError> {
    word.parse().map_err(|error: keelson_core::feature::UnknownFeature| {
        ApiError::not_found("feature", error.to_string(), "The features are listed by /api/v1/overview.")
    })
}

/// A decision's id in a path.
///
/// # Errors
/// When it is no UUID.
pub fn decision_id(text: &str) -> Result<DecisionId, ApiError> {
    text.parse().map_err(|_| {
        let message = format!("{:?} is not the id of a decision", shown(text));
        ApiError::invalid(
            "id",
            message,
            "Use an id from /api/v1/decisions, such as 01937f6e-0000-7000-8000-000000000000.",
        )
    })
}

/// An object named in one parameter, as in `Node/-/node-1`.
fn about(text: &str) -> Result<ObjectRef, ApiError> {
    let fix = "Write it as KIND/NAMESPACE/NAME, with - for the namespace of what has none: Node/-/node-1.";
    let refused = || ApiError::invalid("about", format!("about {:?} does not name an object", shown(text)), fix);
    let (kind, path) = text.split_once('/').ok_or_else(refused)?;
    let (namespace, name) = path.split_once('/').filter(|(_, name)| !name.contains('/')).ok_or_else(refused)?;
    object(kind, namespace, name).map_err(|_| refused())
}

/// An object named in a path: kind (`Pod`, `Deployment.apps`), namespace (`-` for none) and name.
///
/// # Errors
/// Names the part that is empty or makes no sense.
pub fn object(kind: &str, namespace: &str, name: &str) -> Result<ObjectRef, ApiError> {
    for (field, value) in [("kind", kind), ("namespace", namespace), ("name", name)] {
        check_text(field, value)?;
        if value.is_empty() {
            let fix = "Write it like /subjects/Pod/shop/cart-0.";
            return Err(ApiError::invalid(field, format!("{field} is empty"), fix));
        }
    }
    let GroupKind { group, kind } = match kind.split_once('.') {
        Some((kind, group)) => GroupKind { group: group.to_owned(), kind: kind.to_owned() },
        None => GroupKind::core(kind),
    };
    let namespace = if namespace == "-" { String::new() } else { namespace.to_owned() };
    Ok(ObjectRef { group, kind, namespace, name: name.to_owned(), uid: String::new() })
}
