//! In which order the workloads of a group start.
//!
//! Whoever depends on others goes before them, as KEP-260 has it. Kahn's rule takes the workload that became free last;
//! Tarjan's goes down every branch and takes the reverse of how it came back. Each has its reverse and an alternation from
//! both ends. Where workloads depend on each other in a circle, the first declared of them goes first, so that a circle
//! changes the order and loses nobody.
//!
//! Promise: every workload once, whatever depends on whom.

use serde::{Deserialize, Serialize};

/// How the order is made: `spec.topologySortingAlgorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Algorithm {
    /// Kahn's.
    #[default]
    Kahn,
    /// Kahn's: the first, the last, the second, and so on.
    AlternateKahn,
    /// Kahn's, backwards.
    ReverseKahn,
    /// Tarjan's.
    Tarjan,
    /// Tarjan's: the first, the last, the second, and so on.
    AlternateTarjan,
    /// Tarjan's, backwards.
    ReverseTarjan,
}

impl Algorithm {
    /// Each with its name in an AppGroup.
    pub const ALL: [(&'static str, Self); 6] = [
        ("KahnSort", Self::Kahn),
        ("AlternateKahn", Self::AlternateKahn),
        ("ReverseKahn", Self::ReverseKahn),
        ("TarjanSort", Self::Tarjan),
        ("AlternateTarjan", Self::AlternateTarjan),
        ("ReverseTarjan", Self::ReverseTarjan),
    ];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }

    /// The order. `children[w]` are the workloads that `w` depends on, in the order in which they were declared.
    #[must_use]
    pub fn order(self, children: &[Vec<usize>]) -> Vec<usize> {
        match self {
            Self::Kahn => kahn(children),
            Self::AlternateKahn => alternate(&kahn(children)),
            Self::ReverseKahn => reverse(kahn(children)),
            Self::Tarjan => tarjan(children),
            Self::AlternateTarjan => alternate(&tarjan(children)),
            Self::ReverseTarjan => reverse(tarjan(children)),
        }
    }
}

fn kahn(children: &[Vec<usize>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = vec![0; children.len()];
    for child in (0..children.len()).flat_map(|from| others(children, from)) {
        waiting.get_mut(child).into_iter().for_each(|count| *count += 1);
    }
    let mut free: Vec<usize> = (0..children.len()).rev().filter(|at| waiting.get(*at) == Some(&0)).collect();
    let mut taken = vec![false; children.len()];
    let mut order = Vec::with_capacity(children.len());
    while order.len() < children.len() {
        // In a circle nobody becomes free.
        let Some(next) = free.pop().or_else(|| taken.iter().position(|taken| !taken)) else { break };
        if std::mem::replace(taken.get_mut(next).unwrap_or(&mut true), true) {
            continue;
        }
        order.push(next);
        for child in others(children, next) {
            if let Some(count) = waiting.get_mut(child) {
                *count = count.saturating_sub(1);
                if *count == 0 && taken.get(child) == Some(&false) {
                    free.push(child);
                }
            }
        }
    }
    order
}

fn tarjan(children: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; children.len()];
    let mut finished = Vec::with_capacity(children.len());
    for root in 0..children.len() {
        // Each with how many of its children were looked at: no recursion, however long a chain is.
        let mut path = vec![(root, 0)];
        while let Some((at, looked)) = path.last_mut() {
            if *looked == 0 && std::mem::replace(seen.get_mut(*at).unwrap_or(&mut true), true) {
                path.pop();
                continue;
            }
            let child = children.get(*at).and_then(|all| all.get(*looked)).copied();
            *looked += 1;
            match child {
                Some(child) if seen.get(child) == Some(&false) => path.push((child, 0)),
                Some(_) => {}
                None => {
                    finished.push(*at);
                    path.pop();
                }
            }
        }
    }
    reverse(finished)
}

/// The children of a workload that are not itself, each once.
fn others(children: &[Vec<usize>], from: usize) -> Vec<usize> {
    let mut found = Vec::new();
    for child in children.get(from).into_iter().flatten() {
        if *child != from && *child < children.len() && !found.contains(child) {
            found.push(*child);
        }
    }
    found
}

/// The first, the last, the second, the last but one, and so on.
pub(crate) fn alternate(order: &[usize]) -> Vec<usize> {
    let both = order.iter().zip(order.iter().rev());
    both.flat_map(|(first, last)| [*first, *last]).take(order.len()).collect()
}

fn reverse(mut order: Vec<usize>) -> Vec<usize> {
    order.reverse();
    order
}

/// Workloads that depend on each other in a circle, in the order of the circle; a workload that depends on itself is none.
#[must_use]
pub fn circle(children: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut state = vec![0_u8; children.len()];
    for root in 0..children.len() {
        let mut path = vec![(root, others(children, root))];
        if state.get(root) != Some(&0) {
            continue;
        }
        state.get_mut(root).into_iter().for_each(|state| *state = 1);
        while let Some((at, left)) = path.last_mut() {
            let at = *at;
            let Some(child) = (!left.is_empty()).then(|| left.remove(0)) else {
                state.get_mut(at).into_iter().for_each(|state| *state = 2);
                path.pop();
                continue;
            };
            match state.get(child) {
                Some(0) => {
                    state.get_mut(child).into_iter().for_each(|state| *state = 1);
                    path.push((child, others(children, child)));
                }
                Some(1) => {
                    return Some(path.iter().map(|(at, _)| *at).skip_while(|at| *at != child).collect());
                }
                _ => {}
            }
        }
    }
    None
}
