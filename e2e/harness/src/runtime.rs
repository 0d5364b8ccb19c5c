//! Configuration of what runs on a real node: containerd, the CNI plugins, kubelet and kube-proxy.
//!
//! Promises: text in, text out. Each setting that is not a default says why it is there.

use std::path::Path;

use keelson_image::Image;
use serde_json::json;

use crate::access::KUBELET_CLIENT;

/// The image that holds a pod's namespaces.
pub const PAUSE: &str = "keelson.local/pause:1";
/// Address of the cluster's name server.
pub const NAME_SERVER: &str = "10.96.0.10";

/// The image behind [`PAUSE`].
#[must_use]
pub fn pause() -> Image {
    Image { name: PAUSE.into(), args: vec!["wait".into()], ..Image::default() }
}

/// containerd's: runc by its name on PATH, no systemd, nothing of this machine's `/opt`.
#[must_use]
pub fn containerd(programs: &Path, home: &Path) -> String {
    // Raising a score needs a capability that this machine may not give; without the restriction no sandbox starts.
    format!(
        r#"version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{PAUSE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  BinaryName = "runc"
  SystemdCgroup = false
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["{programs}"]
  conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.internal.v1.opt"]
  path = "{home}/opt"
"#,
        programs = programs.display(),
        home = home.display()
    )
}

/// The CNI chain: a bridge whose pods keep their addresses, host ports, and bandwidth annotations.
#[must_use]
pub fn cni(pods: &str) -> String {
    json!({
        "cniVersion": "1.0.0", "name": "keelson", "plugins": [
            {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}]}},
            {"type": "portmap", "capabilities": {"portMappings": true}},
            {"type": "bandwidth", "capabilities": {"bandwidth": true}},
        ],
    })
    .to_string()
}

/// kubelet's: cgroups below `group`, in either version; images that are never collected, for nothing can be pulled; and
/// the API server asked who a caller is and what it may, as in production.
#[must_use]
pub fn kubelet(group: &str, folder: &Path) -> String {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "failCgroupV1": false, "cgroupDriver": "cgroupfs", "cgroupRoot": group, "failSwapOn": false,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "authentication": {"anonymous": {"enabled": false}, "webhook": {"enabled": true},
            "x509": {"clientCAFile": folder.join(KUBELET_CLIENT)}},
        "authorization": {"mode": "Webhook"},
        "resolvConf": "", "clusterDNS": [NAME_SERVER], "clusterDomain": "cluster.local",
        // A test machine's disk is shared with its builds: being nearly full is no reason to evict.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "5s", "syncFrequency": "10s",
    })
    .to_string()
}

/// kube-proxy's: nftables, and no connection-tracking limits, which belong to the whole machine.
#[must_use]
pub fn proxy(node: &str, kubeconfig: &Path) -> String {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "mode": "nftables", "clientConnection": {"kubeconfig": kubeconfig},
        "clusterCIDR": "10.244.0.0/16", "hostnameOverride": node,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    })
    .to_string()
}
