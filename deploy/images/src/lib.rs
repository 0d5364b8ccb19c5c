//! Container images made of one static program, without a registry, a builder or a daemon.
//!
//! An image is a few documents and an archive of files, and all of them can be written down: [`archive`] does, so that
//! the same program always gives the same digest. [`bom`] writes down what the program is made of. `cargo xtask image`
//! makes Keelson's own image with them; the test clusters make the images of their stand-ins.
//!
//! Promises: what is written depends on what was given alone; nothing is read from this machine.

pub mod archive;
pub mod bom;
pub mod elf;
mod tar;

pub use archive::{Archive, Image, Program};
pub use tar::TooLong;
