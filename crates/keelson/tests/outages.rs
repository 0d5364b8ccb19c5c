//! `keelson controller` while the API server is away for a minute, the database for a minute, the collector for good, when
//! it starts without the database, while the database's disk is full, and after a restart: the page says so, nothing is
//! lost, repeated or forgotten, everything recovers by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;
use std::time::Duration;

use keelson::simulated::Simulated;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};

#[path = "../../store/tests/support/again.rs"]
mod again;
#[path = "support/controller.rs"]
mod controller;
#[path = "../../store/tests/support/postgres.rs"]
mod postgres;
#[path = "support/relay.rs"]
mod relay;

use again::{given_dir, with_mounts};
use controller::{Controller, deploy, placed, until};
use relay::Relay;

const MINUTE: Duration = Duration::from_secs(60);

/// Something that takes whatever a collector is sent.
async fn collector() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(|| async { "" });
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// What `keelson` with `args` prints, and its exit code.
fn keelson(controller: &Controller, args: &[&str]) -> (String, i32) {
    let program = env!("CARGO_BIN_EXE_keelson");
    let output = Command::new(program).args(args).args(["--server", &controller.page]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (text, output.status.code().unwrap_or(-1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_without_api_server_one_without_database_and_no_collector() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Relay::to(listener.local_addr().unwrap()).await;
    let cluster = Simulated::start(listener, 11, 1).await.unwrap();
    let client = cluster.client();
    let collector = Relay::to(collector().await).await;
    let server = postgres::Server::start();
    drop(server.store("keelson").await);
    let database = format!("postgres://postgres@localhost/keelson?host={}", server.socket().display());
    let folder = tempfile::tempdir().unwrap();
    let mut controller = Controller::start(
        &cluster.kubeconfig_at(api.address),
        &database,
        folder.path(),
        &["--otlp", &format!("http://{}", collector.address)],
    );

    for name in ["api", "store"] {
        controller.says(name, true).await;
    }
    deploy(&client, "before", "10m").await;
    let mut nodes = placed(&client, "before").await;
    let standby = Controller::dashboard(&cluster.kubeconfig_at(api.address), &database, folder.path());
    until("a page of its own tells what the controller decided", async || {
        standby.placements().await.iter().any(|decision| decision["outcome"] == "Done").then_some(())
    })
    .await;

    collector.set_open(false);
    api.set_open(false);
    let start = Instant::now();
    deploy(&client, "during", "10m").await;
    let said = controller.says("api", false).await;
    assert!(!said.is_empty());
    sleep_until(start + MINUTE / 2).await;
    server.crash();
    sleep_until(start + MINUTE).await;
    api.set_open(true);
    controller.says("api", true).await;
    nodes.extend(placed(&client, "during").await);
    let said = controller.says("store", false).await;
    assert!(said.contains("nothing is lost"), "{said}");

    sleep_until(start + MINUTE / 2 + MINUTE).await;
    server.go_on();
    controller.says("store", true).await;
    deploy(&client, "after", "10m").await;
    nodes.extend(placed(&client, "after").await);
    let said = controller.says("telemetry", false).await;
    assert!(said.contains("nothing waits for it"), "{said}");

    controller.tells_each_once(&nodes).await;
    until("the other page heard of them, too", async || {
        (standby.placements().await.len() >= nodes.len()).then_some(())
    })
    .await;
    for app in ["before", "during", "after"] {
        let now = placed(&client, app).await;
        assert!(now.iter().all(|(pod, node)| nodes.get(pod) == Some(node)), "{app} was touched again");
    }

    let id = nix::unistd::Pid::from_raw(i32::try_from(controller.child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    let ended = until("it stops when it is told to", async || controller.child.try_wait().unwrap()).await;
    assert!(ended.success(), "{ended}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_starts_without_its_database_and_tells_it_everything_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cluster = Simulated::start(listener, 12, 1).await.unwrap();
    let client = cluster.client();
    let server = postgres::Server::start();
    server.run_sql("postgres", "CREATE DATABASE keelson").await;
    let database = format!("postgres://postgres@localhost/keelson?host={}", server.socket().display());
    server.crash();
    let folder = tempfile::tempdir().unwrap();
    let controller = Controller::start(&cluster.kubeconfig(), &database, folder.path(), &[]);
    controller.says("store", false).await;
    deploy(&client, "early", "10m").await;
    let nodes = placed(&client, "early").await;
    let unknown = controller.ask("/api/v1/decisions/01a20a36-4c94-7c29-ba35-d33514b3210c").await.unwrap();
    assert_eq!(unknown["error"]["category"], "unavailable", "nobody knows whether it is stored: {unknown}");

    server.go_on();
    controller.says("store", true).await;
    let standby = Controller::dashboard(&cluster.kubeconfig(), &database, folder.path());
    standby.tells_each_once(&nodes).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_on_the_page_and_costs_no_placement() {
    let Some(folder) = given_dir() else {
        let folder = tempfile::tempdir().unwrap();
        let name = "a_full_disk_is_told_on_the_page_and_costs_no_placement";
        return with_mounts(name, folder.path(), "mkdir disk && mount -t tmpfs -o size=24m none disk");
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cluster = Simulated::start(listener, 15, 1).await.unwrap();
    let client = cluster.client();
    let database = folder.join("disk/keelson.db");
    let controller = Controller::start(&cluster.kubeconfig(), database.to_str().unwrap(), &folder, &[]);
    deploy(&client, "before", "10m").await;
    let mut nodes = placed(&client, "before").await;
    controller.tells_each_once(&nodes).await;

    let ballast = folder.join("disk/ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4_096]).is_ok() {}
    deploy(&client, "during", "10m").await;
    nodes.extend(placed(&client, "during").await);
    let said = controller.says("store", false).await;
    assert!(said.contains("no space left") && said.contains("nothing is lost"), "{said}");
    // Served from memory and the journal meanwhile, and being read does not pass for recovery.
    controller.tells_each_once(&nodes).await;
    assert!(!controller.connection("store").await.unwrap().0);

    std::fs::remove_file(&ballast).unwrap();
    drop(file);
    let said = controller.says("store", true).await;
    assert_eq!(said, "every decision is kept");
    deploy(&client, "after", "10m").await;
    nodes.extend(placed(&client, "after").await);
    let page = Controller::dashboard(&cluster.kubeconfig(), database.to_str().unwrap(), &folder);
    page.tells_each_once(&nodes).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_every_why_is_still_answered_and_the_hour_is_not_zero() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cluster = Simulated::start(listener, 13, 1).await.unwrap();
    let client = cluster.client();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("keelson.db");
    let database = database.to_str().unwrap();
    let controller = Controller::start(&cluster.kubeconfig(), database, folder.path(), &[]);
    deploy(&client, "small", "10m").await;
    placed(&client, "small").await;
    deploy(&client, "large", "500").await;
    let placement = until("a placement is told", async || {
        let told = controller.placements().await;
        told.into_iter().find(|d| d["outcome"] == "Done" && d["related"][2]["name"] == "small")
    })
    .await;
    let name = placement["subject"]["name"].as_str().unwrap();
    let node = placement["chosen"].as_str().unwrap();

    let large = until("a pod that cannot fit is told what would help", async || {
        let listed = controller.ask("/api/v1/decisions?about=Deployment/default/large&reason=Unschedulable").await?;
        let name = listed["decisions"][0]["subject"]["name"].as_str()?.to_owned();
        let why = controller.ask(&format!("/api/v1/why/Pod/default/{name}")).await?;
        why["changes"][0]["sentence"].as_str().is_some_and(|change| change.contains("cpu instead of")).then_some(name)
    })
    .await;
    let (text, code) = keelson(&controller, &["why", &format!("pod/{large}")]);
    assert!(code == 0 && text.contains("Would help:") && text.contains("instead of"), "{text}");
    let waits = async |controller: &Controller| {
        let overview = controller.ask("/api/v1/overview").await?;
        overview["features"][0]["counts"]["waiting"].as_u64()
    };
    until("six pods wait, and more of the evening", async || (waits(&controller).await? >= 6).then_some(())).await;
    for (path, words) in [
        ("Deployment/default/small", "6 pods, all on nodes"),
        ("Deployment.apps/default/large", "6 pods, which all wait for a node"),
        (&format!("Node/-/{node}"), "is ready and holds"),
    ] {
        let subject = controller.ask(&format!("/api/v1/subjects/{path}")).await.unwrap();
        assert!(subject["sentence"].as_str().unwrap().contains(words), "{subject}");
    }
    let about = controller.ask(&format!("/api/v1/decisions?about=Node/-/{node}")).await.unwrap();
    assert!(about["decisions"].as_array().unwrap().iter().any(|d| d["id"] == placement["id"]), "{about}");
    let (text, code) = keelson(&controller, &["replay", placement["id"].as_str().unwrap(), "--mode", "Observe"]);
    assert!(code == 0 && text.contains("comes out otherwise") && text.contains("actions"), "{text}");

    drop(controller);
    let controller = Controller::start(&cluster.kubeconfig(), database, folder.path(), &[]);
    until("the placed pod is still explained", async || {
        let why = controller.ask(&format!("/api/v1/why/Pod/default/{name}")).await?;
        (why["decision"] == placement["id"]).then_some(())
    })
    .await;
    let (text, code) = keelson(&controller, &["why", &format!("pod/{name}")]);
    assert!(code == 0 && text.contains(&format!("Placed on {node}")), "{text}");
    until("the hour is remembered, and who waits is known", async || {
        let overview = controller.ask("/api/v1/overview").await?;
        let counts = &overview["features"][0]["counts"];
        (counts["placed"].as_u64()? >= 6 && counts["waiting"].as_u64()? >= 6).then_some(())
    })
    .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_its_own_tells_how_the_controllers_stand_and_switches_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cluster = Simulated::start(listener, 14, 1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("keelson.db");
    let database = database.to_str().unwrap();
    let controller = Controller::start(&cluster.kubeconfig(), database, folder.path(), &[]);
    until("the controller leads", async || {
        (controller.ask("/api/v1/overview").await?["features"][0]["leading"] == true).then_some(())
    })
    .await;
    let page = Controller::dashboard(&cluster.kubeconfig(), database, folder.path());
    let stands = async |mode: &str| {
        until(&format!("the page says {mode}"), async || {
            let feature = page.ask("/api/v1/overview").await?["features"][0].clone();
            let is = feature["mode"] == mode && feature["ceiling"] == "Enforce" && feature["leading"] == true;
            (is && feature["fence"].as_u64()? > 0).then_some(())
        })
        .await
    };
    stands("Enforce").await;
    for mode in ["Observe", "Enforce"] {
        let body = json!({"mode": mode, "confirm": format!("{mode} scheduling")}).to_string();
        let request = reqwest::Client::new().post(format!("{}/api/v1/features/scheduling/mode", page.page));
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        stands(mode).await;
    }
    cluster.stop().await;
}
