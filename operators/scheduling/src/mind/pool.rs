//! Which nodes the pool has, and which of them others may use, too.

use std::collections::BTreeSet;

use keelson_placement::{Layout, Node, Pool};

use super::Mind;

/// How many nodes are named.
const NAMED: usize = 3;

/// The pool, as nodes show it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolSeen {
    inside: BTreeSet<String>,
    /// Those of them without the taint that keeps others off.
    open: BTreeSet<String>,
    changes: u64,
}

impl PoolSeen {
    fn seen(&mut self, node: &Node, pool: &Pool) {
        let inside = pool.holds(node);
        let open = inside && !node.taints.iter().any(|taint| pool.is_kept_by(taint));
        for (set, is_of) in [(&mut self.inside, inside), (&mut self.open, open)] {
            if is_of != set.contains(&node.name) {
                self.changes += 1;
                if is_of {
                    set.insert(node.name.clone())
                } else {
                    set.remove(&node.name)
                };
            }
        }
    }

    pub(super) fn gone(&mut self, node: &str) {
        self.changes += u64::from(self.inside.remove(node));
        self.open.remove(node);
    }

    /// How often it changed.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// How many nodes it has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.inside.len()
    }

    /// How many of them others may use, and the first few of their names.
    #[must_use]
    pub fn open(&self) -> (usize, String) {
        let mut named: Vec<&str> = self.open.iter().take(NAMED).map(String::as_str).collect();
        named.extend((self.open.len() > NAMED).then_some("..."));
        (self.open.len(), named.join(", "))
    }
}

impl Mind {
    /// The pool; empty in another layout.
    #[must_use]
    pub const fn pool(&self) -> &PoolSeen {
        &self.pool
    }

    pub(super) fn pool_node(&mut self, node: &Node) {
        if let Layout::Pool(pool) = &self.standing.settings.layout {
            self.pool.seen(node, pool);
        }
    }

    /// Looks at every node, for the layout may be another.
    pub(super) fn look_at_pool(&mut self) {
        self.pool = PoolSeen { changes: self.pool.changes + 1, ..PoolSeen::default() };
        if let Layout::Pool(pool) = &self.standing.settings.layout {
            self.state.live().members().for_each(|member| self.pool.seen(&member.node, pool));
        }
    }
}
