//! The report for people: what it comes to, then what is behind it.

use keelson_placement::Layout;
use keelson_scheduling::simulate::Report;
use keelson_scheduling::simulate::report::{Fullest, Group, Waiting};

use super::{Answer, Input};
use crate::output::{Colour, paint, table};

/// How many lines a list has, unless more columns are asked for.
const LINES: usize = 10;
/// How many pods a line names.
const NAMED: usize = 3;

/// Everything in words; `wide` shows every line.
pub(super) fn told(answer: &Answer, wide: bool) -> String {
    let report = &answer.scheduling;
    let lines = if wide { usize::MAX } else { LINES };
    let mut text = read(&answer.input, report);
    text.push_str(&format!("\n{}\n", paint("With Keelson's scheduler", Colour::Bold)));
    summary(report).iter().for_each(|sentence| text.push_str(&format!("  {sentence}\n")));
    text.push_str(&waiting(report, lines));
    text.push_str(&refused(report, lines));
    text.push_str(&placement(report));
    text.push_str(&groups(&report.groups));
    text.push_str(&broken(report, lines));
    text.push_str(&spreads(report, lines));
    text.push_str(&moved(report, lines, wide));
    text.push_str(&assumptions(report));
    text
}

/// What was read.
fn read(input: &Input, report: &Report) -> String {
    let counts = &report.counts;
    let (nodes, zones, pods) = (some(counts.nodes, "node"), some(counts.zones, "zone"), some(counts.pods, "pod"));
    let mut text = format!("{}: {nodes} in {zones}, {pods}.", input.files.join(", "));
    if !input.unused.is_empty() {
        let kinds: Vec<String> = input.unused.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        text.push_str(&format!(" Not looked at: {}.", listed(&kinds, LINES)));
    }
    if input.secrets > 0 {
        text.push_str(&format!(" {} passed over unread.", some(input.secrets, "Secret")));
    }
    if input.repeated > 0 {
        text.push_str(&format!(" {} there more than once; the last counts.", some(input.repeated, "object")));
    }
    text.push('\n');
    let problems = input.problems.len() + input.more_problems;
    if problems > 0 {
        let line = format!("{} could not be read; standard error has them.\n", some(problems, "field"));
        text.push_str(&paint(&line, Colour::Yellow));
    }
    input.notes.iter().for_each(|note| text.push_str(&paint(&format!("{note}\n"), Colour::Yellow)));
    text
}

/// What it comes to.
pub(super) fn summary(report: &Report) -> Vec<String> {
    let counts = &report.counts;
    let mut said = Vec::new();
    if counts.waiting > 0 {
        let placed: usize = report.waiting.iter().filter(|group| group.placed).map(|group| group.pods.len()).sum();
        let mut sentence = format!("Of {} without a node {placed} would get one at once", some(counts.waiting, "pod"));
        if report.waiting_placed_after > placed {
            sentence.push_str(&format!(", {} had all pods been placed this way", report.waiting_placed_after));
        }
        said.push(sentence + ".");
    }
    said.push(match (counts.movable, counts.elsewhere) {
        (0, _) => "No running pod is one that could be placed again.".to_owned(),
        (movable, elsewhere) => {
            format!(
                "Of {} that can be placed again {elsewhere} would be on another node.",
                some(movable, "running pod")
            )
        }
    });
    let (today, replayed) = (report.today.broken_rules, report.replayed.broken_rules);
    said.push(match (today, replayed) {
        (0, 0) => "Every required rule is met today, and would be.".to_owned(),
        (_, 0) => format!("{} a required rule today; none would.", of_pods(today, "breaks", "break")),
        _ => format!("{} a required rule today; {replayed} would.", of_pods(today, "breaks", "break")),
    });
    said.extend(report.groups.iter().map(group));
    if !report.emptied.is_empty() {
        let nodes = some(report.emptied.len(), "node");
        said.push(format!("{nodes} would have nothing to do: {}.", listed(&report.emptied, LINES)));
    }
    let unplaced: usize = report.unplaced.iter().map(|group| group.pods.len()).sum();
    if unplaced > 0 {
        said.push(format!("In this order {} would find no node.", some(unplaced, "running pod")));
    }
    said
}

/// What a group costs, three ways.
fn group(group: &Group) -> String {
    let placed = |cost: Option<i64>, how: &str| match cost {
        Some(cost) => format!("{cost} placed {how}"),
        None => format!("nothing placed {how}, for there is no place for all"),
    };
    format!(
        "AppGroup {} costs {} over the network today, {}, {}.",
        group.group,
        group.today,
        placed(group.per_pod, "pod by pod"),
        placed(group.as_unit, "as a unit")
    )
}

