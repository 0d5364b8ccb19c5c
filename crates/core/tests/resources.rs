//! Resource vectors: what is short, by how much, and in whose words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;

use keelson_core::quantity::Quantity;
use keelson_core::resources::{ResourceName, Resources};
use proptest::prelude::*;

fn resources(list: &[(&str, &str)]) -> Resources {
    let map: BTreeMap<String, Quantity> = list.iter().map(|(n, q)| ((*n).to_owned(), q.parse().unwrap())).collect();
    Resources::from_quantities(&map)
}

fn words(request: &Resources, free: &Resources) -> Vec<String> {
    request.shortfalls(free).iter().map(ToString::to_string).collect()
}

#[test]
fn a_shortfall_says_what_is_needed_free_and_missing() {
    let request = resources(&[("cpu", "500m"), ("memory", "2Gi"), ("nvidia.com/gpu", "1"), ("pods", "1")]);
    let free = resources(&[("cpu", "380m"), ("memory", "1.5Gi"), ("pods", "3")]);
    assert_eq!(
        words(&request, &free),
        [
            "needs 500m cpu, 380m free: short 120m",
            "needs 2Gi memory, 1.5Gi free: short 512Mi",
            "needs 1 nvidia.com/gpu, 0 free: short 1"
        ]
    );
    assert!(!request.fits(&free));
}

#[test]
fn a_request_of_nothing_is_never_short() {
    let overcommitted = Resources::new().with(ResourceName::Cpu, -5);
    assert!(resources(&[("cpu", "0")]).shortfalls(&overcommitted).is_empty());
    assert_eq!(words(&resources(&[("cpu", "1m")]), &overcommitted), ["needs 1m cpu, -5m free: short 6m"]);
}

#[test]
fn cpu_rounds_up_to_millicores_and_the_rest_to_units() {
    let read = resources(&[("cpu", "100.1m"), ("memory", "0.5"), ("example.com/license", "1500m")]);
    assert_eq!(read.get(&ResourceName::Cpu), 101);
    assert_eq!(read.get(&ResourceName::Memory), 1);
    assert_eq!(read.get(&"example.com/license".into()), 2);
    assert_eq!(read.get(&ResourceName::Pods), 0);
}

#[test]
fn names_are_read_and_printed_as_kubernetes_writes_them() {
    for name in ["cpu", "memory", "ephemeral-storage", "pods", "hugepages-2Mi"] {
        let read: ResourceName = name.parse().unwrap();
        assert_eq!(read.to_string(), name);
    }
    assert_eq!("pods".parse::<ResourceName>(), Ok(ResourceName::Pods));
}

#[test]
fn json_is_a_map_of_quantities_in_a_fixed_order() {
    let json = r#"{"pods":"110","example.com/x":"3","memory":"1048576Ki","hugepages-2Mi":"2Mi","cpu":4}"#;
    let read: Resources = serde_json::from_str(json).unwrap();
    assert_eq!(
        serde_json::to_string(&read).unwrap(),
        r#"{"cpu":"4","memory":"1Gi","pods":"110","example.com/x":"3","hugepages-2Mi":"2Mi"}"#
    );
    assert_eq!(read.to_string(), "4 cpu, 1Gi memory, 110 pods, 3 example.com/x, 2Mi hugepages-2Mi");
    assert_eq!(Resources::new().to_string(), "nothing");
}

#[test]
fn the_larger_of_two_vectors_counts_a_missing_resource_as_zero() {
    let one = Resources::new().with(ResourceName::Cpu, 3).with(ResourceName::Memory, -1);
    let two = Resources::new().with(ResourceName::Cpu, 5).with(ResourceName::Pods, -2);
    let largest = one.max(&two);
    assert_eq!(largest, two.max(&one));
    assert_eq!((largest.get(&ResourceName::Cpu), largest.get(&ResourceName::Memory)), (5, 0));
}

fn vector() -> impl Strategy<Value = Resources> {
    let name =
        prop::sample::select(vec!["cpu", "memory", "ephemeral-storage", "pods", "example.com/a", "hugepages-2Mi"]);
    let amount = prop_oneof![-1_000_000_i64..1_000_000, any::<i64>()];
    prop::collection::vec((name.prop_map(ResourceName::from), amount), 0..6).prop_map(|list| list.into_iter().collect())
}

proptest! {
    #![proptest_config(support::cases(2_000))]

    #[test]
    fn sums_do_not_depend_on_order(a in vector(), b in vector()) {
        prop_assert_eq!(a.add(&b), b.add(&a));
        prop_assert_eq!(a.max(&b), b.max(&a));
    }

    #[test]
    fn fitting_means_no_shortfall(request in vector(), free in vector()) {
        prop_assert_eq!(request.fits(&free), request.shortfalls(&free).is_empty());
        for short in request.shortfalls(&free) {
            prop_assert!(short.missing() > 0 && !short.to_string().is_empty());
        }
    }

    #[test]
    fn amounts_survive_json(a in vector()) {
        let read: Resources = serde_json::from_str(&serde_json::to_string(&a).unwrap()).unwrap();
        for (name, amount) in a.iter() {
            prop_assert!(read.get(name) == amount || amount == i64::MIN);
        }
    }
}
