//! The report as one page that asks nobody anything: no script, no font, no picture from elsewhere.
//!
//! Promises: whatever the dump says is text here, never markup; every picture is a table, too.

use std::collections::BTreeMap;

use keelson_scheduling::simulate::Report;
use keelson_scheduling::simulate::report::{Broken, Group, NodeRow, Share, Waiting};

use super::words::{assumed, listed, mean, percent, some, summary};
use super::{Answer, Input};

/// The page's colours and sizes, those of the dashboard.
const TOKENS: &str = include_str!("../../../../../web/src/style/tokens.css");
const STYLE: &str = include_str!("page.css");
/// With more nodes than this a node is a square without a name.
const NAMED: usize = 60;
/// A cell of at most so many bytes stays on one line.
const SHORT: usize = 28;
/// A table of more rows than this is opened by who wants to see it.
const LONG: usize = 25;
/// How many rows a table has.
const ROWS: usize = 500;

/// The page.
pub(super) fn html(answer: &Answer) -> String {
    let report = &answer.scheduling;
    let gist: String = summary(report).iter().map(|said| format!("<li>{}</li>\n", escape(said))).collect();
    let rooms = [
        nodes(report),
        waiting(&report.waiting),
        refused(report),
        groups(&report.groups),
        broken("Required rules broken today", &report.broken_today),
        broken("Required rules broken after the replay", &report.broken_after),
        spreads(report),
        moved(report),
        stays(report),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>What Keelson would do</title>\n<style>\n{TOKENS}{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>What Keelson would do with this cluster</h1>\n{}\n<ul class=\"card gist\">\n{gist}</ul>\n{}\
         <h2>What holds for these figures</h2>\n<p class=\"quiet\">{}</p>\n</main>\n</body>\n</html>\n",
        read(&answer.input, report),
        rooms.concat(),
        escape(&assumed(report)),
    )
}

/// Text as HTML has it, in content and in quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

fn read(input: &Input, report: &Report) -> String {
    let counts = &report.counts;
    let mut said = format!(
        "{}: {} in {}, {}",
        input.files.join(", "),
        some(counts.nodes, "node"),
        some(counts.zones, "zone"),
        some(counts.pods, "pod")
    );
    if input.secrets > 0 {
        said.push_str(&format!("; {} passed over unread", some(input.secrets, "Secret")));
    }
    let mut text = format!("<p class=\"quiet\">{}.</p>", escape(&said));
    let problems = input.problems.iter().take(20).map(ToString::to_string);
    for note in input.notes.iter().cloned().chain(problems) {
        text.push_str(&format!("\n<p class=\"note\">{}</p>", escape(&note)));
    }
    text
}

/// The nodes before and after, and the figures beside each other.
fn nodes(report: &Report) -> String {
    let named = if report.nodes.len() <= NAMED { " named" } else { "" };
    let today = strip(&report.nodes, |row| &row.today);
    let replayed = strip(&report.nodes, |row| &row.replayed);
    let key = [
        ("f0", "nothing"),
        ("f1", "to 25 %"),
        ("f2", "to 50 %"),
        ("f3", "to 75 %"),
        ("f4", "to 100 %"),
        ("f5", "over"),
    ];
    let key: String = key.iter().map(|(class, text)| format!("<span><i class=\"{class}\"></i>{text}</span>")).collect();
    let rows: Vec<Vec<String>> = report
        .nodes
        .iter()
        .map(|row| {
            let full = |share: &Share, pods: usize| {
                format!("{} {}, {}", percent(share.permille), share.resource, some(pods, "pod"))
            };
            let zone = row.zone.clone().unwrap_or_default();
            vec![row.node.clone(), zone, full(&row.today, row.pods_today), full(&row.replayed, row.pods_replayed)]
        })
        .collect();
    let every = table("Every node", &["Node", "Zone", "Today", "With Keelson"], &rows);
    format!(
        "<h2>Nodes, by how much of them is requested</h2>\n<div class=\"both{named}\">\n\
         <section class=\"card\"><h3>Today</h3>\n{today}</section>\n\
         <section class=\"card\"><h3>With Keelson</h3>\n{replayed}</section>\n</div>\n\
         <div class=\"key\" aria-hidden=\"true\">{key}</div>\n{}\n\
         <details><summary>Every node as a table</summary>\n{every}</details>\n",
        figures(report)
    )
}

/// The nodes of each zone, coloured by their dominant share.
fn strip(nodes: &[NodeRow], share: impl Fn(&NodeRow) -> &Share) -> String {
    let mut zones: BTreeMap<&str, Vec<&NodeRow>> = BTreeMap::new();
    for row in nodes {
        zones.entry(row.zone.as_deref().unwrap_or("no zone")).or_default().push(row);
    }
    let cell = |row: &&NodeRow| {
        let full = percent(share(row).permille);
        let (class, name) = (class(share(row).permille), escape(&row.node));
        match nodes.len() <= NAMED {
            true => format!("<i class=\"{class}\" title=\"{name}\"><b>{name}</b>{full}</i>"),
            false => format!("<i class=\"{class}\" title=\"{name}: {full}\"></i>"),
        }
    };
    let zone = |(zone, rows): (&str, Vec<&NodeRow>)| {
        let cells: String = rows.iter().map(cell).collect();
        format!("<div class=\"zone\"><span>{}</span><div class=\"nodes\">{cells}</div></div>\n", escape(zone))
    };
    // Screen readers have the table.
    let zones: String = zones.into_iter().map(zone).collect();
    format!("<div aria-hidden=\"true\">\n{zones}</div>\n")
}

const fn class(permille: i64) -> &'static str {
    match permille {
        ..=0 => "f0",
        1..=250 => "f1",
        251..=500 => "f2",
        501..=750 => "f3",
        751..=1000 => "f4",
        _ => "f5",
    }
}

