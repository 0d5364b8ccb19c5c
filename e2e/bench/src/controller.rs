//! The controller as a process: from its start until it has read the cluster, at rest, and on disk.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use keelson::simulated::Simulated;
use tokio::time::sleep;

use crate::clock::{median, millis, now, resident};
use crate::{Better, Row, Setting};

/// A controller that is killed at the end.
struct Controller(Child);

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &Path, kubeconfig: &Path, folder: &Path, page: SocketAddr) -> Result<Controller> {
    let child = Command::new(program)
        .args(["controller", "--identity", "bench", "--ceiling", "scheduling=Enforce", "--listen", &page.to_string()])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--database")
        .arg(folder.join("keelson.db"))
        .arg("--journal")
        .arg(folder.join("journal"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} does not start; build it with `cargo build --bin keelson`", program.display()))?;
    Ok(Controller(child))
}

fn is_ready(page: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(page)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n")?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// Runs it.
///
/// # Errors
/// When the program does not start or never gets ready.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let (times, rest) = (setting.of(9, 1), setting.of(Duration::from_secs(20), Duration::from_millis(100)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let cluster = Simulated::start(listener, 1, 1).await?;
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, cluster.kubeconfig())?;
        let mut took = Vec::new();
        let mut memory = 0.0;
        for round in 0..times {
            let page = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let begun = now();
            let controller = start(&setting.keelson, &kubeconfig, folder.path(), page)?;
            while !is_ready(page) {
                anyhow::ensure!(begun.elapsed() < Duration::from_secs(60), "not ready within a minute");
                sleep(Duration::from_millis(2)).await;
            }
            took.push(millis(begun.elapsed()));
            if round + 1 == times {
                sleep(rest).await;
                memory = resident(&controller.0.id().to_string());
            }
        }
        cluster.stop().await;
        let size = std::fs::metadata(&setting.keelson)?.len() as f64 / 1e6;
        let how =
            format!("the evening of `keelson up` (36 machines) over HTTPS on loopback, SQLite; median of {times}");
        let here = std::env::current_dir()?;
        let program = setting.keelson.strip_prefix(&here).unwrap_or(&setting.keelson);
        let shipped = format!("{}, with the page in it", program.display());
        let still = format!("resident {rest:?} after it was ready, leading");
        Ok(vec![
            Row::new("controller: start to ready, caches read", median(&mut took), "ms", Better::Lower, &how)
                .goal(300.0),
            Row::new("controller: resident memory at rest", memory, "MB", Better::Lower, &still).goal(40.0),
            Row::new("the stripped binary", size, "MB", Better::Lower, &shipped).goal(40.0),
        ])
    })
}
