//! What ImageLocality looks at.

use serde_json::{Value, json};

use super::{Making, items, push};

/// Images, as pods write them and as nodes list them. A name without a tag is the latest.
const IMAGES: &[&str] =
    &["registry.example/app:1", "registry.example/app:2", "registry.example/big", "registry.example:5000/db", "plain"];

impl Making {
    pub(super) fn weigh_images(&mut self) {
        let size = |_| self.dice.pick(&[1_000_000, 20_000_000, 40_000_000, 300_000_000, 900_000_000, 3_000_000_000]);
        self.sizes = IMAGES.iter().map(size).collect();
    }

    pub(super) fn images_of(&mut self, node: &mut Value) {
        for (name, size) in IMAGES.iter().zip(self.sizes.clone()) {
            if self.dice.chance(50) {
                let tagged =
                    if name.rsplit('/').next().is_some_and(|last| last.contains(':')) { "" } else { ":latest" };
                let mut names = vec![format!("{name}{tagged}")];
                if self.dice.chance(30) {
                    names.push(format!("{name}@sha256:{:064}", 7));
                }
                push(&mut node["status"]["images"], json!({"names": names, "sizeBytes": size}));
            }
        }
    }

    pub(super) fn images(&mut self, pod: &mut Value) {
        for container in items(&mut pod["spec"]["containers"]) {
            container["image"] = json!(self.dice.pick(IMAGES));
        }
        if self.dice.chance(25) {
            let init = json!({"name": "fetch", "image": self.dice.pick(IMAGES)});
            push(&mut pod["spec"]["initContainers"], init);
        }
    }
}
