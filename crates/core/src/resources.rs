//! Resource vectors in integers: what is requested, what is free, and what is missing.
//!
//! cpu is counted in millicores, network in bits a second, everything else in whole units (bytes for memory and storage).
//! Adding a fraction up happens once, when a quantity is read; from then on sums are exact and independent of their order.
//!
//! Promises: no arithmetic overflows (it saturates); a resource that is not listed counts as zero; iteration, printing
//! and serialisation follow the order cpu, memory, ephemeral-storage, pods, egress, ingress, then the others by name.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::quantity::Quantity;

/// What a resource is called. Read names with [`ResourceName::from`] or `parse`: they never put `cpu` into `Scalar`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceName {
    /// `cpu`, in millicores.
    Cpu,
    /// `memory`, in bytes.
    Memory,
    /// `ephemeral-storage`, in bytes.
    EphemeralStorage,
    /// `pods`, a count.
    Pods,
    /// What is sent over the network, in bits a second: `bandwidth.keelson.dev/egress`.
    Egress,
    /// What is received over the network, in bits a second: `bandwidth.keelson.dev/ingress`.
    Ingress,
    /// Any other: extended resources, huge pages, attachable volumes; in whole units.
    Scalar(String),
}

impl ResourceName {
    /// The name Kubernetes uses.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
            Self::Pods => "pods",
            Self::Egress => "bandwidth.keelson.dev/egress",
            Self::Ingress => "bandwidth.keelson.dev/ingress",
            Self::Scalar(name) => name,
        }
    }

    /// The name in a sentence: short where Kubernetes' is not.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
            other => other.as_str(),
        }
    }

    /// The integer this resource is counted in: millicores for cpu, whole units otherwise; fractions round up.
    #[must_use]
    pub const fn amount_of(&self, quantity: &Quantity) -> i64 {
        match self {
            Self::Cpu => quantity.milli(),
            _ => quantity.value(),
        }
    }

    /// The quantity that `amount` of this resource is written as.
    #[must_use]
    pub fn quantity(&self, amount: i64) -> Quantity {
        match self {
            Self::Cpu => Quantity::from_milli(amount),
            _ if self.is_in_bytes() => Quantity::from_bytes(amount),
            _ => Quantity::from_value(amount),
        }
    }

    fn is_in_bytes(&self) -> bool {
        match self {
            Self::Memory | Self::EphemeralStorage => true,
            Self::Scalar(name) => name.starts_with("hugepages-"),
            Self::Cpu | Self::Pods | Self::Egress | Self::Ingress => false,
        }
    }

    /// The amount as people read it: bytes that no unit divides are given in tenths of the largest one (rounded `up` or
    /// down), cores with a point; still a quantity that Kubernetes reads. Rates are given as the network's people write them.
    ///
    /// ```
    /// use keelson_core::{ResourceName, resources::Round};
    /// assert_eq!(ResourceName::Memory.readable(53_101_901_907, Round::Down), "49.4Gi");
    /// assert_eq!(ResourceName::Memory.readable(53_101_901_907, Round::Up), "49.5Gi");
    /// assert_eq!(ResourceName::Memory.readable(64 << 30, Round::Up), "64Gi");
    /// assert_eq!(ResourceName::Cpu.readable(13_660, Round::Down), "13.66");
    /// assert_eq!(ResourceName::Cpu.readable(500, Round::Down), "500m");
    /// assert_eq!(ResourceName::Egress.readable(1_250_000_000, Round::Down), "1.25 Gbit/s");
    /// ```
    #[must_use]
    pub fn readable(&self, amount: i64, round: Round) -> String {
        let exact = self.quantity(amount).to_string();
        match self {
            Self::Egress | Self::Ingress => rate(amount, round),
            Self::Cpu if amount.unsigned_abs() > 1_000 && amount % 1_000 != 0 => {
                let sign = if amount < 0 { "-" } else { "" };
                let (cores, milli) = (amount.unsigned_abs() / 1_000, amount.unsigned_abs() % 1_000);
                format!("{sign}{cores}.{}", format!("{milli:03}").trim_end_matches('0'))
            }
            Self::Cpu => exact,
            _ if self.is_in_bytes() && exact.len() > 5 => in_tenths(amount, round),
            _ => exact,
        }
    }
}

