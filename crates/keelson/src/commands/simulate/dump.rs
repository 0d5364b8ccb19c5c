//! Files in: what `kubectl get -o json` writes, a list or any number of them after each other, and YAML.
//!
//! Each object is found without being read; its kind says whether it is read at all. A Secret never is.
//!
//! Promises: no bytes panic; what cannot be read is a line with the file, the item, the field and the fix, and the rest is
//! read; of a Secret nothing but its kind is looked at, and nothing of a file is quoted where it cannot be read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use keelson_scheduling::simulate::Cluster;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::objects::Objects;

/// What makes a good dump.
pub const COMMAND: &str = "kubectl get nodes,namespaces,pods,services,replicationcontrollers,replicasets,statefulsets,\
poddisruptionbudgets,persistentvolumes,\
persistentvolumeclaims,storageclasses,csinodes,csidrivers,csistoragecapacities,volumeattachments -A -o json > dump.json";
/// The largest file that is read, in bytes: some 200,000 pods.
const LARGEST: u64 = 1 << 30;
/// How deep a list may stand in lists.
const DEPTH: usize = 4;
/// How many problems are told one by one.
const TOLD: usize = 100;

/// A file that is no dump.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}. Make a dump with: {COMMAND}")]
pub struct Unusable(pub String);

/// What was read.
#[derive(Debug)]
pub struct Dump {
    /// The cluster.
    pub cluster: Cluster,
    /// What there was to read.
    pub input: Input,
}

/// What there was to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The files; `-` is standard input.
    pub files: Vec<String>,
    /// How many objects of each kind were used.
    pub used: BTreeMap<String, usize>,
    /// How many of each kind are not looked at.
    pub unused: BTreeMap<String, usize>,
    /// How many Secrets were passed over.
    pub secrets: usize,
    /// How many objects were there more than once; the last counts.
    pub repeated: usize,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// How many problems are not in that list.
    pub more_problems: usize,
    /// What the dump lacks, and what that means.
    pub notes: Vec<String>,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The item's place among all objects of the file, from 0.
    pub item: usize,
    /// The object, as far as it is known.
    pub object: String,
    /// The field.
    pub field: String,
    /// What is wrong, and the fix.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, item, object, field, text } = self;
        write!(f, "{file}: item {item} ({object}): {field}: {text}")
    }
}

impl Input {
    pub(super) fn problem(&mut self, problem: Problem) {
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        } else {
            self.more_problems += 1;
        }
    }
}

/// What an object says of itself; the rest is passed over unread.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head<'a> {
    #[serde(borrow, default)]
    pub kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub api_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub metadata: Option<Name<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Name<'a> {
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub namespace: Option<Cow<'a, str>>,
}

/// Where an object stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub file: &'a str,
    pub item: usize,
}

impl At<'_> {
    pub(super) fn problem(self, object: String, field: &str, text: String) -> Problem {
        Problem { file: self.file.to_owned(), item: self.item, object, field: field.to_owned(), text }
    }
}

/// Reads files; `-` is standard input.
///
/// # Errors
/// When one of them is no dump, or together they have no node.
pub fn load(files: &[PathBuf]) -> Result<Dump, Unusable> {
    let texts: Vec<(String, String)> = files.iter().map(|path| text_of(path)).collect::<Result<_, _>>()?;
    read(&texts)
}

