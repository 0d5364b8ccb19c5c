"""What a Python program does with the kubernetes package: each call is shown with its outcome; the caller compares.

KUBECONFIG is the server.
"""

import json
import time

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException

SPACE = "by-python"


def show(what, call, pick=lambda answer: None):
    """Calls, and prints what is picked of the answer, or the refusal."""
    try:
        answer = call()
        print(f"{what}: {pick(answer)}")
        return answer
    except ApiException as refusal:
        said = json.loads(refusal.body)
        print(f"{what}: {refusal.status} {said.get('reason')}: {said.get('message')}")
    except dynamic.exceptions.DynamicApiError as refusal:
        said = json.loads(refusal.body)
        print(f"{what}: {refusal.status} {said.get('reason')}: {said.get('message')}")


def names(answer):
    return [item.metadata.name for item in answer.items]


def data(answer):
    return answer.data


config.load_kube_config()
core, apps, custom = client.CoreV1Api(), client.AppsV1Api(), client.CustomObjectsApi()
policy = client.PolicyV1Api()
definitions = client.ApiextensionsV1Api()
dyn = dynamic.DynamicClient(client.ApiClient())


def config_map(name, labels, **values):
    return {"metadata": {"name": name, "labels": labels}, "data": values}


print("# create, get, list")
show("namespace", lambda: core.create_namespace({"metadata": {"name": SPACE}}), lambda made: made.status.phase)
while True:
    try:
        core.read_namespaced_service_account("default", SPACE)
        break
    except ApiException:
        time.sleep(0.2)
show("create", lambda: core.create_namespaced_config_map(SPACE, config_map("one", {"app": "a"}, key="value")), data)
show("again", lambda: core.create_namespaced_config_map(SPACE, config_map("one", {"app": "a"})), data)
show("second", lambda: core.create_namespaced_config_map(SPACE, config_map("two", {"app": "b"}, key="other")), data)
show("named badly", lambda: core.create_namespaced_config_map(SPACE, config_map("Not_a_name", {})), data)
show("elsewhere", lambda: core.create_namespaced_config_map("nowhere", config_map("x", {})), data)
show("a trial", lambda: core.create_namespaced_config_map(SPACE, config_map("trial", {}), dry_run="All"), data)
show("get", lambda: core.read_namespaced_config_map("one", SPACE), data)
show("get none", lambda: core.read_namespaced_config_map("trial", SPACE), data)
show("by label", lambda: core.list_namespaced_config_map(SPACE, label_selector="app in (a,c)"), names)
show("by a bad label", lambda: core.list_namespaced_config_map(SPACE, label_selector="app in ("), names)
show("by field", lambda: core.list_namespaced_config_map(SPACE, field_selector="metadata.name=two"), names)
show("by no field", lambda: core.list_namespaced_config_map(SPACE, field_selector="data.key=x"), names)
page = show("a page", lambda: core.list_namespaced_config_map(SPACE, limit=1, label_selector="app"), names)
token = page.metadata._continue
show("the next", lambda: core.list_namespaced_config_map(SPACE, limit=1, label_selector="app", _continue=token), names)
show("a bad page", lambda: core.list_namespaced_config_map(SPACE, limit=1, _continue="x!"), names)

print("# watch")
version = core.list_namespaced_config_map(SPACE).metadata.resource_version
core.create_namespaced_config_map(SPACE, config_map("three", {"app": "c"}))
core.patch_namespaced_config_map("three", SPACE, {"data": {"a": "b"}})
core.delete_namespaced_config_map("three", SPACE)
events = watch.Watch().stream(core.list_namespaced_config_map, SPACE, resource_version=version, label_selector="app",
                              timeout_seconds=1)
for event in events:
    print("event:", event["type"], event["object"].metadata.name, event["object"].data)
for event in watch.Watch().stream(core.list_namespaced_config_map, SPACE, label_selector="app", timeout_seconds=1):
    print("from the start:", event["type"], event["object"].metadata.name)


def watch_from(version):
    return [event["type"] for event in watch.Watch().stream(
        core.list_namespaced_config_map, SPACE, resource_version=version, timeout_seconds=1)]


show("from nonsense", lambda: watch_from("x"), lambda seen: seen)

print("# patches, replace")
maps = dyn.resources.get(api_version="v1", kind="ConfigMap")


def patch(body, kind):
    return lambda: maps.patch(name="one", namespace=SPACE, body=body, content_type=f"application/{kind}")


def values(answer):
    return sorted(answer.to_dict()["data"].items())


show("merge", patch({"data": {"key": "merged"}}, "merge-patch+json"), values)
show("strategic", patch({"data": {"more": "x"}}, "strategic-merge-patch+json"), values)
show("json", patch([{"op": "remove", "path": "/data/more"}], "json-patch+json"), values)
show("json, refused", patch([{"op": "remove", "path": "/data/more"}], "json-patch+json"), values)
show("json, a test", patch([{"op": "test", "path": "/data/key", "value": "x"}], "json-patch+json"), values)
show("a wrong type", patch({"data": {"key": 1}}, "merge-patch+json"), values)
show("an unknown kind", patch({"data": {}}, "fancy-patch+json"), values)
read = core.read_namespaced_config_map("one", SPACE)
read.data = {"key": "replaced"}
show("replace", lambda: core.replace_namespaced_config_map("one", SPACE, read), data)
show("replace a stale one", lambda: core.replace_namespaced_config_map("one", SPACE, read), data)
show("replace none", lambda: core.replace_namespaced_config_map("none", SPACE, config_map("none", {})), data)

