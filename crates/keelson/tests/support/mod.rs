//! A running `keelson up`, and questions to it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

pub mod install;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program under test.
pub const KEELSON: &str = env!("CARGO_BIN_EXE_keelson");

/// A running platform; stopped when dropped.
pub struct Up {
    child: Child,
    /// Where the page is.
    pub page: String,
    /// The cluster's kubeconfig.
    pub kubeconfig: String,
}

impl Up {
    /// Runs `keelson up` with `args` and waits until it says where the page is.
    pub fn start(args: &[&str]) -> Self {
        Self::start_in(&[], args)
    }

    /// The same with more in its environment.
    pub fn start_in(environment: &[(&str, &str)], args: &[&str]) -> Self {
        let mut command = Command::new(KEELSON);
        command.envs(environment.iter().copied());
        Self::start_by(command, args)
    }

    /// The same by a command that runs it, maybe elsewhere.
    pub fn start_by(mut command: Command, args: &[&str]) -> Self {
        let mut child = command
            .args(["up", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("keelson starts");
        let (mut page, mut kubeconfig) = (String::new(), String::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let word = line.split_whitespace().last().unwrap_or_default().to_owned();
            if line.contains("http://") {
                page = word;
            } else if line.contains("KUBECONFIG=") {
                kubeconfig = word.rsplit('=').next().unwrap().to_owned();
            } else if line.contains("Ctrl-C") {
                break;
            }
        }
        assert!(!page.is_empty(), "keelson up ended before it said where the page is");
        Self { child, page, kubeconfig }
    }

    /// What `keelson` with `args` prints, and its exit code.
    pub fn ask(&self, args: &[&str]) -> (String, i32) {
        self.ask_by(Command::new(KEELSON), args)
    }

    /// The same by a command that runs it, maybe elsewhere.
    pub fn ask_by(&self, mut command: Command, args: &[&str]) -> (String, i32) {
        let output = command.args(args).args(["--server", &self.page]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (text, output.status.code().unwrap_or(-1))
    }

    /// The decisions that `filters` name, as the server has them.
    pub fn decisions(&self, filters: &[&str]) -> Vec<Value> {
        let mut args = vec!["decisions", "-o", "json", "--limit", "200"];
        args.extend(filters);
        let (text, code) = self.ask(&args);
        assert_eq!(code, 0, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["decisions"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Waits until `check` says something, for at most `seconds`; prints how long that took.
pub fn until<T>(what: &str, seconds: u64, mut check: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        if let Some(found) = check() {
            println!("after {:.1} s: {what}", began.elapsed().as_secs_f64());
            return found;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("not within {seconds} s: {what}");
}

/// The library of Debian's faketime, which lies in a folder of the machine's architecture: preloaded, it makes clocks
/// wrong.
pub fn faketime() -> String {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|path| path.exists());
    found.expect("install the Debian package faketime").display().to_string()
}

/// The services of Online Boutique that pods are made for.
pub const BOUTIQUE: [&str; 11] = [
    "adservice",
    "cartservice",
    "checkoutservice",
    "currencyservice",
    "emailservice",
    "frontend",
    "paymentservice",
    "productcatalogservice",
    "recommendationservice",
    "redis-cart",
    "shippingservice",
];
