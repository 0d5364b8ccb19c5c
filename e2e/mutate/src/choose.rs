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
        let mut compared = 0;
        for seed in 0..20 {
            let (before, mut after) = (names(seed, ""), names(seed, "|| a > 7"));
            after.retain(|name| before.contains(name));
            // Unless it is what its file gives first.
            if before.first() == after.first() && before.get(1) == after.get(1) {
                assert_eq!(before, after);
                compared += 1;
            }
        }
        assert!(compared > 5, "{compared}");
    }
}
