//! Links between our documents lead somewhere.
//!
//! A link that is relative names a file or a folder of the repository, and its anchor a heading of that file; pictures too.
//! Links into the network are not followed: a test may not reach it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::run::{read, root};

/// Every link that leads nowhere.
pub fn violations() -> Result<Vec<String>, String> {
    let files = read("git", &["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])?;
    let mut wrong = Vec::new();
    for path in files.lines() {
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        for link in links(&text) {
            if let Some(problem) = problem(path, &text, &link) {
                wrong.push(format!("{path}: the link {link} {problem}"));
            }
        }
    }
    Ok(wrong)
}

/// Why a link leads nowhere.
fn problem(from: &str, text: &str, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { Some(PathBuf::from(from)) } else { resolved(Path::new(from).parent()?, file) };
    let Some(target) = target else { return Some("leads out of the repository".to_owned()) };
    let inside = root().join(&target);
    if !inside.exists() {
        return Some("names a file that is not there".to_owned());
    }
    let anchor = anchor?;
    let there = if file.is_empty() { text.to_owned() } else { fs::read_to_string(inside).unwrap_or_default() };
    (!anchors(&there).contains(anchor)).then(|| format!("names a heading that {} does not have", target.display()))
}

/// Where a link leads, from the repository's root; none when that is left.
fn resolved(folder: &Path, link: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in folder.join(link).components() {
        match part {
            Component::ParentDir => path.pop().then_some(())?,
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// The lines of a document that are not code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    })
}

/// The relative links and pictures of a document.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        // What stands between backquotes is code.
        let words: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (before, after) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')] {
            for (at, _) in words.match_indices(before) {
                let rest = words.get(at + before.len()..).unwrap_or_default();
                found.extend(rest.split_once(after).map(|(link, _)| link.to_owned()));
            }
        }
    }
    found.retain(|link| !link.contains("://") && !link.starts_with("mailto:"));
    found
}

/// The anchors of a document's headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in
        prose(text).filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
    {
        let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let again = (1..).map(|n| format!("{anchor}-{n}")).find(|again| !anchors.contains(again));
        let taken = anchors.contains(&anchor);
        anchors.insert(if taken { again.unwrap_or_default() } else { anchor });
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_prose_and_not_in_code() {
        let text = "[a](b.md#c) and `[x](y)`\n\n    [not](this)\n\n```\n[nor](this)\n```\n<img src=\"d.png\"> [e](https://example.com/f)\n";
        assert_eq!(links(text), ["b.md#c", "d.png"]);
    }

    #[test]
    fn an_anchor_is_the_heading_as_forges_write_it() {
        let text = "# What's *new*, and why?\n## A `mode`\n## A mode\n```\n# no heading\n```\n";
        let expected = ["whats-new-and-why", "a-mode", "a-mode-1"];
        assert_eq!(anchors(text), expected.into_iter().map(str::to_owned).collect());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_told_apart_from_one_that_does() {
        let says = |link: &str| problem("docs/guide.md", "# Here\n", link);
        for good in ["#here", "../README.md", "../deploy/helm/keelson/README.md", "adr"] {
            assert_eq!(says(good), None, "{good}");
        }
        for (bad, word) in
            [("#there", "heading"), ("none.md", "not there"), ("../../..", "out of"), ("/etc/hosts", "out of")]
        {
            assert!(says(bad).is_some_and(|problem| problem.contains(word)), "{bad}");
        }
    }
}
