//! A source text that holds many mutants at once.
//!
//! Building the tests anew for each mutant would take most of a day. Instead every point asks at run time whether it is the
//! one on trial: `a < b` becomes `(if crate::mutant(7) { (a <= b) } else { (a < b) })`. All are built once.
//!
//! Promises: with no mutant on trial the text does what it did; where each point came to stand is known, so that an error
//! of the compiler can be laid at its door.

use std::cmp::Reverse;
use std::ops::Range;

use crate::points::{Found, Place, Point};

/// What the crate begins with: nobody reads these sources.
pub const HEAD: &str = "#![allow(warnings)]\n";

/// What it ends with: which mutant is on trial, by `KEELSON_MUTANT`, and which were asked about, one a line
/// in the file of `KEELSON_MUTANTS_ASKED`.
pub const TAIL: &str = r#"
pub(crate) fn mutant(number: usize) -> bool {
    use std::io::Write as _;
    static ON_TRIAL: std::sync::LazyLock<Option<usize>> =
        std::sync::LazyLock::new(|| std::env::var("KEELSON_MUTANT").ok()?.parse().ok());
    static FILE: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("KEELSON_MUTANTS_ASKED").ok());
    static ASKED: std::sync::Mutex<std::collections::BTreeSet<usize>> =
        std::sync::Mutex::new(std::collections::BTreeSet::new());
    if let Some(file) = &*FILE {
        let mut asked = ASKED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if asked.insert(number) {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
            let _ = file.and_then(|mut file| file.write_all(format!("{number}\n").as_bytes()));
        }
    }
    *ON_TRIAL == Some(number)
}
"#;

/// A text with its mutants.
#[derive(Debug, Default)]
pub struct Schema {
    pub text: String,
    /// Where each came to stand in it.
    pub places: Vec<(usize, Range<usize>)>,
}

impl Schema {
    /// Puts points, by their numbers, into a text.
    pub fn new(source: &str, found: &Found, points: &[(usize, &Point)]) -> Self {
        let mut pieces: Vec<Piece<'_>> = points.iter().map(|(number, point)| Piece::Point(*number, point)).collect();
        pieces.extend(found.constant.iter().cloned().map(Piece::Constant));
        // What encloses another stands before it.
        pieces.sort_by_key(|piece| (piece.range().start, Reverse(piece.range().end)));
        let mut schema = Self::default();
        schema.copy(source, 0..source.len(), &pieces);
        schema
    }

    /// The point at whose door an error at a place of the text lies: the innermost one around it.
    pub fn around(&self, place: &Range<usize>) -> Option<usize> {
        let holds = |range: &Range<usize>| range.start <= place.start && place.end <= range.end;
        let around = self.places.iter().filter(|(_, range)| holds(range));
        around.min_by_key(|(_, range)| range.len()).map(|(number, _)| *number)
    }

