//! Keelson's image: the static program in an OCI archive with its bill of materials, made without a container daemon.
//!
//! The program is linked with everything that it needs, so that the image is that one file: no shell, no package, nobody
//! but user 65532. It is built apart from everything else (`target/image`), for nothing that is linked so can be shared.
//!
//! Promises: the same sources give the same digest wherever the repository lies (`--twice` builds them in two folders and
//! compares); what is above its budget, needs a loader or names a folder of this machine is no image.

use std::fs;
use std::path::{Path, PathBuf};

use keelson_image::bom::{Linked, Sources, bill};
use keelson_image::{Archive, Image, Program, archive, elf};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::run::{Outcome, command, read, root, show, target};
use crate::setup::{self, Need};
use crate::web;

/// The most that the stripped program may take (issue of the spine: 40 MB).
const BUDGET: usize = 40_000_000;
/// Who runs it: nobody, by the number that distroless images use.
const USER: &str = "65532:65532";
/// What glibc is told: the size, in bytes, from which an allocation is given back to the system when it is freed. Left to
/// itself it raises it with the first large one that is freed, and keeps what a large decision took (`bench memory`).
pub const ENVIRONMENT: [(&str, &str); 1] = [("MALLOC_MMAP_THRESHOLD_", "131072")];
/// The image's name without a tag, as the chart has it.
const NAME: &str = "keelson.local/keelson";

/// One kind of machine.
struct Machine {
    /// By the name Rust uses.
    rust: &'static str,
    /// What makes and runs its programs on machines of another kind; none where nobody has tried.
    cross: Option<Cross>,
}

/// Debian's compiler for another kind of machine, and what plays that machine.
struct Cross {
    compiler: &'static str,
    emulator: &'static str,
    needs: &'static [Need],
}

const MACHINES: [Machine; 2] = [
    Machine { rust: "x86_64", cross: None },
    Machine {
        rust: "aarch64",
        cross: Some(Cross {
            compiler: "aarch64-linux-gnu-gcc",
            emulator: "qemu-aarch64-static",
            needs: &[
                Need::Package("gcc-aarch64-linux-gnu"),
                Need::Package("libc6-dev-arm64-cross"),
                Need::Package("qemu-user-static"),
            ],
        }),
    },
];

/// `cargo xtask image [--arch ARCH] [--twice]`.
pub fn image(args: &[&str]) -> Outcome {
    match args {
        [] => build(native()?).map(drop),
        ["--twice"] => twice(),
        ["--arch", name] => of(name)?.made(name),
        _ => Err("use `cargo xtask image`, with --arch amd64 or --arch arm64, or with --twice".to_owned()),
    }
}

/// What is needed to make images for other kinds of machines.
#[cfg(test)]
pub fn needs() -> impl Iterator<Item = Need> {
    MACHINES.iter().filter_map(|machine| machine.cross.as_ref()).flat_map(|cross| cross.needs).copied()
}

/// Makes the image of this machine's kind.
pub fn here() -> Outcome {
    build(native()?).map(drop)
}

/// Makes the image of this machine's kind and returns where its program is: the one that is shipped.
pub fn shipped() -> Result<String, String> {
    let machine = native()?;
    build(machine)?;
    Ok(target().join("image").join(machine.triple()).join("image/keelson").display().to_string())
}

fn native() -> Result<&'static Machine, String> {
    of(archive::architecture(std::env::consts::ARCH))
}

fn of(name: &str) -> Result<&'static Machine, String> {
    let known = || MACHINES.map(|machine| archive::architecture(machine.rust)).join(" or ");
    let found = MACHINES.iter().find(|machine| archive::architecture(machine.rust) == name);
    found.ok_or_else(|| format!("architecture {name:?} is unknown; use {}", known()))
}

/// Builds the program, writes the archive and the bill beside each other, and returns the image's digest.
fn build(machine: &Machine) -> Result<String, String> {
    web::build()?;
    let commit = read("git", &["describe", "--always", "--dirty", "--abbrev=12"])?;
    let folder = target().join("image");
    let program = machine.program(&root(), &folder, commit.trim())?;
    let name = format!("keelson-{}", archive::architecture(machine.rust));
    // Written last, so that it is newer than the program only when everything is there.
    let stamp = folder.join(format!("{name}.digest"));
    if let Some(digest) = fs::read_to_string(&stamp).ok().filter(|_| is_newer(&stamp, &program)) {
        eprintln!("image: {name} is up to date");
        println!("{digest}");
        return Ok(digest);
    }
    let binary = fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    fit(&binary)?;
    let made = pack(machine, &binary, commit.trim())?;
    let digest = made.digests.first().cloned().unwrap_or_default();
    let bill = machine.bill(&binary)?;
    machine.starts(&program)?;
    let files = [("tar", &made.bytes), ("cdx.json", &bill), ("digest", &digest.clone().into_bytes())];
    for (kind, bytes) in files {
        let path = folder.join(format!("{name}.{kind}"));
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("image: {} ({:.1} MB)", path.display(), megabytes(bytes.len()));
    }
    let budget = megabytes(BUDGET);
    eprintln!("image: {NAME}:{}, whose program takes {:.1} of {budget:.0} MB", version(), megabytes(binary.len()));
    println!("{digest}");
    Ok(digest)
}

