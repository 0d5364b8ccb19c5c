//! Field selectors: comparisons of fields by path, as `--field-selector` has them.

use std::fmt;

use super::{SelectorError, check_length, shown};

/// A field selector: `metadata.name=a,spec.nodeName!=b`. A field that an object does not have compares as empty.
///
/// ```
/// use keelson_core::selector::FieldSelector;
/// let unbound = FieldSelector::parse("spec.nodeName=").unwrap();
/// assert!(unbound.matches(|_| None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

/// One comparison of a [`FieldSelector`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldTerm {
    /// The path, such as `metadata.name`.
    pub path: String,
    /// The value to compare with.
    pub value: String,
    /// Whether the field must differ from the value (`!=`).
    pub differs: bool,
}

impl FieldSelector {
    /// Reads the text. `\`, `,` and `=` inside a value are written with a `\` before them; an empty text selects
    /// everything.
    ///
    /// # Errors
    /// Where the text leaves the notation.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        check_length(text)?;
        let mut terms = Vec::new();
        let mut at = 0;
        for term in split_terms(text) {
            if !term.is_empty() {
                terms.push(parse_term(term, at)?);
            }
            at += term.len() + 1;
        }
        Ok(Self { terms })
    }

    /// The comparisons in the order they were written.
    #[must_use]
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// Whether an object, whose fields `field` looks up by path, satisfies every comparison.
    #[must_use]
    pub fn matches<'a>(&self, field: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.terms.iter().all(|term| (field(&term.path).unwrap_or("") == term.value) != term.differs)
    }
}

/// Cuts at the commas that no `\` precedes.
fn split_terms(text: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c| {
        let cut = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        cut
    })
}

fn parse_term(term: &str, at: usize) -> Result<FieldTerm, SelectorError> {
    let syntax = |found: &str, expected| SelectorError::Syntax { found: format!("{:?}", shown(found)), expected, at };
    let Some((left, right)) = term.split_once('=') else {
        return Err(syntax(term, "a comparison such as metadata.name=a or metadata.name!=a"));
    };
    let (path, differs, value) = match left.strip_suffix('!') {
        Some(path) => (path, true, right),
        None => (left, false, right.strip_prefix('=').unwrap_or(right)),
    };
    let mut plain = String::new();
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
                _ => return Err(syntax(value, "a value in which \\ stands before \\ , or =")),
            },
            '=' => return Err(syntax(value, "a value in which = is written \\=")),
            other => plain.push(other),
        }
    }
    Ok(FieldTerm { path: path.to_owned(), value: plain, differs })
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{}{}", term.path, if term.differs { "!=" } else { "=" })?;
            for letter in term.value.chars() {
                let escape = if matches!(letter, '\\' | ',' | '=') { "\\" } else { "" };
                write!(f, "{escape}{letter}")?;
            }
        }
        Ok(())
    }
}