print("# apply")


def apply(manager, value, force=False):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"key": value}}
    # This client serialises only what is called JSON.
    return lambda: maps.patch(name="one", namespace=SPACE, body=json.dumps(body), field_manager=manager,
                              force_conflicts=force, content_type="application/apply-patch+yaml")


show("apply", apply("first", "applied", True), values)
show("apply against another", apply("second", "mine"), values)
show("apply with force", apply("second", "mine", True), values)
owners = core.read_namespaced_config_map("one", SPACE).metadata.managed_fields
print("owners:", sorted((entry.manager, entry.operation) for entry in owners))

print("# scale, status")
template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}
web = {"metadata": {"name": "web"}, "spec": {
    "replicas": 0, "paused": True, "selector": {"matchLabels": {"app": "web"}}, "template": template}}
show("deployment", lambda: apps.create_namespaced_deployment(SPACE, web), lambda made: made.spec.strategy.type)
show("scale", lambda: apps.patch_namespaced_deployment_scale("web", SPACE, {"spec": {"replicas": 0}}),
     lambda scale: (scale.kind, scale.spec.replicas, scale.status.selector))
show("scale below nothing", lambda: apps.patch_namespaced_deployment_scale("web", SPACE, {"spec": {"replicas": -1}}))
show("scale none", lambda: apps.read_namespaced_deployment_scale("none", SPACE))
schema = {"type": "object", "properties": {
    "spec": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 9}}},
    "status": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
definition = {"metadata": {"name": "dials.python.dev"}, "spec": {
    "group": "python.dev", "scope": "Namespaced", "names": {"plural": "dials", "singular": "dial", "kind": "Dial"},
    "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                  "schema": {"openAPIV3Schema": schema}}]}}
show("definition", lambda: definitions.create_custom_resource_definition(definition), lambda made: made.metadata.name)
while not any(condition.type == "Established" and condition.status == "True" for condition in
              definitions.read_custom_resource_definition("dials.python.dev").status.conditions or []):
    time.sleep(0.2)
dial = {"apiVersion": "python.dev/v1", "kind": "Dial", "metadata": {"name": "d"}, "spec": {"size": 3}}
dials = ("python.dev", "v1", SPACE, "dials")
show("custom", lambda: custom.create_namespaced_custom_object(*dials, dial), lambda made: made["spec"])
big = {**dial, "metadata": {"name": "big"}, "spec": {"size": 10}}
show("too big", lambda: custom.create_namespaced_custom_object(*dials, big))
show("status", lambda: custom.patch_namespaced_custom_object_status(*dials, "d", {"status": {"size": 2}}),
     lambda made: (made["spec"], made["status"]))
show("status of none", lambda: custom.get_namespaced_custom_object_status(*dials, "none"))
show("listed", lambda: custom.list_namespaced_custom_object(*dials), lambda all: [one["spec"] for one in all["items"]])

print("# eviction, deletion")
pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
show("pod", lambda: core.create_namespaced_pod(SPACE, pod), lambda made: made.status.phase)
show("no containers", lambda: core.create_namespaced_pod(SPACE, {"metadata": {"name": "q"}, "spec": {"containers": []}}))


def evict(name):
    return lambda: core.create_namespaced_pod_eviction(name, SPACE, {"metadata": {"name": name, "namespace": SPACE}})


show("evict none", evict("none"))
show("evict", evict("p"))
show("gone", lambda: core.read_namespaced_pod("p", SPACE))
for way in ["Foreground", "Background", "Orphan"]:
    core.create_namespaced_config_map(SPACE, config_map("owner", {}))
    uid = core.read_namespaced_config_map("owner", SPACE).metadata.uid
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "blockOwnerDeletion": True}
    child = {"metadata": {"name": "child", "ownerReferences": [owner]}}
    core.create_namespaced_config_map(SPACE, child)
    show(f"delete {way}", lambda: core.delete_namespaced_config_map("owner", SPACE, propagation_policy=way),
         lambda status: None)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        left = [item for item in core.list_namespaced_config_map(SPACE).items if item.metadata.name in ("owner", "child")]
        if (way == "Orphan" and len(left) == 1 and not left[0].metadata.owner_references) or not left:
            break
        time.sleep(0.2)
    print("left:", [(item.metadata.name, item.metadata.owner_references) for item in left])
show("delete none", lambda: core.delete_namespaced_config_map("none", SPACE))
show("with another uid", lambda: core.delete_namespaced_config_map("one", SPACE, body={
    "preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}))
show("a badly named way", lambda: core.delete_namespaced_config_map("one", SPACE, propagation_policy="Sideways"))
show("collection", lambda: core.delete_collection_namespaced_config_map(SPACE, label_selector="app=a"),
     lambda status: None)
show("what is left", lambda: core.list_namespaced_config_map(SPACE, label_selector="app"), names)

print("# who may")
core.api_client.set_default_header("Impersonate-User", "alice")
show("alice lists", lambda: core.list_namespaced_pod(SPACE), names)
show("alice creates", lambda: core.create_namespaced_pod(SPACE, pod), names)
