//! What is forgotten before an object is read.
//!
//! Half of a Pod as the API server sends it is bookkeeping that no feature reads: who wrote which field, probes, commands,
//! environment, the identifiers of images. Copying the text without those fields costs next to nothing; reading them would
//! be most of the work, and keeping them most of the memory.
//!
//! Promises: what is kept stands as it stood, and is JSON when the text was; each byte is looked at once or twice, however
//! deep the text is nested.

/// What is dropped of an object, and of what is in it. The rules of a list are those of its items.
#[derive(Debug)]
pub(super) struct Rules {
    drop: &'static [&'static str],
    under: &'static [(&'static str, Self)],
}

/// What `kubectl apply` leaves behind: the whole manifest again.
const ANNOTATIONS: Rules = Rules { drop: &["kubectl.kubernetes.io/last-applied-configuration"], under: &[] };
const METADATA: Rules = Rules { drop: &["managedFields", "selfLink"], under: &[("annotations", ANNOTATIONS)] };
const ANY: Rules = Rules { drop: &[], under: &[("metadata", METADATA)] };

/// Probes, commands and environment decide nothing about a pod's place, size, traffic or devices, and neither do the
/// identifiers of its images and containers.
const CONTAINER: Rules = Rules {
    drop: &[
        "env",
        "envFrom",
        "command",
        "args",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
        "terminationMessagePath",
        "terminationMessagePolicy",
    ],
    under: &[],
};
const CONTAINER_STATUS: Rules = Rules { drop: &["imageID", "containerID", "volumeMounts", "user"], under: &[] };
const POD_SPEC: Rules = Rules {
    drop: &[],
    under: &[("containers", CONTAINER), ("initContainers", CONTAINER), ("ephemeralContainers", CONTAINER)],
};
const POD_STATUS: Rules = Rules {
    drop: &[],
    under: &[
        ("containerStatuses", CONTAINER_STATUS),
        ("initContainerStatuses", CONTAINER_STATUS),
        ("ephemeralContainerStatuses", CONTAINER_STATUS),
    ],
};
const POD: Rules = Rules { drop: &[], under: &[("metadata", METADATA), ("spec", POD_SPEC), ("status", POD_STATUS)] };

/// Of what makes pods only whom it selects is looked at: the pods themselves say what they are made like, and there are many
/// more of these than run.
const MAKER_SPEC: Rules = Rules { drop: &["template", "volumeClaimTemplates"], under: &[] };
const MAKER: Rules = Rules { drop: &["status"], under: &[("metadata", METADATA), ("spec", MAKER_SPEC)] };

impl Rules {
    /// Those of a resource.
    pub(super) fn of(plural: &str) -> &'static Self {
        match plural {
            "pods" => &POD,
            "replicasets" | "replicationcontrollers" | "statefulsets" => &MAKER,
            _ => &ANY,
        }
    }

    fn below(&self, field: &str) -> Option<&'static Self> {
        self.under.iter().find(|(name, _)| *name == field).map(|(_, rules)| rules)
    }
}

/// The JSON of an object without what its rules drop.
pub(super) fn pruned(json: &str, rules: &Rules) -> String {
    let mut kept = String::with_capacity(json.len());
    Text(json).copy(Some(rules), &mut kept);
    kept
}

