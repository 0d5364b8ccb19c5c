//! What a process may ask of the API server, as data.
//!
//! Each operator says what it needs for each ceiling; the chart's ClusterRoles are generated from the sum, and `doctor`
//! compares them with what was granted.
//!
//! Promises: the same needs in another order give the same bytes; a rule that another contains is not repeated.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::PolicyRule;
use keelson_api::names;
use keelson_core::{Feature, Mode};

/// Where a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Scope {
    /// In every namespace, and for what has none.
    #[default]
    Cluster,
    /// In the namespace that Keelson runs in.
    Own,
}

/// One rule: all verbs on all resources of all groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rule {
    /// Where it holds.
    pub scope: Scope,
    /// API groups; empty for the core group.
    pub api_groups: BTreeSet<String>,
    /// Plural names, with `/subresource` where that is meant.
    pub resources: BTreeSet<String>,
    /// Verbs.
    pub verbs: BTreeSet<String>,
    /// Only these names; none means all.
    pub resource_names: BTreeSet<String>,
}

impl Rule {
    /// Verbs on resources of one group.
    ///
    /// ```
    /// use keelson_runtime::permissions::Rule;
    /// let rule = Rule::new("", &["pods/binding"], &["create"]);
    /// assert!(rule.resource_names.is_empty(), "every pod");
    /// ```
    #[must_use]
    pub fn new(group: &str, resources: &[&str], verbs: &[&str]) -> Self {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            scope: Scope::Cluster,
            api_groups: set(&[group]),
            resources: set(resources),
            verbs: set(verbs),
            resource_names: BTreeSet::new(),
        }
    }

    /// List and watch: what a cache needs. Who reads single objects beside it says so.
    #[must_use]
    pub fn follow(group: &str, resources: &[&str]) -> Self {
        Self::new(group, resources, &["list", "watch"])
    }

    /// Get, list and watch.
    #[must_use]
    pub fn read(group: &str, resources: &[&str]) -> Self {
        Self::new(group, resources, &["get", "list", "watch"])
    }

    /// The same rule for these names alone.
    #[must_use]
    pub fn named<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.resource_names = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// The same rule in the namespace that Keelson runs in, and nowhere else.
    #[must_use]
    pub fn in_own_namespace(self) -> Self {
        Self { scope: Scope::Own, ..self }
    }

    fn contains(&self, other: &Self) -> bool {
        let wide = self.scope == Scope::Cluster || other.scope == Scope::Own;
        let names = self.resource_names.is_empty()
            || (!other.resource_names.is_empty() && self.resource_names.is_superset(&other.resource_names));
        wide && names
            && self.api_groups.is_superset(&other.api_groups)
            && self.resources.is_superset(&other.resources)
            && self.verbs.is_superset(&other.verbs)
    }
}

impl From<Rule> for PolicyRule {
    fn from(rule: Rule) -> Self {
        let list = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
        let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        Self {
            api_groups: some(list(rule.api_groups)),
            resources: some(list(rule.resources)),
            verbs: list(rule.verbs),
            resource_names: some(list(rule.resource_names)),
            non_resource_urls: None,
        }
    }
}

/// Rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions(pub Vec<Rule>);

impl Permissions {
    /// What the framework itself needs, whatever runs on it: its Leases, the Platform and its status, and, when something
    /// may be enforced, Events, and Pods and Nodes for the disruption gate.
    #[must_use]
    pub fn runtime(ceiling: Mode) -> Self {
        let leases: Vec<_> = Feature::ALL.into_iter().map(names::lease).collect();
        let mut rules = vec![
            Rule::new("coordination.k8s.io", &["leases"], &["create"]).in_own_namespace(),
            Rule::new("coordination.k8s.io", &["leases"], &["get", "patch"])
                .named(leases.iter().map(String::as_str))
                .in_own_namespace(),
            Rule::read(names::GROUP, &["platforms"]),
            Rule::new(names::GROUP, &["platforms/status"], &["patch"]),
        ];
        if ceiling == Mode::Enforce {
            rules.push(Rule::new("events.k8s.io", &["events"], &["create"]));
            rules.push(Rule::follow("", &["nodes", "pods"]));
        }
        Self(rules).tidy()
    }

