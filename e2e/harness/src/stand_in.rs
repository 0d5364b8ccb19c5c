//! Stand-ins for the images a manifest names: one small program under every name.
//!
//! There is no registry and no way out, so each node's containerd gets every image of a manifest beforehand. All of them
//! run the same program (`e2e/tools/pause`), which answers HTTP and gRPC health checks on the ports that the manifest
//! declares for the container, and ends at once when asked to.
//!
//! Promises: manifests stay as they are; images are imported before the call returns. An image whose tag is `latest`
//! is pulled by Kubernetes' default whatever is there already, and a container with a `command` of its own finds no
//! such program in a stand-in: both are refused with the container's name.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The images of a manifest by full name, each with the TCP ports its containers declare.
///
/// # Errors
/// When the manifest is not YAML, or a container cannot run a stand-in; the text names it.
pub fn images(manifest: &str) -> Result<BTreeMap<String, Vec<u64>>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).context("the manifest is not YAML")?;
    let mut images = BTreeMap::new();
    for document in &documents {
        collect(document, &mut images)?;
    }
    Ok(images)
}

/// Pod specs lie at various depths; their containers are the lists called `containers` or `initContainers`.
fn collect(value: &Value, images: &mut BTreeMap<String, Vec<u64>>) -> Result<()> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| collect(item, images)),
        Value::Object(fields) => {
            for (key, field) in fields {
                match (key.as_str(), field) {
                    ("containers" | "initContainers", Value::Array(containers)) => {
                        containers.iter().try_for_each(|container| add(container, images))?;
                    }
                    _ => collect(field, images)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn add(container: &Value, images: &mut BTreeMap<String, Vec<u64>>) -> Result<()> {
    let name = container["name"].as_str().unwrap_or("without a name");
    let image = container["image"].as_str().with_context(|| format!("container {name} has no image"))?;
    if container.get("command").is_some() {
        bail!("container {name} has a command: its image {image} cannot be a stand-in");
    }
    let image = full_name(image);
    if image.ends_with(":latest") {
        bail!("container {name}: give {image} another tag than latest, which Kubernetes pulls every time");
    }
    let ports = images.entry(image).or_default();
    for port in container["ports"].as_array().into_iter().flatten() {
        let number = port["containerPort"].as_u64().unwrap_or_default();
        if port["protocol"] != "UDP" && !ports.contains(&number) {
            ports.push(number);
        }
    }
    Ok(())
}

/// An image's name as containerd stores it: with registry, folder and tag.
fn full_name(image: &str) -> String {
    let (first, rest) = image.split_once('/').unwrap_or(("", image));
    let registry = first.contains(['.', ':']) || first == "localhost";
    let name = match (registry, first) {
        (true, _) => image.to_owned(),
        (false, "") => format!("docker.io/library/{rest}"),
        (false, _) => format!("docker.io/{image}"),
    };
    let tagged = name.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    if tagged { name } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn names_are_completed_as_containerd_does() {
        for (short, full) in [
            ("redis:alpine", "docker.io/library/redis:alpine"),
            ("streaming/ingest:1", "docker.io/streaming/ingest:1"),
            ("keelson.local/web:1", "keelson.local/web:1"),
            ("localhost:5000/a/b:2", "localhost:5000/a/b:2"),
            ("busybox", "docker.io/library/busybox:latest"),
        ] {
            assert_eq!(full_name(short), full);
        }
    }

    #[test]
    fn every_image_of_the_sample_applications_has_its_tcp_ports() {
        let apps = concat!(env!("CARGO_MANIFEST_DIR"), "/../apps");
        let read = |app: &str| images(&std::fs::read_to_string(format!("{apps}/{app}/app.yaml")).unwrap()).unwrap();
        let shop = read("online-boutique");
        assert_eq!(shop.len(), 11);
        assert_eq!(shop["docker.io/library/redis:alpine"], [6379]);
        let streaming = read("streaming");
        assert_eq!(streaming["docker.io/streaming/ingest:1"], [8080], "9000 is UDP");
        assert_eq!(streaming["docker.io/streaming/log-shipper:1"], Vec::<u64>::new(), "a sidecar that listens nowhere");
    }

    #[test]
    fn what_a_stand_in_cannot_run_is_refused_by_name() {
        let pod = |rest: &str| format!("spec: {{containers: [{{name: web, {rest}}}]}}");
        let error = images(&pod("image: a, command: [sh]")).unwrap_err().to_string();
        assert_eq!(error, "container web has a command: its image a cannot be a stand-in");
        assert!(images(&pod("image: a")).unwrap_err().to_string().contains("another tag than latest"));
    }
}
