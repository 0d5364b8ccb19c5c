//! What NodePorts looks at.

use serde_json::{Value, json};

use super::{Making, items, push};

impl Making {
    pub(super) fn ports(&mut self, pod: &mut Value) {
        if !self.dice.chance(60) {
            return;
        }
        let host_network = self.dice.chance(10);
        if host_network {
            pod["spec"]["hostNetwork"] = json!(true);
        }
        if self.dice.chance(25) {
            let mut init =
                json!({"name": "init", "image": "registry.example/app:1", "ports": [self.port(host_network)]});
            if self.dice.chance(60) {
                init["restartPolicy"] = json!("Always");
            }
            push(&mut pod["spec"]["initContainers"], init);
        }
        let mut taken: Vec<Value> = Vec::new();
        for container in items(&mut pod["spec"]["containers"]) {
            for _ in self.dice.times(0, 2) {
                let port = self.port(host_network);
                // A pod may not take a port of its own twice.
                let same = |other: &Value| ["containerPort", "hostIP"].iter().all(|key| other[*key] == port[*key]);
                if !taken.iter().any(same) {
                    taken.push(port.clone());
                    push(&mut container["ports"], port);
                }
            }
        }
    }

    fn port(&mut self, host_network: bool) -> Value {
        let dice = &mut self.dice;
        let number = dice.pick(&[8080, 8081, 9090, 53]);
        let mut port = json!({"containerPort": number});
        // On the host's network a container's port is the node's, with or without saying so.
        if dice.chance(if host_network { 50 } else { 80 }) {
            port["hostPort"] = json!(number);
        }
        if dice.chance(60) {
            port["protocol"] = json!(dice.pick(&["TCP", "UDP", "SCTP"]));
        }
        if dice.chance(50) {
            port["hostIP"] = json!(dice.pick(&["0.0.0.0", "127.0.0.1", "10.0.0.1", "::"]));
        }
        port
    }
}
