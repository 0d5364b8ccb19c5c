//! Which points are tried.
//!
//! Drawn by a seed: every file gives one, the rest are drawn from all. A point's lot depends on the seed and its name
//! alone, so that an edit in one place leaves the choice elsewhere as it was.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::points::Point;

/// All points, in the order in which they are tried.
pub fn order(mut points: Vec<Point>, seed: u64) -> Vec<Point> {
    points.sort_by_cached_key(|point| Sha256::digest(format!("{seed} {point}")).to_vec());
    let mut files = BTreeSet::new();
    let (mut first, rest): (Vec<_>, Vec<_>) = points.into_iter().partition(|point| files.insert(point.file.clone()));
    first.extend(rest);
    first
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::points::find;

    fn names(seed: u64, more: &str) -> Vec<String> {
        let one = format!("fn f(a: u8, b: u8) -> bool {{ a == b || a < b {more} }}");
        let mut points = find("one.rs", &one).unwrap().points;
        points.extend(find("two.rs", "fn g() -> bool { x() }").unwrap().points);
        order(points, seed).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_file_gives_one_and_the_seed_says_which() {
        let files = |seed| {
            names(seed, "").iter().take(2).map(|name| name.chars().take(3).collect()).collect::<BTreeSet<String>>()
        };
        assert!((0..20).all(|seed| files(seed).len() == 2));
        assert_eq!(names(1, ""), names(1, ""));
        assert!((2..20).any(|seed| names(seed, "") != names(1, "")));
    }

    #[test]
    fn a_point_more_leaves_the_others_in_their_order() {
        let mut more = names(1, "|| a > 7");
        let before = names(1, "");
        more.retain(|name| before.contains(name));
        let after_the_first = |names: &[String]| names.iter().skip(2).cloned().collect::<BTreeSet<_>>().len();
        assert!(more.len() + 1 >= before.len() && after_the_first(&more) + 1 >= after_the_first(&before), "{more:#?}");
    }
}
