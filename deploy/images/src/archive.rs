//! One static program as an OCI archive that containerd, podman and registry tools read, under one name or many.
//!
//! Promises: the archive depends on its inputs alone (no times, owners or host names), so the same program gives the
//! same digests; the program is the entry point; `/tmp` and `/etc` exist, and nothing else does.
//!
//! Formats: OCI image layout and image spec 1.0.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::tar::{Kind, Tar, TooLong};

/// Media type of an image's manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The program of an image.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// Where it is in the image, without the first `/`.
    pub path: &'a str,
    /// Itself; it must need no other file.
    pub binary: &'a [u8],
    /// What it runs on, by the name images use: `amd64`, `arm64`.
    pub architecture: &'a str,
}

impl<'a> Program<'a> {
    /// A program for the kind of machine that this one was built for.
    #[must_use]
    pub fn native(path: &'a str, binary: &'a [u8]) -> Self {
        Self { path, binary, architecture: architecture(std::env::consts::ARCH) }
    }
}

/// One name under which an archive's program can be run.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Full name with tag, e.g. `keelson.local/web:1`.
    pub name: String,
    /// Arguments, which a container may replace.
    pub args: Vec<String>,
    /// Environment, `NAME=value`, which a container may add to.
    pub env: Vec<String>,
    /// Who runs it, as `UID:GID`; root when empty.
    pub user: String,
    /// What people and tools may want to know.
    pub labels: BTreeMap<String, String>,
}

/// An archive and what it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The bytes of a tar file.
    pub bytes: Vec<u8>,
    /// The digest of each image's manifest, in the order of the images: what a registry will call it.
    pub digests: Vec<String>,
}

impl Archive {
    /// Several images that share one layer, the program.
    ///
    /// ```
    /// use keelson_image::{Archive, Image, Program};
    /// let web = Image { name: "keelson.local/web:1".into(), ..Image::default() };
    /// let archive = Archive::of(Program::native("app", b"\x7fELF..."), &[web])?;
    /// assert!(archive.digests[0].starts_with("sha256:"));
    /// # Ok::<(), keelson_image::TooLong>(())
    /// ```
    ///
    /// # Errors
    /// When the program is too large for a tar header (8 GiB) or its path too long for it (100 bytes).
    pub fn of(program: Program<'_>, images: &[Image]) -> Result<Self, TooLong> {
        let mut layer = Tar::default();
        layer.entry("tmp/", 0o1777, Kind::Folder, &[])?;
        layer.entry("etc/", 0o755, Kind::Folder, &[])?;
        layer.entry(program.path, 0o755, Kind::File, program.binary)?;
        let layer = Blob::of(layer.finish());

        let mut blobs = BTreeMap::new();
        let (mut manifests, mut digests) = (Vec::new(), Vec::new());
        for image in images {
            let config = Blob::of(config(program, image, &layer.digest()));
            let manifest = json!({
                "schemaVersion": 2, "mediaType": MANIFEST,
                "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
                "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar")],
            });
            let manifest = Blob::of(manifest.to_string().into_bytes());
            manifests.push(entry(program, image, &manifest));
            digests.push(manifest.digest());
            blobs.extend([config, manifest].map(|blob| (blob.name, blob.bytes)));
        }
        let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string().into_bytes();

        let mut archive = Tar::default();
        archive.entry("oci-layout", 0o644, Kind::File, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        archive.entry("index.json", 0o644, Kind::File, &index)?;
        blobs.insert(layer.name, layer.bytes);
        for (name, blob) in &blobs {
            archive.entry(&format!("blobs/sha256/{name}"), 0o644, Kind::File, blob)?;
        }
        Ok(Self { bytes: archive.finish(), digests })
    }
}

fn config(program: Program<'_>, image: &Image, layer: &str) -> Vec<u8> {
    let env: Vec<&str> = ["PATH=/"].into_iter().chain(image.env.iter().map(String::as_str)).collect();
    let mut run = json!({"Entrypoint": [format!("/{}", program.path)], "Cmd": image.args, "Env": env});
    if let Some(run) = run.as_object_mut() {
        if !image.user.is_empty() {
            run.insert("User".into(), json!(image.user));
        }
        if !image.labels.is_empty() {
            run.insert("Labels".into(), json!(image.labels));
        }
    }
    json!({
        "architecture": program.architecture, "os": "linux", "config": run,
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    })
    .to_string()
    .into_bytes()
}

/// How the index names an image.
fn entry(program: Program<'_>, image: &Image, manifest: &Blob) -> Value {
    let mut entry = manifest.descriptor(MANIFEST);
    if let Some(fields) = entry.as_object_mut() {
        let tag = image.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        fields.insert("platform".into(), json!({"architecture": program.architecture, "os": "linux"}));
        fields.insert(
            "annotations".into(),
            json!({"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": tag}),
        );
    }
    entry
}

/// An architecture by the name images use, from the name Rust uses.
#[must_use]
pub fn architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Bytes with the name that their content gives them.
struct Blob {
    /// SHA-256 in hexadecimal.
    name: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn of(bytes: Vec<u8>) -> Self {
        Self { name: format!("{:x}", Sha256::digest(&bytes)), bytes }
    }

    fn digest(&self) -> String {
        format!("sha256:{}", self.name)
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest(), "size": self.bytes.len()})
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn web(args: &[&str]) -> Image {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Image { name: "keelson.local/web:1".into(), args, ..Image::default() }
    }

    fn archive(binary: &[u8], images: &[Image]) -> Archive {
        Archive::of(Program { path: "app", binary, architecture: "amd64" }, images).unwrap()
    }

    #[test]
    fn two_names_share_one_layer() {
        let other = Image { name: "keelson.local/other:1".into(), ..Image::default() };
        let binary = [7u8; 4096];
        let one = archive(&binary, &[web(&[])]);
        let two = archive(&binary, &[web(&[]), other]);
        assert!(two.bytes.len() < one.bytes.len() + binary.len());
        assert_eq!(two.digests[0], one.digests[0], "a name is no part of an image");
    }

    #[test]
    fn the_same_program_gives_the_same_archive_and_another_program_another_digest() {
        let build = || archive(b"binary", &[web(&["wait"])]);
        assert_eq!(build(), build());
        assert_ne!(build().digests, archive(b"binarz", &[web(&["wait"])]).digests);
    }

    #[test]
    fn a_user_and_labels_are_in_the_config_and_absent_where_none_are_given() {
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let image = Image { user: "65532:65532".into(), labels, ..web(&[]) };
        let program = Program { path: "app", binary: b"x", architecture: "arm64" };
        let read = |image: &Image| serde_json::from_slice::<Value>(&config(program, image, "sha256:0")).unwrap();
        let given = read(&image);
        assert_eq!((&given["config"]["User"], &given["config"]["Labels"]["a"]), (&json!("65532:65532"), &json!("b")));
        assert_eq!(given["architecture"], "arm64");
        assert!(read(&web(&[]))["config"].get("User").is_none());
    }

    #[test]
    fn tar_itself_lists_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        std::fs::write(&path, archive(b"binary", &[web(&[])]).bytes).unwrap();
        let listing = std::process::Command::new("tar").arg("-tf").arg(&path).output().unwrap();
        assert!(listing.status.success());
        let names = String::from_utf8(listing.stdout).unwrap();
        assert!(names.starts_with("oci-layout\nindex.json\nblobs/sha256/"), "{names}");
    }
}
