//! Ordinary clients find in the double what they found in a real kube-apiserver (see `clients/mod.rs`).
//!
//! `KUBECTL` names kubectl; the Python client is Debian's `python3-kubernetes`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod clients;

use std::path::PathBuf;

use clients::{differences, told};
use keelson_core::Timestamp;
use keelson_sim::{
    api::{Api, Config, Token},
    clock::Clock,
    face::{
        Shared,
        http::{kubeconfig_tls, serve_tls},
        tls::Tls,
        tower::Face,
    },
};
use tokio::net::TcpListener;

fn compare(client: &'static str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let (token, tls) = (Tls::token().unwrap(), Tls::for_loopback().unwrap());
    std::fs::write(&kubeconfig, kubeconfig_tls(listener.local_addr().unwrap(), &tls, &token)).unwrap();
    let admin = Token { token, user: "admin".into(), groups: vec!["system:masters".into()] };
    let api = Api::new(Config { tokens: vec![admin], anonymous_admin: false, ..Config::default() });
    let clock = Clock::start(Timestamp::parse("2026-01-01T00:00:00Z").unwrap(), 1);
    let face = Face::new(Shared::new(api, clock));
    runtime.spawn(async move { serve_tls(listener, &tls, face, std::future::pending()).await });
    let kubectl = std::env::var_os("KUBECTL").map_or_else(|| PathBuf::from("kubectl"), PathBuf::from);
    let differences = differences(client, &told(client, &kubeconfig, &kubectl));
    assert!(differences.is_empty(), "- a real server, + the double\n{}", differences.join("\n"));
}

#[test]
fn kubectl_is_told_the_same() {
    compare("kubectl");
}

#[test]
fn a_python_program_is_told_the_same() {
    compare("python");
}

#[test]
fn kube_rs_watcher_and_reflector_are_told_the_same() {
    compare("kube-rs");
}