/// Which way a shortened amount goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Never more than there is.
    Down,
    /// Never less than is missing.
    Up,
}

/// Bits a second in hundredths of the largest decimal unit that they fill.
fn rate(bits: i64, round: Round) -> String {
    const UNITS: [(&str, i128); 5] = [
        ("Pbit/s", 1_000_000_000_000_000),
        ("Tbit/s", 1_000_000_000_000),
        ("Gbit/s", 1_000_000_000),
        ("Mbit/s", 1_000_000),
        ("kbit/s", 1_000),
    ];
    let size = i128::from(bits).abs();
    let Some((unit, scale)) = UNITS.into_iter().find(|(_, scale)| size >= *scale) else {
        return format!("{bits} bit/s");
    };
    let up = (round == Round::Up) == (bits > 0);
    let hundredths = (size * 100 + if up { scale - 1 } else { 0 }) / scale;
    let sign = if bits < 0 { "-" } else { "" };
    let point = format!(".{:02}", hundredths % 100);
    format!("{sign}{}{} {unit}", hundredths / 100, point.trim_end_matches('0').trim_end_matches('.'))
}

/// Bytes in tenths of the largest binary unit that they fill.
fn in_tenths(bytes: i64, round: Round) -> String {
    const UNITS: [(&str, u32); 6] = [("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let size = i128::from(bytes).abs();
    let Some((unit, shift)) = UNITS.into_iter().find(|(_, shift)| size >> shift > 0) else {
        return bytes.to_string();
    };
    let up = (round == Round::Up) == (bytes > 0);
    let tenths = (size * 10 + if up { (1 << shift) - 1 } else { 0 }) >> shift;
    let sign = if bytes < 0 { "-" } else { "" };
    match tenths % 10 {
        0 => format!("{sign}{}{unit}", tenths / 10),
        tenth => format!("{sign}{}.{tenth}{unit}", tenths / 10),
    }
}

impl From<&str> for ResourceName {
    fn from(name: &str) -> Self {
        match name {
            "cpu" => Self::Cpu,
            "memory" => Self::Memory,
            "ephemeral-storage" => Self::EphemeralStorage,
            "pods" => Self::Pods,
            "bandwidth.keelson.dev/egress" => Self::Egress,
            "bandwidth.keelson.dev/ingress" => Self::Ingress,
            other => Self::Scalar(other.to_owned()),
        }
    }
}

impl FromStr for ResourceName {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(name))
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ResourceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResourceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::from(name.as_str()))
    }
}

/// Amounts by resource. Two vectors are equal when they list the same resources with the same amounts.
///
/// ```
/// use keelson_core::{ResourceName, Resources};
/// let request = Resources::new().with(ResourceName::Cpu, 500);
/// let free = Resources::new().with(ResourceName::Cpu, 380);
/// assert_eq!(request.shortfalls(&free)[0].to_string(), "needs 500m cpu, 380m free: short 120m");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Resources(BTreeMap<ResourceName, i64>);

/// One resource of which there is too little. Amounts are in the unit of [`ResourceName`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shortfall {
    /// Which resource.
    pub name: ResourceName,
    /// How much was asked for.
    pub needed: i64,
    /// How much there is; negative when more was promised than exists.
    pub free: i64,
}

impl Shortfall {
    /// What is missing: `needed - free`.
    #[must_use]
    pub const fn missing(&self) -> i64 {
        self.needed.saturating_sub(self.free)
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = self.name.readable(self.needed, Round::Up);
        let free = self.name.readable(self.free, Round::Down);
        let missing = self.name.readable(self.missing(), Round::Up);
        write!(f, "needs {needed} {}, {free} free: short {missing}", self.name.word())
    }
}