    /// Both.
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.tidy()
    }

    /// Those of one scope as the API has them, ordered: a ClusterRole's, or a Role's.
    #[must_use]
    pub fn policy_rules(self, scope: Scope) -> Vec<PolicyRule> {
        self.tidy().0.into_iter().filter(|rule| rule.scope == scope).map(PolicyRule::from).collect()
    }

    /// Joins rules that differ in their resources alone, drops those that another contains, and orders the rest.
    fn tidy(self) -> Self {
        let mut joined: Vec<Rule> = Vec::new();
        for rule in self.0 {
            let twin = joined.iter_mut().find(|there| {
                there.scope == rule.scope
                    && there.api_groups == rule.api_groups
                    && there.verbs == rule.verbs
                    && there.resource_names == rule.resource_names
            });
            match twin {
                Some(twin) => twin.resources.extend(rule.resources),
                None => joined.push(rule),
            }
        }
        joined.sort();
        let kept = joined
            .iter()
            .enumerate()
            .filter(|(at, rule)| !joined.iter().enumerate().any(|(other, wider)| other != *at && wider.contains(rule)));
        Self(kept.map(|(_, rule)| rule.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_needs_does_not_matter() {
        let a = Permissions(vec![Rule::read("", &["pods"]), Rule::new("", &["pods/binding"], &["create"])]);
        let b = Permissions(vec![Rule::new("", &["pods/binding"], &["create"]), Rule::read("", &["nodes", "pods"])]);
        assert_eq!(a.clone().merged(b.clone()), b.merged(a));
    }

    #[test]
    fn a_contained_rule_is_not_repeated() {
        let wide = Permissions(vec![Rule::read("", &["pods", "nodes"])]);
        let narrow = Permissions(vec![Rule::new("", &["pods"], &["get"]).named(["a"])]);
        assert_eq!(narrow.merged(wide.clone()), wide);
    }

    #[test]
    fn rules_that_differ_in_more_than_their_resources_stay_apart() {
        let rule = || Rule::new("apps", &["deployments"], &["get"]).named(["a"]);
        let others = [
            Rule { resources: ["daemonsets".to_owned()].into(), ..rule() },
            Rule { api_groups: ["batch".to_owned()].into(), ..rule() },
            Rule { verbs: ["patch".to_owned()].into(), ..rule() },
            rule().named(["b"]),
        ];
        let count = |other: &Rule| Permissions(vec![rule(), other.clone()]).tidy().0.len();
        assert_eq!(others.each_ref().map(count), [1, 2, 2, 2]);
        let own = || rule().in_own_namespace();
        assert_eq!(Permissions(vec![own(), own().named(["b"])]).tidy().0.len(), 2);
        assert_eq!(Permissions(vec![own(), rule()]).tidy().0, [rule()]);
    }

    #[test]
    fn a_rule_contains_another_only_when_it_does_in_every_respect() {
        let wide = Rule::new("apps", &["deployments", "daemonsets"], &["get", "list"]);
        let narrow = Rule::new("apps", &["deployments"], &["get"]);
        assert!(wide.contains(&narrow) && wide.contains(&narrow.clone().named(["a"])));
        for other in [
            Rule { api_groups: ["batch".to_owned()].into(), ..narrow.clone() },
            Rule { resources: ["statefulsets".to_owned()].into(), ..narrow.clone() },
            Rule { verbs: ["patch".to_owned()].into(), ..narrow.clone() },
        ] {
            assert!(!wide.contains(&other), "{other:?}");
        }
        let named = wide.clone().named(["a", "b"]);
        assert!(named.contains(&narrow.clone().named(["a"])) && !named.contains(&narrow.clone().named(["a", "c"])));
        assert!(!named.contains(&narrow) && !wide.clone().in_own_namespace().contains(&narrow));
        assert!(wide.clone().in_own_namespace().contains(&narrow.in_own_namespace()));
    }

    #[test]
    fn a_named_rule_does_not_contain_an_unnamed_one() {
        let named = Rule::read("", &["pods"]).named(["a"]);
        let all = Rule::new("", &["pods"], &["get"]);
        assert_eq!(Permissions(vec![named, all]).tidy().0.len(), 2);
    }

    #[test]
    fn a_rule_for_one_namespace_is_no_rule_for_all() {
        let leases = || Rule::new("coordination.k8s.io", &["leases"], &["create"]);
        let own = Permissions(vec![leases().in_own_namespace()]);
        assert_eq!(own.clone().policy_rules(Scope::Cluster), []);
        assert_eq!(own.clone().policy_rules(Scope::Own).len(), 1);
        let all = Permissions(vec![leases()]);
        assert_eq!(own.merged(all.clone()), all, "who may everywhere may here");
    }

    #[test]
    fn observing_needs_no_right_to_write_events() {
        let writes_events =
            |ceiling| Permissions::runtime(ceiling).0.iter().any(|rule| rule.resources.contains("events"));
        assert!(!writes_events(Mode::Observe));
        assert!(writes_events(Mode::Enforce));
    }
}
