//! Container images without a registry or a builder: one static binary becomes an OCI archive that containerd imports.
//!
//! Promises: the archive depends on its inputs alone (no times, owners or host names), so the same binary gives the
//! same digests; the binary is `/app`, the entry point; `/tmp` and `/etc` exist.
//!
//! Formats: OCI image layout and image spec 1.0, tar in the POSIX ustar format.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Size of a tar record in bytes.
const RECORD: usize = 512;

/// An OCI archive (tar bytes) named `name`, e.g. `keelson.local/web:1`, whose containers run `binary` with `args`.
///
/// # Errors
/// When a file is too large for a ustar header (8 GiB) or a path too long for it (100 bytes).
pub fn oci_archive(name: &str, binary: &[u8], args: &[&str]) -> Result<Vec<u8>> {
    let mut layer = Tar::default();
    layer.entry("tmp/", 0o1777, b'5', &[])?;
    layer.entry("etc/", 0o755, b'5', &[])?;
    layer.entry("app", 0o755, b'0', binary)?;
    let layer = layer.finish();

    let config = json!({
        "architecture": architecture(), "os": "linux",
        "config": {"Entrypoint": ["/app"], "Cmd": args, "Env": ["PATH=/"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    })
    .to_string()
    .into_bytes();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    })
    .to_string()
    .into_bytes();
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    if let Some(fields) = entry.as_object_mut() {
        let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        fields.insert("platform".into(), json!({"architecture": architecture(), "os": "linux"}));
        fields.insert(
            "annotations".into(),
            json!({"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}),
        );
    }
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string().into_bytes();

    let mut archive = Tar::default();
    archive.entry("oci-layout", 0o644, b'0', br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive.entry("index.json", 0o644, b'0', &index)?;
    for blob in [&layer, &config, &manifest] {
        archive.entry(&format!("blobs/sha256/{}", hex(blob)), 0o644, b'0', blob)?;
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

    #[test]
    fn the_same_binary_gives_the_same_archive() {
        let build = || oci_archive("keelson.local/web:1", b"binary", &["wait"]).unwrap();
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
        let archive = oci_archive("keelson.local/web:1", b"binary", &[]).unwrap();
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