fn waiting(report: &Report, lines: usize) -> String {
    let mut text = String::new();
    for (index, group) in report.waiting.iter().enumerate() {
        if index == 0 {
            text.push_str(&head("Pods without a node"));
        }
        let colour = if group.placed { Colour::Green } else { Colour::Yellow };
        let reason = paint(group.reason.as_str(), colour);
        text.push_str(&format!("  {reason}, {}: {}\n", some(group.pods.len(), "pod"), group.sentence));
        text.push_str(&pods(group, lines));
    }
    text
}

fn pods(group: &Waiting, lines: usize) -> String {
    let mut text = String::new();
    for pod in group.pods.iter().take(lines) {
        let node = pod.node.as_ref().map_or_else(String::new, |node| format!(" -> {node}"));
        let evicts =
            if pod.evicts.is_empty() { String::new() } else { format!(", evicting {}", listed(&pod.evicts, NAMED)) };
        text.push_str(&format!("    {}{node}{evicts}\n", pod.pod));
    }
    text + &more(group.pods.len(), lines, "    ")
}

fn refused(report: &Report, lines: usize) -> String {
    if report.refused_fields.is_empty() {
        return String::new();
    }
    let row = |field: &keelson_scheduling::simulate::report::RefusedField| {
        vec![format!("  {}", field.field), field.pods.to_string(), field.why.clone(), listed(&field.examples, NAMED)]
    };
    let rows: Vec<_> = report.refused_fields.iter().take(lines).map(row).collect();
    let head = head("Fields that Keelson refuses; pods with them stay with the scheduler they have");
    head + &table(&["  FIELD", "PODS", "WHY", "AS IN"], &rows) + &more(report.refused_fields.len(), lines, "  ")
}

fn placement(report: &Report) -> String {
    let (today, then) = (&report.today, &report.replayed);
    let row = |what: &str, today: String, then: String| vec![format!("  {what}"), today, then];
    let fullest = |fullest: &Option<Fullest>| {
        let told = |fullest: &Fullest| {
            format!("{} ({} of {})", percent(fullest.share.permille), fullest.share.resource, fullest.node)
        };
        fullest.as_ref().map_or_else(String::new, told)
    };
    let (of, spreads) = (report.counts.nodes, report.spreads.len());
    let mut rows = vec![
        row("nodes in use", format!("{} of {of}", today.nodes_in_use), format!("{} of {of}", then.nodes_in_use)),
        row("fullest node", fullest(&today.fullest), fullest(&then.fullest)),
        row("mean of nodes", percent(today.mean_permille), percent(then.mean_permille)),
        row("standard deviation", percent(today.deviation_permille), percent(then.deviation_permille)),
        row(
            "nodes over allocatable",
            today.nodes_over_allocatable.to_string(),
            then.nodes_over_allocatable.to_string(),
        ),
        row("pods with a broken rule", today.broken_rules.to_string(), then.broken_rules.to_string()),
    ];
    let unplaced: usize = report.unplaced.iter().map(|group| group.pods.len()).sum();
    if unplaced > 0 {
        rows.push(row("running pods without a node", "0".to_owned(), unplaced.to_string()));
    }
    if spreads > 0 {
        let beyond = |beyond: usize| format!("{beyond} of {spreads}");
        rows.push(row("spreads beyond their skew", beyond(today.spreads_beyond), beyond(then.spreads_beyond)));
    }
    head("Nodes, by the resource of which most is requested") + &table(&["  ", "TODAY", "WITH KEELSON"], &rows)
}

fn groups(groups: &[Group]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let row = |group: &Group| {
        let cost =
            |cost: Option<i64>| cost.map_or_else(|| "no place for all".to_owned(), |cost| mean(cost, group.pairs));
        let (pods, pairs) = (group.pods.to_string(), group.pairs.to_string());
        let ways = [Some(group.today), group.per_pod, group.as_unit].map(cost);
        [format!("  {}", group.group), pods, pairs].into_iter().chain(ways).collect()
    };
    let rows: Vec<_> = groups.iter().map(row).collect();
    head("AppGroups: network cost, and its mean over pairs of pods that depend on each other")
        + &table(&["  GROUP", "PODS", "PAIRS", "TODAY", "POD BY POD", "AS A UNIT"], &rows)
}

