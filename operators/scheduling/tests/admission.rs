//! The admission policy, in an API server that runs it: it says at once what the scheduler would say later.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use keelson_core::Mode;
use keelson_scheduling::fields::{OnRefused, admission_policy, judge_manifest};
use keelson_sim::objects::{Cluster, Resource, Write};
use keelson_sim::world::kinds::PODS;
use serde_json::{Value, json};
use support::{Scene, seconds};

const GROUP: &str = "admissionregistration.k8s.io";
const POLICIES: Resource = Resource { group: GROUP, plural: "validatingadmissionpolicies" };
const BINDINGS: Resource = Resource { group: GROUP, plural: "validatingadmissionpolicybindings" };

fn term() -> Value {
    json!([{"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}])
}

fn spread(when: &str) -> Value {
    json!({"topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": when, "labelSelector": {"matchLabels": {"a": "b"}}},
    ]})
}

#[tokio::test(start_paused = true)]
async fn a_refused_field_is_turned_away_at_the_door_and_nothing_else_is() {
    let scene = Scene::new(9, Mode::Enforce);
    let mut made = admission_policy("keelson", OnRefused::Deny).into_iter();
    scene.create(POLICIES, made.next().unwrap());
    scene.create(BINDINGS, made.next().unwrap());
    seconds(5).await;
    let cases = [
        json!({}),
        json!({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "c"}}]}),
        json!({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "c"}}]}),
        json!({"volumes": [{"name": "a", "csi": {"driver": "example.com"}}]}),
        json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term()}}}),
        json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term()}}}),
        json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": term()[0]},
        ]}}}),
        spread("DoNotSchedule"),
        spread("ScheduleAnyway"),
        json!({"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]}),
        json!({"tolerations": [{"key": "k", "operator": "Exists"}]}),
        json!({"hostUsers": false}),
        json!({"hostUsers": false, "hostNetwork": true}),
    ];
    let mut denied = 0;
    for (number, case) in cases.into_iter().enumerate() {
        for scheduler in ["keelson", "default-scheduler"] {
            let mut spec = json!({"schedulerName": scheduler, "containers": [{"name": "c", "image": "web"}]});
            for (key, value) in case.as_object().unwrap() {
                spec[key] = value.clone();
            }
            let pod =
                json!({"metadata": {"name": format!("p{number}-{scheduler}"), "namespace": "shop"}, "spec": spec});
            let refused = scheduler == "keelson" && !judge_manifest(&pod).is_empty();
            let answer = scene.shared.with(|api, now| api.cluster(now).write(Write::Create(PODS, pod)));
            assert_eq!(answer.is_err(), refused, "{scheduler} {case}: {answer:?}");
            if let Err(refusal) = answer {
                denied += 1;
                assert!(
                    refusal.message.contains("schedulerName keelson cannot place such a pod"),
                    "{}",
                    refusal.message
                );
            }
        }
    }
    assert_eq!(denied, 2);
}