fn figures(report: &Report) -> String {
    let (today, then) = (&report.today, &report.replayed);
    let fullest = |summary: &keelson_scheduling::simulate::report::Summary| {
        let fullest = summary.fullest.as_ref();
        (
            fullest.map_or(0, |fullest| fullest.share.permille),
            fullest.map_or_else(String::new, |fullest| {
                format!("{}, {} of {}", percent(fullest.share.permille), fullest.share.resource, fullest.node)
            }),
        )
    };
    let unplaced: usize = report.unplaced.iter().map(|group| group.pods.len()).sum();
    let count = |count: usize| (i64::try_from(count).unwrap_or(i64::MAX), count.to_string());
    let rows = [
        ("Nodes in use", count(today.nodes_in_use), count(then.nodes_in_use), false),
        ("Fullest node", fullest(today), fullest(then), false),
        (
            "Standard deviation of nodes",
            (today.deviation_permille, percent(today.deviation_permille)),
            (then.deviation_permille, percent(then.deviation_permille)),
            false,
        ),
        ("Nodes over allocatable", count(today.nodes_over_allocatable), count(then.nodes_over_allocatable), true),
        ("Pods with a broken required rule", count(today.broken_rules), count(then.broken_rules), true),
        ("Running pods without a node", count(0), count(unplaced), true),
        ("Spreads beyond the skew they allow", count(today.spreads_beyond), count(then.spreads_beyond), true),
    ];
    let row = |(what, (before, today), (after, then), judged): (&str, (i64, String), (i64, String), bool)| {
        let verdict = match after.cmp(&before) {
            std::cmp::Ordering::Less if judged => " class=\"better\"",
            std::cmp::Ordering::Greater if judged => " class=\"worse\"",
            _ => "",
        };
        format!(
            "<tr><th scope=\"row\">{what}</th><td>{}</td><td{verdict}>{}</td></tr>\n",
            escape(&today),
            escape(&then)
        )
    };
    let rows: String = rows.into_iter().map(row).collect();
    format!(
        "<div class=\"card\" style=\"margin-top:var(--s3)\"><table>\n<thead><tr><td></td><th scope=\"col\">Today</th>\
         <th scope=\"col\">With Keelson</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>"
    )
}

fn waiting(groups: &[Waiting]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let cards: String = groups
        .iter()
        .map(|group| {
            let pods: String = group
                .pods
                .iter()
                .take(ROWS)
                .map(|pod| {
                    let node = pod.node.as_ref().map_or_else(String::new, |node| format!(" → {}", escape(node)));
                    let evicts = match pod.evicts.is_empty() {
                        true => String::new(),
                        false => format!(", evicting {}", escape(&listed(&pod.evicts, 5))),
                    };
                    format!("<li><code>{}</code>{node}{evicts}</li>\n", escape(&pod.pod))
                })
                .collect();
            let pods = match group.pods.len() {
                0..=10 => format!("<ul class=\"pods\">\n{pods}</ul>"),
                count => format!("<details><summary>{count} pods</summary><ul class=\"pods\">\n{pods}</ul></details>"),
            };
            let placed = if group.placed { " placed" } else { "" };
            format!(
                "<section class=\"card\"><p><span class=\"reason{placed}\">{}</span> {}</p>\n<p>{}</p>\n{pods}</section>\n",
                escape(group.reason.as_str()),
                some(group.pods.len(), "pod"),
                escape(&group.sentence)
            )
        })
        .collect();
    format!("<h2>Pods without a node</h2>\n{cards}")
}

fn refused(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .refused_fields
        .iter()
        .map(|field| vec![field.field.clone(), field.pods.to_string(), field.why.clone(), listed(&field.examples, 3)])
        .collect();
    let caption = "Pods with them stay with the scheduler they have.";
    room("Fields that Keelson refuses", caption, &["Field", "Pods", "Why", "As in"], &rows)
}

