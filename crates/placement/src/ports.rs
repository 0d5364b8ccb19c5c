//! Ports that pods take on the node itself.
//!
//! Two pods on one node may not take the same port of the same protocol on the same address; `0.0.0.0` stands for every
//! address of the node. A port without a protocol is TCP.
//!
//! Promise: the relation is symmetric, so it does not matter which of two pods came first.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The address that stands for every address of the node.
pub const ANY_ADDRESS: &str = "0.0.0.0";

/// The transport protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Protocol {
    /// What an empty protocol means.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// Datagrams.
    #[serde(rename = "UDP")]
    Udp,
    /// Stream control.
    #[serde(rename = "SCTP")]
    Sctp,
}

impl Protocol {
    /// The word as Kubernetes writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// A port a pod takes on its node. Displayed as `8080/TCP`, or `10.0.0.1:8080/TCP` on one address alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostPort {
    /// The port number; 0 takes nothing.
    pub port: u16,
    /// The protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address; empty means [`ANY_ADDRESS`].
    #[serde(default)]
    pub address: String,
}

impl HostPort {
    /// A TCP port on every address.
    #[must_use]
    pub fn tcp(port: u16) -> Self {
        Self { port, protocol: Protocol::Tcp, address: String::new() }
    }

    /// The same port of another protocol.
    #[must_use]
    pub fn over(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// The same port on one address.
    #[must_use]
    pub fn on(mut self, address: &str) -> Self {
        self.address = address.into();
        self
    }

    fn is_on_every_address(&self) -> bool {
        self.address.is_empty() || self.address == ANY_ADDRESS
    }

    /// Whether both cannot be taken on one node.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.port != 0
            && self.port == other.port
            && self.protocol == other.protocol
            && (self.is_on_every_address() || other.is_on_every_address() || self.address == other.address)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_on_every_address() {
            write!(f, "{}/{}", self.port, self.protocol.as_str())
        } else {
            write!(f, "{}:{}/{}", self.address, self.port, self.protocol.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn ports_clash_on_the_same_address_protocol_and_number() {
        let rows = [
            (HostPort::tcp(80), HostPort::tcp(80), true),
            (HostPort::tcp(80), HostPort::tcp(81), false),
            (HostPort::tcp(80), HostPort::tcp(80).over(Protocol::Udp), false),
            (HostPort::tcp(80).on("10.0.0.1"), HostPort::tcp(80).on("10.0.0.2"), false),
            (HostPort::tcp(80).on("10.0.0.1"), HostPort::tcp(80).on("10.0.0.1"), true),
            (HostPort::tcp(80).on("0.0.0.0"), HostPort::tcp(80).on("10.0.0.1"), true),
            (HostPort::tcp(80), HostPort::tcp(80).on("10.0.0.1"), true),
            (HostPort::tcp(0), HostPort::tcp(0), false),
        ];
        for (a, b, expected) in rows {
            assert_eq!(a.conflicts_with(&b), expected, "{a} {b}");
            assert_eq!(b.conflicts_with(&a), expected, "{b} {a}");
        }
    }

    #[test]
    fn a_port_without_a_protocol_is_tcp() {
        assert_eq!(serde_json::from_str::<HostPort>(r#"{"port":53}"#).unwrap(), HostPort::tcp(53));
    }
}