/// Builds the sources once here and once in another folder, everything anew, and compares what a registry would call the
/// images.
fn twice() -> Outcome {
    let machine = native()?;
    let first = build(machine)?;
    let other = target().join("image-again");
    let copy = other.join("a-checkout-of-another-name");
    let _ = fs::remove_dir_all(&copy);
    copied(&copy)?;
    // Nothing is taken over from the first: the folders that are mapped away are part of how everything is built.
    let deps = other.join("target");
    let _ = fs::remove_dir_all(&deps);
    let commit = read("git", &["describe", "--always", "--dirty", "--abbrev=12"])?;
    let program = machine.program(&copy, &deps, commit.trim())?;
    let binary = fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    let second = pack(machine, &binary, commit.trim())?.digests.first().cloned().unwrap_or_default();
    let _ = fs::remove_dir_all(&other);
    if first == second {
        eprintln!("image: built twice, in two folders: one digest");
        return Ok(());
    }
    Err(format!(
        "the same sources gave {first} here and {second} in another folder; something names a folder or a time"
    ))
}

impl Machine {
    fn triple(&self) -> String {
        format!("{}-unknown-linux-gnu", self.rust)
    }

    /// What it takes when it is another machine than this.
    fn foreign(&self) -> Option<&Cross> {
        self.cross.as_ref().filter(|_| self.rust != std::env::consts::ARCH)
    }

    /// Sees to it that programs for it can be built here, then makes its image.
    fn made(&self, name: &str) -> Outcome {
        if let Some(cross) = self.foreign() {
            setup::require(cross.needs, &format!("image --arch {name}"))?;
        }
        let triple = self.triple();
        let library = read("rustc", &["--print", "target-libdir", "--target", &triple])?;
        if !Path::new(library.trim()).is_dir() {
            show("rustup", &["target", "add", &triple])?;
        }
        build(self).map(drop)
    }

    /// A program that says its version was linked with all that it needs.
    fn starts(&self, program: &Path) -> Outcome {
        let program = program.display().to_string();
        let said = match self.foreign() {
            Some(cross) => read(cross.emulator, &[&program, "version"]),
            None => read(&program, &["version"]),
        };
        let said = said.map_err(|error| format!("the program does not start: {error}"))?;
        eprintln!("image: it says {:?}", said.lines().next().unwrap_or_default());
        Ok(())
    }

    /// Builds the program from the sources in a folder and returns where it is.
    fn program(&self, sources: &Path, into: &Path, commit: &str) -> Result<PathBuf, String> {
        let triple = self.triple();
        let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
        // The last that fits counts: what is built may lie within the sources.
        let from = [(sources.display().to_string(), "/keelson"), (into.display().to_string(), "/target")];
        let remapped = from.into_iter().chain(home.ok().map(|home| (home, "/cargo")));
        let flags: Vec<String> = ["-Ctarget-feature=+crt-static".to_owned()]
            .into_iter()
            .chain(remapped.map(|(from, to)| format!("--remap-path-prefix={from}={to}")))
            .collect();
        let mut cargo = command("cargo");
        cargo.current_dir(sources).args(["build", "--locked", "--workspace", "--bin", "keelson", "--profile", "image"]);
        cargo.arg("--target").arg(&triple).arg("--target-dir").arg(into);
        cargo.arg("--config").arg(format!("target.{triple}.rustflags={flags:?}"));
        if let Some(Cross { compiler, .. }) = self.foreign() {
            cargo.arg("--config").arg(format!("target.{triple}.linker={compiler:?}"));
            cargo.env(format!("CC_{}", triple.replace('-', "_")), compiler);
        }
        // Neither may come from a person's shell: the flags above are the whole truth.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env("KEELSON_COMMIT", commit);
        eprintln!("  $ cargo build --profile image --target {triple} (static)");
        let status = cargo.status().map_err(|error| format!("cargo could not be started: {error}"))?;
        if !status.success() {
            return Err(format!("cargo build for {triple} ended with {status}"));
        }
        Ok(into.join(&triple).join("image/keelson"))
    }

