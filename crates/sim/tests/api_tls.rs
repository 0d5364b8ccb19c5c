//! The HTTPS face under a kube client that has nothing but the kubeconfig.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use futures::StreamExt;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::ConfigMap;
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
use kube::{
    Client,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use tokio::net::TcpListener;

async fn client(kubeconfig: &str) -> Client {
    let file = Kubeconfig::from_yaml(kubeconfig).unwrap();
    Client::try_from(kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap()).unwrap()
}

/// A cluster behind TLS: its address and its certificate.
async fn cluster() -> (std::net::SocketAddr, Tls) {
    let tokens = vec![Token { token: "secret".into(), user: "alice".into(), groups: vec!["system:masters".into()] }];
    let api = Api::new(Config { tokens, ..Config::default() });
    let shared = Shared::new(api, Clock::start(Timestamp(0), 1));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, tls) = (listener.local_addr().unwrap(), Tls::for_loopback().unwrap());
    let served = tls.clone();
    tokio::spawn(async move { serve_tls(listener, &served, Face::new(shared), std::future::pending()).await });
    (address, tls)
}

#[tokio::test]
async fn a_client_with_the_kubeconfig_writes_watches_and_is_known_by_its_token() {
    let (address, tls) = cluster().await;
    let client = client(&kubeconfig_tls(address, &tls, "secret")).await;
    let reviews: kube::Api<SelfSubjectReview> = kube::Api::all(client.clone());
    let who = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.unwrap();
    assert_eq!(who.status.unwrap().user_info.unwrap().username.as_deref(), Some("alice"));
    let maps: kube::Api<ConfigMap> = kube::Api::default_namespaced(client);
    let mut seen = Box::pin(watcher(maps.clone(), watcher::Config::default()).applied_objects());
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap();
    assert_eq!(seen.next().await.unwrap().unwrap().metadata.name.as_deref(), Some("a"));
}

#[tokio::test]
async fn an_authority_that_did_not_sign_it_is_not_believed() {
    let (address, _) = cluster().await;
    let another = Tls::for_loopback().unwrap();
    let client = client(&kubeconfig_tls(address, &another, "")).await;
    let refused = client.apiserver_version().await.unwrap_err();
    let chain = format!("{refused:?}");
    assert!(chain.contains("InvalidCertificate"), "{chain}");
}