/// Reads texts, each with the name of its file.
///
/// # Errors
/// When one of them is no dump, or together they have no node.
pub fn read(texts: &[(String, String)]) -> Result<Dump, Unusable> {
    let texts: Vec<(&str, Cow<'_, str>)> =
        texts.iter().map(|(file, text)| Ok((file.as_str(), as_json(file, text)?))).collect::<Result<_, _>>()?;
    let mut input = Input { files: texts.iter().map(|(file, _)| (*file).to_owned()).collect(), ..Input::default() };
    let mut objects = Objects::default();
    for (file, text) in &texts {
        let mut item = 0;
        let mut documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        for document in &mut documents {
            match document {
                Ok(raw) => walk(raw, None, At { file, item: 0 }, &mut item, DEPTH, &mut objects, &mut input),
                Err(error) => return Err(Unusable(broken_off(file, &error))),
            }
        }
        if item == 0 {
            return Err(Unusable(format!("{file} has no object of Kubernetes in it")));
        }
    }
    let cluster = objects.cluster(&mut input);
    if cluster.ground.live().members().next().is_none() {
        return Err(Unusable(format!("{} has no Node that can be read", input.files.join(", "))));
    }
    Ok(Dump { cluster, input })
}

/// Goes through an object, or a list of them.
fn walk<'a>(
    raw: &'a RawValue,
    of_list: Option<&str>,
    at: At<'a>,
    item: &mut usize,
    depth: usize,
    objects: &mut Objects<'a>,
    input: &mut Input,
) {
    let at = At { item: *item, ..at };
    let head: Result<Head<'_>, _> = match raw.get().starts_with('[') {
        true => Ok(Head { kind: None, api_version: None, items: Some(raw), metadata: None }),
        false => serde_json::from_str(raw.get()),
    };
    let Ok(head) = head else {
        *item += 1;
        let text = "is no object with a kind; leave it as kubectl wrote it";
        return input.problem(at.problem("unknown".to_owned(), "kind", text.to_owned()));
    };
    // The items of a PodList do not say that they are pods.
    let said = head.kind.as_deref().or(of_list).unwrap_or_default().to_owned();
    if said == "SecretList" {
        let items = head.items.and_then(|items| serde_json::from_str::<Vec<IgnoredAny>>(items.get()).ok());
        let count = items.map_or(0, |all| all.len());
        (input.secrets, *item) = (input.secrets + count, *item + count.max(1));
        return;
    }
    if let Some(items) = head.items.filter(|_| said.is_empty() || said.ends_with("List")) {
        let list: Vec<&RawValue> = match serde_json::from_str(items.get()) {
            Ok(list) if depth > 0 => list,
            _ => {
                *item += 1;
                let text = "is no list of objects; leave it as kubectl wrote it";
                return input.problem(at.problem(said, "items", text.to_owned()));
            }
        };
        *item += usize::from(list.is_empty());
        let of = said.strip_suffix("List").filter(|kind| !kind.is_empty());
        list.into_iter().for_each(|raw| walk(raw, of, at, item, depth - 1, objects, input));
        return;
    }
    *item += 1;
    objects.take(raw, &head, &said, at, input);
}

fn text_of(path: &Path) -> Result<(String, String), Unusable> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| Unusable(format!("{name} cannot be read: {error}"));
    let mut bytes = Vec::new();
    let taken = if name == "-" {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).map_err(unreadable)?.take(LARGEST + 1).read_to_end(&mut bytes)
    };
    taken.map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unusable(format!("{name} is larger than 1 GiB; leave out kinds that are not needed")));
    }
    let text = decode(bytes).ok_or_else(|| Unusable(format!("{name} is no text")))?;
    Ok((name, text))
}

/// UTF-8, or UTF-16 with its mark, as PowerShell writes what it is given.
fn decode(bytes: Vec<u8>) -> Option<String> {
    let pairs = |order: fn([u8; 2]) -> u16| -> Option<String> {
        let units = bytes.get(2..)?.chunks_exact(2).filter_map(|pair| Some(order(pair.try_into().ok()?)));
        char::decode_utf16(units).collect::<Result<String, _>>().ok()
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => pairs(u16::from_le_bytes),
        [0xfe, 0xff, ..] => pairs(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes).ok(),
    }
}

/// The text, if it is JSON; what it says in JSON, if it is YAML.
fn as_json<'a>(file: &str, text: &'a str) -> Result<Cow<'a, str>, Unusable> {
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().chars().next() {
        None => return Err(Unusable(format!("{file} is empty"))),
        Some('{' | '[') => return Ok(Cow::Borrowed(text)),
        Some(_) => {}
    }
    // The error's own words may quote the file.
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        let line = error.location().map_or_else(String::new, |at| format!(", line {}", at.line()));
        Unusable(format!("{file} is neither JSON nor YAML{line}"))
    })?;
    let documents = documents.iter().filter(|document| document.is_object() || document.is_array());
    Ok(Cow::Owned(documents.map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

fn broken_off(file: &str, error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "breaks off" } else { "is no JSON" };
    format!("{file} {what} at line {}, column {}", error.line(), error.column())
}
