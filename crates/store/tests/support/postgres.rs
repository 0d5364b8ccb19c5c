//! A PostgreSQL server for one test: its own folder, a unix socket and no network; gone when dropped.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

use keelson_store::PostgresStore;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tempfile::TempDir;

const BIN: &str = "/usr/lib/postgresql/15/bin";

pub(crate) struct Server {
    dir: TempDir,
}

/// Runs a server program; PostgreSQL refuses to run as root, so root becomes the user postgres.
fn run(program: &str, args: &[&str]) {
    let path = Path::new(BIN).join(program);
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = if is_root { Command::new("runuser") } else { Command::new(&path) };
    if is_root {
        command.args(["-u", "postgres", "--"]).arg(&path);
    }
    // The server outlives pg_ctl: with pipes for output, waiting for their end would wait for the server.
    let status = command.args(args).current_dir("/").stdout(std::process::Stdio::null()).status().unwrap();
    assert!(status.success(), "{program} {args:?} failed");
}

impl Server {
    fn folder() -> Self {
        assert!(Path::new(BIN).exists(), "{BIN} is missing; run: apt-get install -y postgresql-15");
        let dir = tempfile::tempdir().unwrap();
        if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
            assert!(Command::new("chown").arg("postgres").arg(dir.path()).status().unwrap().success());
        }
        Self { dir }
    }

    pub(crate) fn start() -> Self {
        let server = Self::folder();
        let data = server.data();
        let data = data.to_str().unwrap();
        run("initdb", &["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]);
        server.go_on();
        server
    }

    /// Starts the server, for the first time or after [`Server::crash`].
    pub(crate) fn go_on(&self) {
        let options = format!("-c listen_addresses='' -c fsync=off -k {}", self.dir.path().display());
        let (data, log) = (self.data(), self.dir.path().join("log"));
        run("pg_ctl", &["start", "-w", "-D", data.to_str().unwrap(), "-l", log.to_str().unwrap(), "-o", &options]);
    }

    /// A standby that follows this server by streaming; from then on a commit waits until the standby has it.
    pub(crate) async fn standby(&self) -> Self {
        let standby = Self::folder();
        let (socket, data) = (self.socket().to_str().unwrap(), standby.data());
        let copy = [
            "-h",
            socket,
            "-U",
            "postgres",
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
            "-D",
            data.to_str().unwrap(),
        ];
        run("pg_basebackup", &copy);
        standby.go_on();
        self.run_sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        self.run_sql("postgres", "SELECT pg_reload_conf()").await;
        let mut conn = PgConnection::connect_with(&self.options("postgres")).await.unwrap();
        let follows = "SELECT COUNT(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while sqlx::query_scalar::<_, i64>(follows).fetch_one(&mut conn).await.unwrap() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        standby
    }

    /// Makes a standby the server that takes writes.
    pub(crate) fn promote(&self) {
        run("pg_ctl", &["promote", "-w", "-D", self.data().to_str().unwrap()]);
    }

    /// Ends the server as an upgrade does, and starts it again.
    pub(crate) fn restart(&self) {
        run("pg_ctl", &["stop", "-m", "fast", "-D", self.data().to_str().unwrap()]);
        self.go_on();
    }

    /// Ends the server without letting it finish anything.
    pub(crate) fn crash(&self) {
        run("pg_ctl", &["stop", "-m", "immediate", "-D", self.data().to_str().unwrap()]);
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The folder of its socket.
    pub(crate) fn socket(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new().socket(self.dir.path()).username("postgres").database(database)
    }

    pub(crate) async fn run_sql(&self, database: &str, sql: &str) {
        let mut conn = PgConnection::connect_with(&self.options(database)).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    /// A store in a fresh database; names are cut to what PostgreSQL allows.
    pub(crate) async fn store(&self, name: &str) -> PostgresStore {
        let name = &name[..name.len().min(60)];
        self.run_sql("postgres", &format!("CREATE DATABASE {name}")).await;
        PostgresStore::connect(self.options(name)).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.crash();
        }
    }
}
