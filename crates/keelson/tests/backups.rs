//! `keelson store backup` and `restore`, as they are typed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use keelson_core::Feature;
use keelson_store::{SqliteStore, Store};

fn keelson(args: &[&str], folder: &Path) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keelson"));
    let output =
        command.args(["store"]).args(args).current_dir(folder).env_remove("KEELSON_DATABASE").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[tokio::test]
async fn a_store_goes_into_a_file_and_comes_back_and_every_refusal_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let run = |args: &[&str]| keelson(args, dir.path());
    let store = SqliteStore::open(&at("one.db")).await.unwrap();
    store.state_put(Feature::Scheduling, "k", 0, 7, b"kept").await.unwrap();

    let (output, said) = run(&["backup", "one.backup", "--database", "one.db"]);
    assert!(output.status.success() && said.contains("backed up 0 decisions, 0 recordings, 1 states"), "{said}");
    assert_eq!(at("one.backup").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let (output, said) = run(&["restore", "one.backup", "--database", "two.db"]);
    assert!(output.status.success() && said.contains("restored 0 decisions, 0 recordings, 1 states"), "{said}");
    let two = SqliteStore::open(&at("two.db")).await.unwrap();
    assert_eq!(two.state_get(Feature::Scheduling, "k").await.unwrap().unwrap().bytes, b"kept");
    two.close().await;

    for (args, words) in [
        (["backup", "one.backup", "--database", "one.db"], "name a file that is not there yet"),
        (["backup", "x.backup", "--database", "none.db"], "none.db"),
        (["restore", "one.backup", "--database", "two.db"], "the store is not empty; restore into a new one"),
        (["restore", "none.backup", "--database", "new.db"], "none.backup cannot be read"),
        (["restore", "one.db", "--database", "new.db"], "no backup of keelson"),
    ] {
        let (output, said) = run(&args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(words) && said.trim().lines().count() == 1, "{args:?}: {said}");
    }
    assert!(!at("none.db").exists() && !at("x.backup").exists(), "what fails leaves nothing behind");

    let mut out = Command::new(env!("CARGO_BIN_EXE_keelson"));
    out.args(["store", "backup", "-", "--database", "one.db"]).current_dir(dir.path());
    let mut out = out.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut into = Command::new(env!("CARGO_BIN_EXE_keelson"));
    into.args(["store", "restore", "-", "--database", "three.db"]).current_dir(dir.path());
    let into = into.stdin(out.stdout.take().unwrap()).output().unwrap();
    assert!(into.status.success() && out.wait().unwrap().success(), "one pipes into the other");
}

#[tokio::test]
async fn a_store_of_an_older_keelson_is_not_brought_up_to_date_by_backing_it_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("old.db")).await.unwrap();
    store.close().await;
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("old.db"));
    conn = conn.create_if_missing(false);
    let mut conn = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&conn).await.unwrap();
    sqlx::raw_sql("DELETE FROM schema_meta WHERE version > 2").execute(&mut conn).await.unwrap();
    let (output, said) = keelson(&["backup", "old.backup", "--database", "old.db"], dir.path());
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the store has schema 2") && said.contains("use the keelson that runs on it"), "{said}");
    let version: i64 = sqlx::query_scalar("SELECT MAX(version) FROM schema_meta").fetch_one(&mut conn).await.unwrap();
    assert_eq!(version, 2);
}
