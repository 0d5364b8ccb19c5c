//! The rows of a container or init container.

use super::{Row, Rule, Verdict, implemented, neutral, refused};

const PROCESS: &str = "how its processes run, not where";
const PORTS: &str = "ports taken on the node";

/// Paths below one item of `spec.containers` or `spec.initContainers`.
pub(super) const ROWS: &[Row] = &[
    neutral("args", PROCESS),
    neutral("command", PROCESS),
    neutral("env", PROCESS),
    neutral("envFrom", PROCESS),
    implemented("image", "a node that has it is preferred"),
    neutral("imagePullPolicy", "how images are pulled"),
    neutral("lifecycle", PROCESS),
    neutral("livenessProbe", PROCESS),
    neutral("name", PROCESS),
    implemented("ports[].containerPort", "a port of the node when the pod uses the host's network"),
    implemented("ports[].hostIP", PORTS),
    implemented("ports[].hostPort", PORTS),
    neutral("ports[].name", PROCESS),
    implemented("ports[].protocol", PORTS),
    neutral("readinessProbe", PROCESS),
    neutral("resizePolicy", "what happens when it is resized later"),
    refused("resources.claims", "dynamic resource allocation is not implemented"),
    implemented("resources.limits", "stands for a missing request"),
    implemented("resources.requests", "must be free on the node"),
    implemented("restartPolicy", "an init container that is always restarted is a sidecar and keeps its requests"),
    Row {
        path: "restartPolicyRules[].action",
        rule: Rule::Value(&[("RestartAllContainers", Verdict::Refused)], Verdict::Neutral),
        why: "restarting all containers needs a node that declares it; declared features are not implemented",
    },
    neutral("restartPolicyRules[].exitCodes", PROCESS),
    neutral("securityContext", PROCESS),
    neutral("startupProbe", PROCESS),
    neutral("stdin", PROCESS),
    neutral("stdinOnce", PROCESS),
    neutral("terminationMessagePath", PROCESS),
    neutral("terminationMessagePolicy", PROCESS),
    neutral("tty", PROCESS),
    neutral("volumeDevices", "the volume itself is judged"),
    neutral("volumeMounts", "the volume itself is judged"),
    neutral("workingDir", PROCESS),
];