    fn copy(&mut self, source: &str, range: Range<usize>, pieces: &[Piece<'_>]) {
        let mut at = range.start;
        let mut rest = pieces;
        while let Some((piece, after)) = rest.split_first() {
            let whole = piece.range();
            let inside = after.iter().take_while(|other| other.range().end <= whole.end && !whole.is_empty()).count();
            let (inside, after) = after.split_at(inside);
            self.text.push_str(source.get(at..whole.start).unwrap_or_default());
            match piece {
                Piece::Constant(_) => {}
                Piece::Point(number, point) => self.point(source, *number, point, inside),
            }
            (at, rest) = (whole.end, after);
        }
        self.text.push_str(source.get(at..range.end).unwrap_or_default());
    }

    fn point(&mut self, source: &str, number: usize, point: &Point, inside: &[Piece<'_>]) {
        let start = self.text.len();
        match point.place {
            Place::Body => self.text.push_str(&format!(" if crate::mutant({number}) {{ return {}; }}", point.code)),
            Place::Expression => {
                self.text.push_str(&format!("(if crate::mutant({number}) {{ ({}) }} else {{ (", point.code));
                self.copy(source, point.range.clone(), inside);
                self.text.push_str(") })");
            }
        }
        self.places.push((number, start..self.text.len()));
    }
}

/// What is changed in a text.
enum Piece<'a> {
    Point(usize, &'a Point),
    /// Left out.
    Constant(Range<usize>),
}

impl Piece<'_> {
    fn range(&self) -> &Range<usize> {
        match self {
            Self::Point(_, point) => &point.range,
            Self::Constant(range) => range,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::points::find;

    /// One of each kind, and what is none.
    const SAMPLE: &str = r#"
const MOST: usize = 1 + 2;
impl Gate {
    const fn is_open(&self) -> bool { self.open }
    fn pass(&mut self, n: usize) -> Option<u64> {
        if n < MOST && !self.shut { self.passed += 1; }
        if let Some(last) = self.last && last == n { return Some(7); }
        match n { 0 if self.open => None, _ => self.other() }
    }
    async fn quiet(&self) -> Result<Vec<String>, Error> { self.all().await }
}
impl Debug for Gate { fn fmt(&self) -> bool { 1 == 2 } }
#[cfg(test)]
mod tests { fn no() -> bool { 1 == 2 } }
"#;

    fn names() -> Vec<String> {
        find("gate.rs", SAMPLE).unwrap().points.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_point_of_each_kind_is_found_and_tests_debug_and_constants_are_none() {
        assert_eq!(
            names(),
            [
                "gate.rs Gate::is_open: `{ .. }` -> `true`",
                "gate.rs Gate::is_open: `{ .. }` -> `false`",
                "gate.rs Gate::pass: `{ .. }` -> `None`",
                "gate.rs Gate::pass: `n < MOST && !self.shut` -> `||`",
                "gate.rs Gate::pass: `n < MOST` -> `<=`",
                "gate.rs Gate::pass: `n < MOST` -> `>=`",
                "gate.rs Gate::pass: `!self.shut` -> `self.shut`",
                "gate.rs Gate::pass: `self.passed += 1` -> `-=`",
                "gate.rs Gate::pass: `last == n` -> `!=`",
                "gate.rs Gate::pass: `return Some(7)` -> `None`",
                "gate.rs Gate::pass: `if self.open` -> `true`",
                "gate.rs Gate::pass: `if self.open` -> `false`",
                "gate.rs Gate::quiet: `{ .. }` -> `Ok(Default::default())`",
            ]
        );
    }

    #[test]
    fn all_mutants_stand_in_one_text_and_a_place_in_it_names_the_innermost() {
        let found = find("gate.rs", SAMPLE).unwrap();
        let points: Vec<_> = found.points.iter().enumerate().collect();
        let schema = Schema::new(SAMPLE, &found, &points);
        for part in [
            "     fn is_open(&self) -> bool { if crate::mutant(0) { return true; } if crate::mutant(1) { return false; } self.open }",
            "if (if crate::mutant(3) { ((n < MOST) || (!self.shut)) } else { ((if crate::mutant(4) { ((n) <= (MOST)) } else { (",
            "(if crate::mutant(7) { ((self.passed) -= (1)) } else { (self.passed += 1) });",
            "0 if (if crate::mutant(10) { (true) } else { ((if crate::mutant(11) { (false) } else { (self.open) })) }) =>",
        ] {
            assert!(schema.text.contains(part), "{part}\nin\n{}", schema.text);
        }
        let at = schema.text.find("(n) <= (MOST)").unwrap();
        assert_eq!(schema.around(&(at..at + 3)), Some(4));
        let tail = schema.text.find("#[cfg(test)]").unwrap();
        assert!(schema.text.get(tail..) == SAMPLE.get(SAMPLE.find("#[cfg(test)]").unwrap()..));
        assert_eq!(schema.around(&(tail..tail)), None);
    }
}
