//! Which pods wait, for those who ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;

use super::Mind;

impl Mind {
    /// How many pods wait in each namespace, and how many of them are refused.
    #[must_use]
    pub fn waiting_by_namespace(&self) -> BTreeMap<&str, (usize, usize)> {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for uid in &self.ours {
            let namespace = self.unbound.get(uid).map_or("", |pod| &pod.read.pod.namespace);
            let (waiting, refused) = counts.entry(namespace).or_default();
            *waiting += 1;
            *refused += usize::from(self.refused.contains(uid));
        }
        counts
    }

    /// A pod that waits for a node, whoever's it is.
    #[must_use]
    pub fn waiting_pod(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        self.unbound.get(self.state.uid_of(&format!("{namespace}/{name}"))?).map(|pod| &pod.written)
    }

    /// The pods that wait for this scheduler: those of a namespace or, when it has no name, all.
    pub fn waiting_pods<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Pod>> {
        let pods = self.ours.iter().filter_map(|uid| self.unbound.get(uid));
        pods.filter(move |pod| namespace.is_empty() || pod.read.pod.namespace == namespace).map(|pod| &pod.written)
    }
}
