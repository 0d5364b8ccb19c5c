//! What a static program needs of its linker.
//!
//! It may be loaded anywhere, and so carries a list of what to adjust when it is: three megabytes as a table, a twentieth of
//! that in the packed form that the C library's start reads as well (glibc 2.36 and newer).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|feature| feature == "crt-static") {
        println!("cargo:rustc-link-arg-bin=keelson=-Wl,-z,pack-relative-relocs");
    }
}