    /// What the program is made of, as a file.
    fn bill(&self, binary: &[u8]) -> Result<Vec<u8>, String> {
        let triple = self.triple();
        let json = |what: &str, text: &str| -> Result<Value, String> {
            serde_json::from_str(text).map_err(|error| format!("{what}: {error}"))
        };
        let file = |path: &str| fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"));
        let args = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &triple];
        let sources = Sources {
            cargo: &json("cargo metadata", &read("cargo", &args)?)?,
            lock: &file("Cargo.lock")?,
            page: &json("web/package-lock.json", &file("web/package-lock.json")?)?,
            linked: &[self.libc()?],
        };
        let sha256 = format!("{:x}", Sha256::digest(binary));
        let bill = bill("keelson", &sha256, &sources).ok_or("the workspace has no program keelson")?;
        serde_json::to_vec_pretty(&bill).map_err(|error| error.to_string())
    }

    /// The C library that is linked into the program, as the compiler that links it has it.
    fn libc(&self) -> Result<Linked, String> {
        let compiler = self.foreign().map_or("cc", |cross| cross.compiler);
        let macros = read(compiler, &["-E", "-dM", "-include", "features.h", "-x", "c", "/dev/null"])?;
        let number = |name: &str| macros.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let (major, minor) = number("#define __GLIBC__ ")
            .zip(number("#define __GLIBC_MINOR__ "))
            .ok_or_else(|| format!("{compiler} has no glibc"))?;
        let version = format!("{major}.{minor}");
        let purl = format!("pkg:generic/glibc@{version}");
        Ok(Linked { purl, name: "glibc".to_owned(), version, licence: "LGPL-2.1-or-later".to_owned() })
    }
}

fn pack(machine: &Machine, binary: &[u8], commit: &str) -> Result<Archive, String> {
    let labels = [
        ("org.opencontainers.image.title", "keelson"),
        ("org.opencontainers.image.version", version()),
        ("org.opencontainers.image.revision", commit),
        ("org.opencontainers.image.licenses", "Apache-2.0"),
    ];
    let image = Image {
        name: format!("{NAME}:{}", version()),
        user: USER.to_owned(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        env: ENVIRONMENT.map(|(name, value)| format!("{name}={value}")).into(),
        ..Image::default()
    };
    let architecture = archive::architecture(machine.rust);
    Archive::of(Program { path: "keelson", binary, architecture }, &[image]).map_err(|error| error.to_string())
}

/// Whether a program may be an image.
fn fit(binary: &[u8]) -> Outcome {
    elf::stands_alone(binary).map_err(|error| format!("the program: {error}"))?;
    if binary.len() > BUDGET {
        let (is, may) = (megabytes(binary.len()), megabytes(BUDGET));
        return Err(format!("the program takes {is:.1} MB, above its {may:.0}; see what grew with `cargo bloat`"));
    }
    let named = [root(), target()].into_iter().find(|folder| names(binary, &folder.display().to_string()));
    match named {
        Some(folder) => {
            Err(format!("the program names {}: another checkout would give another digest", folder.display()))
        }
        None => Ok(()),
    }
}

fn is_newer(one: &Path, other: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
    modified(one) > modified(other) && modified(other).is_some()
}

fn names(binary: &[u8], word: &str) -> bool {
    binary.windows(word.len().max(1)).any(|window| window == word.as_bytes())
}

/// The sources that git knows, and the built page, in another folder.
fn copied(into: &Path) -> Outcome {
    let files = read("git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let page = read("find", &["web/dist", "-type", "f"])?;
    for file in files.lines().chain(page.lines()) {
        let (from, to) = (root().join(file), into.join(file));
        let made = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::copy(&from, &to));
        made.map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

/// The workspace's version, which every crate shares.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_image_has_no_loader_no_folder_of_this_machine_and_a_budget() {
        let mut program = vec![0u8; 64];
        if let Some(magic) = program.get_mut(..6) {
            magic.copy_from_slice(b"\x7fELF\x02\x01");
        }
        assert_eq!(fit(&program), Ok(()));
        assert!(fit(b"#!/bin/sh").unwrap_err().contains("no 64-bit"));
        let named = [&program[..], root().display().to_string().as_bytes()].concat();
        assert!(fit(&named).unwrap_err().contains("another digest"));
        program.resize(BUDGET + 1, 0);
        assert!(fit(&program).unwrap_err().contains("above its 40"));
    }

    #[test]
    fn an_image_tells_the_allocator_to_give_back_what_is_large() {
        let made = pack(native().unwrap(), b"a program", "0").unwrap();
        assert!(names(&made.bytes, "MALLOC_MMAP_THRESHOLD_=131072"));
    }

    #[test]
    fn architectures_are_known_by_the_names_that_images_use() {
        assert_eq!(of("arm64").map(|machine| machine.rust), Ok("aarch64"));
        assert!(of("riscv64").is_err_and(|error| error.contains("amd64 or arm64")));
    }
}