impl Resources {
    /// Nothing of anything.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Reads a `requests`, `limits` or `allocatable` map.
    #[must_use]
    pub fn from_quantities(quantities: &BTreeMap<String, Quantity>) -> Self {
        quantities.iter().map(|(name, quantity)| (name.as_str(), quantity)).collect()
    }

    /// The amounts as quantities, by name.
    #[must_use]
    pub fn to_quantities(&self) -> BTreeMap<String, Quantity> {
        self.iter().map(|(name, amount)| (name.to_string(), name.quantity(amount))).collect()
    }

    /// The amount of one resource; zero when it is not listed.
    #[must_use]
    pub fn get(&self, name: &ResourceName) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Sets the amount of one resource.
    pub fn set(&mut self, name: ResourceName, amount: i64) {
        self.0.insert(name, amount);
    }

    /// Lists one resource no more.
    pub fn unset(&mut self, name: &ResourceName) {
        self.0.remove(name);
    }

    /// The same vector with one amount set.
    #[must_use]
    pub fn with(mut self, name: ResourceName, amount: i64) -> Self {
        self.set(name, amount);
        self
    }

    /// Every listed resource with its amount, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceName, i64)> {
        self.0.iter().map(|(name, amount)| (name, *amount))
    }

    /// Whether no resource is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sum, resource by resource.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.add_assign(other);
        sum
    }

    /// Adds `other` in place.
    pub fn add_assign(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    /// The difference, resource by resource. It saturates at the ends of `i64`, not at zero: what is left of an
    /// overcommitted node is negative.
    #[must_use]
    pub fn saturating_sub(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.combine(other, i64::saturating_sub);
        rest
    }

    /// The larger amount of each resource, as init containers count against the others of a pod. A resource that only
    /// one side lists is compared with zero.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        let mut largest = self.clone();
        largest.combine(other, Ord::max);
        for (name, amount) in &mut largest.0 {
            *amount = (*amount).max(other.get(name));
        }
        largest
    }

    /// Of which resources this request needs more than is free, in order. A resource of which nothing is requested is
    /// never short, even where the free amount is negative.
    #[must_use]
    pub fn shortfalls(&self, free: &Self) -> Vec<Shortfall> {
        self.iter()
            .map(|(name, needed)| (name, needed, free.get(name)))
            .filter(|(_, needed, free)| *needed > 0 && needed > free)
            .map(|(name, needed, free)| Shortfall { name: name.clone(), needed, free })
            .collect()
    }

    /// Whether [`Resources::shortfalls`] is empty, without collecting it.
    #[must_use]
    pub fn fits(&self, free: &Self) -> bool {
        self.iter().all(|(name, needed)| needed <= 0 || needed <= free.get(name))
    }

    fn combine(&mut self, other: &Self, with: impl Fn(i64, i64) -> i64) {
        for (name, amount) in other.iter() {
            match self.0.get_mut(name) {
                Some(mine) => *mine = with(*mine, amount),
                None => {
                    self.0.insert(name.clone(), with(0, amount));
                }
            }
        }
    }
}

impl<'a> FromIterator<(&'a str, &'a Quantity)> for Resources {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a Quantity)>>(quantities: I) -> Self {
        let amount = |(name, quantity): (&str, &Quantity)| {
            let name = ResourceName::from(name);
            let amount = name.amount_of(quantity);
            (name, amount)
        };
        Self(quantities.into_iter().map(amount).collect())
    }
}

impl FromIterator<(ResourceName, i64)> for Resources {
    fn from_iter<I: IntoIterator<Item = (ResourceName, i64)>>(amounts: I) -> Self {
        Self(amounts.into_iter().collect())
    }
}

impl fmt::Display for Resources {
    /// `500m cpu, 1Gi memory`; `nothing` when empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        for (index, (name, amount)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} {name}", name.quantity(amount))?;
        }
        Ok(())
    }
}

impl Serialize for Resources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, amount)| (name, name.quantity(amount))))
    }
}

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, Quantity>::deserialize(deserializer).map(|quantities| Self::from_quantities(&quantities))
    }
}
