//! Whom existing pods keep away.
//!
//! Required anti-affinity is symmetric: a pod that runs may forbid its whole zone to a pod that says nothing itself. The
//! kubelet does not check it, so a scheduler that forgets it breaks it silently.
//!
//! Promise: in doubt a pod is touched. Namespaces that a selector would choose are not known here, so such a term counts
//! for every namespace.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, PodAffinityTerm};
use keelson_core::selector::LabelSelector;

use crate::read;

/// One required anti-affinity term of a pod that is on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repel {
    /// The namespaces it looks at; `None` means every one.
    namespaces: Option<Vec<String>>,
    /// The pods it keeps away; `None` matches no pod.
    selector: Option<LabelSelector>,
    /// The domain it keeps free of them.
    pub topology_key: String,
}

impl Repel {
    /// The terms of a pod. `matchLabelKeys` need no care: the API server has merged them into the selector.
    #[must_use]
    pub fn of(pod: &Pod) -> Vec<Self> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let anti = pod.spec.as_ref().and_then(|spec| spec.affinity.as_ref()?.pod_anti_affinity.as_ref());
        let terms = anti.and_then(|anti| anti.required_during_scheduling_ignored_during_execution.as_deref());
        terms.unwrap_or_default().iter().map(|term| Self::read(term, namespace)).collect()
    }

    fn read(term: &PodAffinityTerm, namespace: &str) -> Self {
        let listed = term.namespaces.clone().filter(|listed| !listed.is_empty());
        let namespaces = match (&term.namespace_selector, listed) {
            (Some(_), _) => None,
            (None, Some(listed)) => Some(listed),
            (None, None) => Some(vec![namespace.to_owned()]),
        };
        let selector = term.label_selector.as_ref().map(read::selector);
        Self { namespaces, selector, topology_key: term.topology_key.clone() }
    }

    /// Whether a pod with these labels is kept away, or may be.
    #[must_use]
    pub fn touches(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.namespaces.as_ref().is_none_or(|namespaces| namespaces.iter().any(|known| known == namespace))
            && LabelSelector::matches_optional(self.selector.as_ref(), labels)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::{Value, json};

    fn touches(term: Value, namespace: &str, app: &str) -> bool {
        let pod = json!({
            "metadata": {"namespace": "shop"},
            "spec": {"containers": [], "affinity": {"podAntiAffinity":
                {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}},
        });
        let terms = Repel::of(&serde_json::from_value(pod).unwrap());
        terms[0].touches(namespace, &BTreeMap::from([("app".into(), app.into())]))
    }

    #[test]
    fn a_term_looks_at_its_namespaces_and_labels_and_in_doubt_at_all() {
        let web = json!({"matchLabels": {"app": "web"}});
        let plain = json!({"topologyKey": "zone", "labelSelector": web});
        assert!(touches(plain.clone(), "shop", "web"));
        assert!(!touches(plain.clone(), "shop", "db"));
        assert!(!touches(plain, "other", "web"));
        let listed = json!({"topologyKey": "zone", "labelSelector": web, "namespaces": ["other"]});
        assert!(touches(listed.clone(), "other", "web"));
        assert!(!touches(listed, "shop", "web"));
        let selected =
            json!({"topologyKey": "zone", "labelSelector": web, "namespaceSelector": {"matchLabels": {"a": "b"}}});
        assert!(touches(selected, "third", "web"));
        assert!(!touches(json!({"topologyKey": "zone"}), "shop", "web"), "no selector matches no pod");
        assert!(touches(json!({"topologyKey": "zone", "labelSelector": {}}), "shop", "any"));
    }
}
