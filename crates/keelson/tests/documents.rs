//! What the documents tell people to type, the program takes.
//!
//! Every command line of ours in a document, in a block or between backquotes, is read as the program would read it. So a flag
//! that is renamed or an example that was never tried does not stay in the documents. (Links are checked by `cargo xtask
//! check`, and the chart's values by xtask's own tests.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;
use keelson::cli::Cli;

/// What stands for something else in an example, and something of its kind.
const PLACEHOLDERS: [(&str, &str); 4] = [
    ("ID", "01a20a36-4c94-7c29-ba35-d33514b3210c"),
    ("FILE|URL", "keelson.db"),
    ("FEATURE", "scheduling"),
    ("...", "version"),
];

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = |path: &str| std::fs::read_dir(root.join(path)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = folder(".").chain(folder("docs")).chain(folder("docs/adr")).collect();
    files.push(root.join("deploy/helm/keelson/README.md"));
    files.retain(|file| file.extension().is_some_and(|kind| kind == "md"));
    files
}

/// The command lines of ours: those of blocks, with what a backslash continues, and those between backquotes.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let joined = text.replace("\\\n", " ");
    let mut fenced = false;
    for line in joined.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let code = fenced || line.starts_with("    ");
        let words: Vec<&str> = if code { vec![line.trim()] } else { line.split('`').skip(1).step_by(2).collect() };
        for word in words {
            // After another program's words, as in `kubectl exec ... -- keelson store backup -`; settings before it are left.
            let at = word.match_indices("keelson ").map(|(at, _)| at);
            let begins = |at: &usize| {
                let before = word[..*at].trim_start_matches("$ ").trim();
                before.is_empty() || before.ends_with(" --") || before.split_whitespace().all(|one| one.contains('='))
            };
            let tidy = |at: usize| word[at..].split_whitespace().collect::<Vec<_>>().join(" ");
            found.extend(at.into_iter().find(begins).map(tidy));
        }
    }
    // A column of a table is no command, and neither is a name that others have, too.
    found.retain(|line| !line.contains(" on ") && line.len() < 400);
    found
}

/// The words as a shell hands them over, without what it keeps for itself.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        if ["|", ">", "<", "#", "&&"].contains(&word) {
            break;
        }
        let stands_for = PLACEHOLDERS.iter().find(|(name, _)| *name == word);
        words.push(stands_for.map_or(word, |(_, other)| other).trim_matches('\'').to_owned());
    }
    words
}

#[test]
fn every_command_line_in_the_documents_is_one_that_the_program_takes() {
    let (mut read, mut wrong) = (0, Vec::new());
    for file in documents() {
        for line in commands(&std::fs::read_to_string(&file).unwrap()) {
            read += 1;
            let Err(error) = Cli::try_parse_from(words(&line)) else { continue };
            // Prose names a command without all that it wants.
            let unfinished = [
                ErrorKind::MissingRequiredArgument,
                ErrorKind::MissingSubcommand,
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                ErrorKind::DisplayHelp,
                ErrorKind::DisplayVersion,
            ];
            if !unfinished.contains(&error.kind()) {
                let file = file.file_name().unwrap().to_string_lossy().into_owned();
                wrong.push(format!("{file}: {line}: {}", error.to_string().lines().next().unwrap_or_default()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(read > 60, "only {read} command lines were found");
}

#[test]
fn a_command_line_is_found_where_it_stands() {
    let text = "`keelson why pod/a` and `keelson/x`\n\n    $ keelson doctor \\\n      --cleanup\n    A=b keelson pause\n\
        \n    kubectl exec x -- keelson store backup - > file\n";
    let expected = ["keelson why pod/a", "keelson doctor --cleanup", "keelson pause", "keelson store backup - > file"];
    assert_eq!(commands(text), expected);
    assert_eq!(words("keelson replay ID | less").len(), 3);
}