/// `121 (2.3)`: the cost, and its mean.
pub(super) fn mean(cost: i64, pairs: usize) -> String {
    let pairs = i64::try_from(pairs).unwrap_or(i64::MAX).max(1);
    let tenths = cost.saturating_mul(10).saturating_add(pairs / 2) / pairs;
    format!("{cost} ({}.{})", tenths / 10, tenths % 10)
}

fn broken(report: &Report, lines: usize) -> String {
    let mut text = String::new();
    for (title, list) in
        [("Required rules broken today", &report.broken_today), ("Broken after the replay", &report.broken_after)]
    {
        if list.is_empty() {
            continue;
        }
        let rows: Vec<_> = list
            .iter()
            .take(lines)
            .map(|broken| vec![format!("  {}", broken.pod), broken.node.clone(), broken.rules.join("; ")])
            .collect();
        text.push_str(&head(title));
        text.push_str(&table(&["  POD", "NODE", "RULE"], &rows));
        text.push_str(&more(list.len(), lines, "  "));
    }
    text
}

fn spreads(report: &Report, lines: usize) -> String {
    let changed: Vec<_> = report.spreads.iter().filter(|spread| spread.today != spread.replayed).collect();
    if changed.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = changed
        .iter()
        .take(lines)
        .map(|spread| {
            let allowed = if spread.required { "required" } else { "wished" };
            let (skew, then) = (spread.today.to_string(), spread.replayed.to_string());
            vec![
                format!("  {}", spread.workload),
                spread.key.clone(),
                format!("{} {allowed}", spread.allowed),
                skew,
                then,
            ]
        })
        .collect();
    head("Spreads that change: by how many pods the fullest place exceeds the emptiest")
        + &table(&["  WORKLOAD", "BY", "ALLOWED", "TODAY", "WITH KEELSON"], &rows)
        + &more(changed.len(), lines, "  ")
}

fn moved(report: &Report, lines: usize, wide: bool) -> String {
    let mut text = String::new();
    if wide && !report.moved.is_empty() {
        let rows: Vec<_> = report
            .moved
            .iter()
            .map(|moved| vec![format!("  {}", moved.pod), moved.from.clone(), moved.to.clone()])
            .collect();
        text.push_str(&head("Pods that would be elsewhere"));
        text.push_str(&table(&["  POD", "TODAY", "WITH KEELSON"], &rows));
    }
    for group in &report.unplaced {
        text.push_str(&head("Running pods that would find no node in this order"));
        text.push_str(&format!("  {}: {}\n", listed(&group.pods, NAMED), group.reason));
    }
    if !report.staying.is_empty() {
        let each: Vec<String> =
            report.staying.iter().map(|staying| format!("{} {}", staying.pods, staying.sentence)).collect();
        text.push_str(&head("Pods that stay where they are"));
        each.iter().take(lines).for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    text
}

/// What holds for every figure.
pub(super) fn assumed(report: &Report) -> String {
    let layout = match &report.layout {
        Layout::All => String::new(),
        Layout::Pool(pool) => format!(" Keelson has the nodes with {}={} alone.", pool.key, pool.value),
        Layout::Headroom(percent) => format!(" Keelson leaves {percent} % of every node to others."),
    };
    format!(
        "Requests are compared, not usage. Running pods were placed again in one pass, the most urgent and oldest first, AppGroups \
         as a unit; among equal nodes the seed {} decides.{layout} Nobody was moved or asked.",
        report.seed
    )
}

fn assumptions(report: &Report) -> String {
    let hint = if report.moved.is_empty() { "" } else { " Every pod and line: --output wide, or json." };
    paint(&format!("\n{}{hint}\n", assumed(report)), Colour::Dim)
}

fn head(title: &str) -> String {
    format!("\n{}\n", paint(title, Colour::Bold))
}

fn more(all: usize, shown: usize, indent: &str) -> String {
    if all > shown { format!("{indent}and {} more\n", all - shown) } else { String::new() }
}

/// `1 pod`, `2 pods`.
pub(super) fn some(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn of_pods(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", some(count, "pod"), if count == 1 { one } else { many })
}

/// The first few, and how many more.
pub(super) fn listed(names: &[String], few: usize) -> String {
    let mut text = names.iter().take(few).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > few {
        text.push_str(&format!(" and {} more", names.len() - few));
    }
    text
}

/// `51.2 %`.
pub(super) fn percent(permille: i64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}