fn groups(groups: &[Group]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let cards: String = groups
        .iter()
        .map(|group| {
            let most = group.today.max(group.per_pod.unwrap_or(0)).max(group.as_unit.unwrap_or(0)).max(1);
            let bar = |what: &str, cost: Option<i64>, class: &str| {
                let share = i128::from(cost.unwrap_or(0).max(0)) * 100 / i128::from(most);
                let told = cost.map_or_else(|| "no place for all".to_owned(), |cost| mean(cost, group.pairs));
                format!(
                    "<div class=\"bar\"><span>{what}</span><span class=\"track\" aria-hidden=\"true\">\
                     <i class=\"{class}\" style=\"width:{share}%\"></i></span><span>{told}</span></div>\n"
                )
            };
            format!(
                "<section class=\"card\"><h3>{}, {}, {} that depend on each other</h3>\n{}{}{}</section>\n",
                escape(&group.group),
                some(group.pods, "pod"),
                some(group.pairs, "pair"),
                bar("today", Some(group.today), ""),
                bar("pod by pod", group.per_pod, "ours"),
                bar("as a unit", group.as_unit, "ours"),
            )
        })
        .collect();
    format!(
        "<h2>AppGroups</h2>\n<p class=\"quiet\">What its pods cost each other over the network, and the mean of a pair.</p>\n{cards}"
    )
}

fn broken(title: &str, broken: &[Broken]) -> String {
    let rows: Vec<Vec<String>> =
        broken.iter().map(|row| vec![row.pod.clone(), row.node.clone(), row.rules.join("; ")]).collect();
    room(title, "", &["Pod", "Node", "Rule"], &rows)
}

fn spreads(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .spreads
        .iter()
        .map(|spread| {
            let allowed = format!("{} {}", spread.allowed, if spread.required { "required" } else { "wished" });
            let (today, then) = (spread.today.to_string(), spread.replayed.to_string());
            vec![spread.workload.clone(), spread.key.clone(), allowed, today, then]
        })
        .collect();
    let caption = "By how many pods the fullest place exceeds the emptiest.";
    room("Spreads", caption, &["Workload", "By", "Allowed", "Today", "With Keelson"], &rows)
}

fn moved(report: &Report) -> String {
    if report.moved.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> =
        report.moved.iter().map(|moved| vec![moved.pod.clone(), moved.from.clone(), moved.to.clone()]).collect();
    format!(
        "<h2>Pods that would be elsewhere</h2>\n<details><summary>{}</summary>\n{}</details>\n",
        some(rows.len(), "pod"),
        table("", &["Pod", "Today", "With Keelson"], &rows)
    )
}

fn stays(report: &Report) -> String {
    let unplaced = report
        .unplaced
        .iter()
        .map(|group| vec![group.pods.len().to_string(), format!("would find no node in this order: {}", group.reason)]);
    let rows: Vec<Vec<String>> =
        report.staying.iter().map(|row| vec![row.pods.to_string(), row.sentence.clone()]).chain(unplaced).collect();
    room("Running pods that were not placed again", "", &["Pods", "Why"], &rows)
}

/// A heading with a table, closed when it is long; nothing without rows.
fn room(title: &str, caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let table = named_table(title, caption, head, rows);
    match rows.len() > LONG {
        true => format!("<h2>{title}</h2>\n<details><summary>{} rows</summary>\n{table}</details>\n", rows.len()),
        false => format!("<h2>{title}</h2>\n<div class=\"card\">{table}</div>\n"),
    }
}

fn table(name: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    named_table(name, "", head, rows)
}

/// It can be scrolled with the keyboard where it is wider than the page.
fn named_table(name: &str, caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let columns: String = head.iter().map(|column| format!("<th scope=\"col\">{column}</th>")).collect();
    let row = |row: &Vec<String>| {
        let cells: String = row
            .iter()
            .enumerate()
            .map(|(column, cell)| match column {
                0 => format!("<th scope=\"row\">{}</th>", escape(cell)),
                _ if cell.len() <= SHORT => format!("<td class=\"short\">{}</td>", escape(cell)),
                _ => format!("<td>{}</td>", escape(cell)),
            })
            .collect();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String = rows.iter().take(ROWS).map(row).collect();
    let more = match rows.len() > ROWS {
        true => format!("<p class=\"quiet\">and {} more; --output json has them all</p>\n", rows.len() - ROWS),
        false => String::new(),
    };
    let caption = if caption.is_empty() { String::new() } else { format!("<caption>{caption}</caption>") };
    let name = if name.is_empty() { "Pods" } else { name };
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{name}\"><table>{caption}\
         <thead><tr>{columns}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n{more}"
    )
}