/// What is left to read of a text that is JSON.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// Copies a value. A list is copied item by item when there are rules for its items.
    fn copy(&mut self, rules: Option<&Rules>, kept: &mut String) {
        match (self.next(), rules) {
            (Some(b'{'), Some(rules)) => self.copy_object(rules, kept),
            (Some(b'['), Some(rules)) => self.copy_list(rules, kept),
            _ => kept.push_str(self.value()),
        }
    }

    fn copy_object(&mut self, rules: &Rules, kept: &mut String) {
        kept.push_str(self.take(1));
        let mut first = true;
        while self.next() == Some(b'"') {
            let name = self.value();
            self.next();
            let colon = self.take(1);
            let field = name.trim_matches('"');
            if rules.drop.contains(&field) {
                self.next();
                self.value();
            } else {
                kept.push_str(if first { "" } else { "," });
                kept.push_str(name);
                kept.push_str(colon);
                self.copy(rules.below(field), kept);
                first = false;
            }
            if self.next() == Some(b',') {
                self.take(1);
            }
        }
        kept.push_str(self.take(1));
    }

    fn copy_list(&mut self, rules: &Rules, kept: &mut String) {
        kept.push_str(self.take(1));
        while let Some(byte) = self.next()
            && byte != b']'
        {
            match byte {
                b'{' => self.copy_object(rules, kept),
                b',' => kept.push_str(self.take(1)),
                _ => match self.value() {
                    "" => return,
                    item => kept.push_str(item),
                },
            }
        }
        kept.push_str(self.take(1));
    }

    /// The next byte that is not white space, still to be read.
    fn next(&mut self) -> Option<u8> {
        self.0 = self.0.trim_ascii_start();
        self.0.as_bytes().first().copied()
    }

    /// Reads so many bytes, or what there is.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.0.split_at_checked(bytes).unwrap_or((self.0, ""));
        self.0 = rest;
        taken
    }

    /// Reads one value, whatever is in it.
    fn value(&mut self) -> &'a str {
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        for (at, byte) in self.0.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => {
                    quoted = !quoted;
                    if !quoted && depth == 0 {
                        return self.take(at + 1);
                    }
                }
                _ if quoted => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' | b',' if depth == 0 => return self.take(at),
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return self.take(at + 1);
                    }
                }
                _ => {}
            }
        }
        self.take(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn bookkeeping_goes_and_meaning_stays() {
        let pod = json!({
            "metadata": {"name": "a", "managedFields": [{}], "annotations": {ANNOTATIONS.drop[0]: "{}", "mi\"ne": "1"}},
            "spec": {"containers": [{"name": "c", "env": [{"name": "}"}], "resources": {"requests": {"cpu": "1"}}}, {"env": []}],
                "nodeName": null, "priority": 7},
            "status": {"containerStatuses": [{"name": "c", "imageID": "sha256:1", "restartCount": 3}], "env": 1},
        });
        let expected = json!({
            "metadata": {"name": "a", "annotations": {"mi\"ne": "1"}},
            "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}, {}], "nodeName": null, "priority": 7},
            "status": {"containerStatuses": [{"name": "c", "restartCount": 3}], "env": 1},
        });
        for text in [pod.to_string(), serde_json::to_string_pretty(&pod).unwrap()] {
            let kept: Value = serde_json::from_str(&pruned(&text, Rules::of("pods"))).unwrap();
            assert_eq!(kept, expected);
        }
    }

    #[test]
    fn of_what_makes_pods_the_selector_is_kept_and_not_the_template() {
        let set = json!({"metadata": {"name": "a"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "a"}},
            "template": {"spec": {"containers": [{}]}}}, "status": {"replicas": 1}});
        let kept: Value = serde_json::from_str(&pruned(&set.to_string(), Rules::of("replicasets"))).unwrap();
        let expected = json!({"replicas": 1, "selector": {"matchLabels": {"app": "a"}}});
        assert_eq!(kept, json!({"metadata": {"name": "a"}, "spec": expected}));
    }

    #[test]
    fn what_is_not_as_expected_is_left_as_it_is() {
        for text in [
            "7",
            "[]",
            "{}",
            r#"{"spec":{"containers":7},"metadata":[[{"managedFields":1}]]}"#,
            "",
            "{\"a\"",
            "{\"a\":[",
        ] {
            let kept = pruned(text, Rules::of("pods"));
            assert!(serde_json::from_str::<Value>(text).is_err() || kept == text, "{text} {kept}");
        }
        let deep = format!(r#"{{"spec":{{"containers":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(pruned(&deep, Rules::of("pods")), deep);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let name =
            prop_oneof!["spec", "status", "metadata", "containers", "env", "annotations", "[a-z\"\\\\{}:,]{0,4}"];
        let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), ".{0,8}".prop_map(Value::from)];
        leaf.prop_recursive(6, 48, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(name.clone(), inner, 0..5).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    fn dropped(value: &mut Value, rules: &Rules) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !rules.drop.contains(&name.as_str()));
                for (name, field) in fields {
                    if let Some(rules) = rules.below(name) {
                        dropped(field, rules);
                    }
                }
            }
            Value::Array(items) => {
                items.iter_mut().filter(|item| item.is_object()).for_each(|item| dropped(item, rules))
            }
            _ => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_text_is_pruned_as_the_tree_would_be(json in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.unwrap();
            let kept: Value = serde_json::from_str(&pruned(&text, Rules::of("pods"))).unwrap();
            let mut expected = json;
            dropped(&mut expected, Rules::of("pods"));
            prop_assert_eq!(kept, expected);
        }
    }
}
