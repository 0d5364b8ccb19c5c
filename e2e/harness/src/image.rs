//! Container images without a registry or a builder: one static binary becomes an OCI archive that containerd imports, under one
//! name or many.
//!
//! Promises: the archive depends on its inputs alone (no times, owners or host names), so the same binary gives the
//! same digests; the binary is `/app`, the entry point; `/tmp` and `/etc` exist.
//!
//! Formats: OCI image layout and image spec 1.0, tar in the POSIX ustar format.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Media type of an image's manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Size of a tar record in bytes.
const RECORD: usize = 512;

/// One name under which an archive's binary can be run.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Full name with tag, e.g. `keelson.local/web:1`.
    pub name: String,
    /// Arguments, which a container may replace.
    pub args: Vec<String>,
    /// Environment, `NAME=value`, which a container may add to.
    pub env: Vec<String>,
}

/// An OCI archive (tar bytes) of several images that share one layer, the `binary`.
///
/// # Errors
/// When a file is too large for a ustar header (8 GiB) or a path too long for it (100 bytes).
pub fn oci_archive(binary: &[u8], images: &[Image]) -> Result<Vec<u8>> {
    let mut layer = Tar::default();
    layer.entry("tmp/", 0o1777, b'5', &[])?;
    layer.entry("etc/", 0o755, b'5', &[])?;
    layer.entry("app", 0o755, b'0', binary)?;
    let layer = layer.finish();
    let diff = digest(&layer);

    let mut blobs = BTreeMap::new();
    let mut manifests = Vec::new();
    for image in images {
        let env: Vec<&str> = ["PATH=/"].into_iter().chain(image.env.iter().map(String::as_str)).collect();
        let config = json!({
            "architecture": architecture(), "os": "linux",
            "config": {"Entrypoint": ["/app"], "Cmd": image.args, "Env": env},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        })
        .to_string()
        .into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        })
        .to_string()
        .into_bytes();
        let mut entry = descriptor(MANIFEST, &manifest);
        if let Some(fields) = entry.as_object_mut() {
            let tag = image.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
            fields.insert("platform".into(), json!({"architecture": architecture(), "os": "linux"}));
            fields.insert(
                "annotations".into(),
                json!({"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": tag}),
            );
        }
        manifests.push(entry);
        blobs.extend([(hex(&config), config), (hex(&manifest), manifest)]);
    }
    let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string().into_bytes();

    let mut archive = Tar::default();
    archive.entry("oci-layout", 0o644, b'0', br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive.entry("index.json", 0o644, b'0', &index)?;
    blobs.insert(hex(&layer), layer);
    for (name, blob) in &blobs {
        archive.entry(&format!("blobs/sha256/{name}"), 0o644, b'0', blob)?;
    }
    Ok(archive.finish())
}

/// This machine's architecture by the name images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(blob), "size": blob.len()})
}

fn digest(blob: &[u8]) -> String {
    format!("sha256:{}", hex(blob))
}

fn hex(blob: &[u8]) -> String {
    format!("{:x}", Sha256::digest(blob))
}

/// A tar archive in the making.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(&mut self, path: &str, mode: u32, kind: u8, content: &[u8]) -> Result<()> {
        let mut header = [0u8; RECORD];
        put(&mut header, 0, 100, path.as_bytes())?;
        put(&mut header, 100, 8, format!("{mode:07o}").as_bytes())?;
        put(&mut header, 108, 8, b"0000000")?;
        put(&mut header, 116, 8, b"0000000")?;
        put(&mut header, 124, 12, format!("{:011o}", content.len()).as_bytes())?;
        put(&mut header, 136, 12, b"00000000000")?;
        put(&mut header, 148, 8, b"        ")?;
        put(&mut header, 156, 1, &[kind])?;
        put(&mut header, 257, 8, b"ustar\x0000")?;
        // The checksum is the sum of the header's bytes with its own field read as spaces.
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut header, 148, 8, format!("{sum:06o}\0 ").as_bytes())?;
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(RECORD), 0);
        Ok(())
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * RECORD, 0);
        self.0
    }
}

fn put(header: &mut [u8; RECORD], at: usize, width: usize, value: &[u8]) -> Result<()> {
    let too_long = || format!("tar field of {} bytes is longer than its {width}: shorten it", value.len());
    let field = header.get_mut(at..at + width).with_context(too_long)?;
    field.get_mut(..value.len()).with_context(too_long)?.copy_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn web(args: &[&str]) -> Vec<Image> {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        vec![Image { name: "keelson.local/web:1".into(), args, env: Vec::new() }]
    }

    #[test]
    fn two_names_share_one_layer() {
        let other = Image { name: "keelson.local/other:1".into(), ..Image::default() };
        let binary = [7u8; 4096];
        let one = oci_archive(&binary, &web(&[])).unwrap();
        let two = oci_archive(&binary, &[web(&[]), vec![other]].concat()).unwrap();
        assert!(two.len() < one.len() + binary.len());
    }

    #[test]
    fn the_same_binary_gives_the_same_archive() {
        let build = || oci_archive(b"binary", &web(&["wait"])).unwrap();
        assert_eq!(build(), build());
    }

    #[test]
    fn a_header_checksum_counts_its_own_field_as_spaces() {
        let mut tar = Tar::default();
        tar.entry("a", 0o644, b'0', b"x").unwrap();
        let bytes = tar.finish();
        let written = u32::from_str_radix(std::str::from_utf8(&bytes[148..154]).unwrap(), 8).unwrap();
        let mut header = bytes[..RECORD].to_vec();
        header[148..156].fill(b' ');
        assert_eq!(written, header.iter().map(|b| u32::from(*b)).sum::<u32>());
        assert_eq!(bytes.len(), 4 * RECORD);
    }

    #[test]
    fn tar_itself_lists_what_was_written() {
        let archive = oci_archive(b"binary", &web(&[])).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        std::fs::write(&path, archive).unwrap();
        let listing = std::process::Command::new("tar").arg("-tf").arg(&path).output().unwrap();
        assert!(listing.status.success());
        let names = String::from_utf8(listing.stdout).unwrap();
        assert!(names.starts_with("oci-layout\nindex.json\nblobs/sha256/"), "{names}");
    }

    #[test]
    fn a_path_too_long_for_tar_is_refused_with_its_length() {
        let error = Tar::default().entry(&"p".repeat(101), 0o644, b'0', b"").unwrap_err();
        assert_eq!(error.to_string(), "tar field of 101 bytes is longer than its 100: shorten it");
    }
}
