//! Asking the API as a client would, without a face.
#![allow(dead_code)]

use bytes::Bytes;
use http::Request;
use keelson_core::Timestamp;
use keelson_sim::api::{Api, Config, Reply};
use serde_json::{Value, json};

/// A client and its moment.
pub struct Asking {
    pub api: Api,
    pub now: Timestamp,
    pub token: Option<String>,
}

impl Asking {
    pub fn new() -> Self {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        Self { api: Api::new(Config::default()), now, token: None }
    }

    pub fn send(&mut self, method: &str, path: &str, content_type: &str, body: &Value) -> Reply {
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut request = Request::builder().method(method).uri(path).header("content-type", content_type);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.api.handle(self.now, request.body(bytes).unwrap())
    }

    pub fn ask(&mut self, method: &str, path: &str, content_type: &str, body: &Value) -> (u16, Value) {
        match self.send(method, path, content_type, body) {
            Reply::Response(response) => {
                let code = response.status().as_u16();
                (code, serde_json::from_slice(response.body()).unwrap_or(Value::Null))
            }
            Reply::Watch(_) => panic!("{method} {path} is a watch"),
        }
    }

    pub fn ok(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let (code, answer) = self.ask(method, path, "application/json", body);
        assert!((200..300).contains(&code), "{method} {path}: {code} {answer}");
        answer
    }

    pub fn fails(&mut self, wanted: u16, method: &str, path: &str, body: &Value) -> Value {
        let (code, answer) = self.ask(method, path, "application/json", body);
        assert_eq!(code, wanted, "{method} {path}: {answer}");
        answer
    }

    pub fn merge(&mut self, path: &str, patch: &Value) -> Value {
        let (code, answer) = self.ask("PATCH", path, "application/merge-patch+json", patch);
        assert_eq!(code, 200, "PATCH {path}: {answer}");
        answer
    }

    pub fn apply(&mut self, path: &str, manager: &str, force: bool, object: &Value) -> (u16, Value) {
        let path = format!("{path}?fieldManager={manager}&force={force}");
        self.ask("PATCH", &path, "application/apply-patch+yaml", object)
    }

    /// Every frame of a watch that ends by itself, in virtual time.
    pub fn watch(&mut self, path: &str) -> Vec<Value> {
        let Reply::Watch(plan) = self.send("GET", path, "application/json", &Value::Null) else {
            panic!("{path} is no watch");
        };
        let mut frames = Vec::new();
        let mut at = self.now;
        loop {
            let next = self.api.watch_next(plan.id, at);
            frames.extend(next.frames.iter().map(|frame| serde_json::from_slice::<Value>(frame).unwrap()));
            if next.ended {
                return frames;
            }
            at = next.due.expect("the watch ends by itself");
        }
    }
}

pub fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}})
}
