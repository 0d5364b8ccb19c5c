# What people do with kubectl. Each command is shown with what it said and its exit status; the caller compares.
# KUBECTL is the program, KUBECONFIG the server, and the current folder is empty and ours.

k() {
  echo "\$ kubectl $*"
  local said status
  said=$("$KUBECTL" "$@" 2>&1)
  status=$?
  echo "$said"
  echo "[$status]"
}
# Asks until it is granted, for at most twenty seconds: what comes next shows whether it was.
granted() {
  for _ in $(seq 100); do
    "$KUBECTL" "$@" > granted.txt 2>&1 && return
    sleep 0.2
  done
}
object() { cat > "$1"; }

object one.yaml <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: one, labels: {app: a, tier: front}}
data: {key: value}
YAML
object web.yaml <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 0
  paused: true
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'nginx:1'}]}
YAML
object gauge.yaml <<'YAML'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gauges.clients.dev}
spec:
  group: clients.dev
  scope: Namespaced
  names: {plural: gauges, kind: Gauge}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {replicas: {type: integer, maximum: 9}}}
          status: {type: object, properties: {replicas: {type: integer}}}
YAML
object g.yaml <<'YAML'
apiVersion: clients.dev/v1
kind: Gauge
metadata: {name: g}
spec: {replicas: 1}
YAML
object pod.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: p}}
spec: {containers: [{name: c, image: 'busybox:1'}]}
YAML

k create namespace by-kubectl
"$KUBECTL" config set-context --current --namespace=by-kubectl > set.txt
granted get serviceaccount default

echo '# create, get, list'
k create -f one.yaml
k create -f one.yaml
k create configmap two --from-literal=key=other
k label configmap two app=b
k label configmap two app=c
k annotate configmap two note=x
k get configmap one -o 'jsonpath={.data.key} {.metadata.labels}'
k get configmap none
k get configmaps -l app=a -o name
k get configmaps -l 'app in (a,b),tier!=front' -o name
k get configmaps -l 'app in (' -o name
k get configmaps --field-selector=metadata.name=two -o name
k get configmaps --field-selector=data.key=other
k get configmaps --chunk-size=1 -l app -o name
k get configmap one --output-watch-events --watch-only --request-timeout=1s -o name
k get nonsense
k create -f pod.yaml
k get pods --field-selector=status.phase=Pending,spec.nodeName= -o name
k get pods
k get pods -o wide --no-headers

echo '# patches'
k patch configmap one --type=merge -p '{"data":{"key":"merged","more":"x"}}'
k patch configmap one --type=strategic -p '{"data":{"more":null}}'
k patch configmap one --type=json -p '[{"op":"test","path":"/data/key","value":"merged"},{"op":"replace","path":"/data/key","value":"json"}]'
k patch configmap one --type=json -p '[{"op":"test","path":"/data/key","value":"merged"}]'
k patch configmap one --type=json -p '[{"op":"remove","path":"/data/none"}]'
k patch configmap one --type=merge -p '{"data":{"key":1}}'
k patch configmap one --type=merge -p '{"metadata":{"resourceVersion":"1"}}'
k patch configmap none --type=merge -p '{}'
k get configmap one -o 'jsonpath={.data}'
k replace -f one.yaml
k get configmap one -o 'jsonpath={.data}'

echo '# apply'
k apply -f web.yaml
k apply -f web.yaml
k diff -f web.yaml
k apply --server-side -f web.yaml --field-manager=other
sed 's/value/applied/' one.yaml > changed.yaml
k apply --server-side -f changed.yaml --field-manager=other
k apply --server-side -f changed.yaml --field-manager=other --force-conflicts
k apply --dry-run=server -f one.yaml
sed 's/replicas: 0/replica: 0/' web.yaml > typo.yaml
k apply -f typo.yaml
k apply -f typo.yaml --validate=warn
k set image deployment/web c=nginx:2
k get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}'
k rollout restart deployment/web

echo '# definitions, scale, status'
k apply -f gauge.yaml
k wait --for=condition=Established crd/gauges.clients.dev --timeout=20s
k apply -f g.yaml
k scale gauge/g --replicas=3
k scale gauge/g --replicas=4 --current-replicas=1
k scale gauge/g --replicas=12
k scale gauge/none --replicas=1
k scale deployment/web --replicas=0
k get deployment web --subresource=scale -o 'jsonpath={.kind} {.spec.replicas}'
k patch gauge g --subresource=status --type=merge -p '{"spec":{"replicas":7},"status":{"replicas":2}}'
k get gauge g -o 'jsonpath={.spec.replicas} {.status.replicas}'
k patch gauge g --type=strategic -p '{"spec":{"replicas":7}}'
k patch pod p --subresource=status --type=merge -p '{"status":{"phase":"Dancing"}}'
k patch pod p --subresource=status --type=merge -p '{"status":{"message":"hello"}}'
k get pod p -o 'jsonpath={.status.message}'

echo '# eviction and deletion'
evict() { echo "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"$1\",\"namespace\":\"by-kubectl\"}}" > evict.json; }
evict none
k create --raw /api/v1/namespaces/by-kubectl/pods/none/eviction -f evict.json
evict p
k create --raw /api/v1/namespaces/by-kubectl/pods/p/eviction -f evict.json
k wait --for=delete pod/p --timeout=20s
owner() { "$KUBECTL" get configmap one -o 'jsonpath={.metadata.uid}'; }
for way in foreground background orphan; do
  echo "{apiVersion: v1, kind: ConfigMap, metadata: {name: child-$way, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: one, uid: $(owner), blockOwnerDeletion: true}]}}" > child.yaml
  k apply -f child.yaml
  k delete configmap one --cascade=$way
  if [ $way = orphan ]; then
    k get configmap child-$way -o 'jsonpath={.metadata.ownerReferences}'
  else
    k wait --for=delete configmap/child-$way --timeout=20s
  fi
  k apply -f one.yaml
done
k delete configmap none
k delete configmaps -l app=a
k delete configmaps --field-selector=metadata.name=two
k delete crd gauges.clients.dev
k get gauges

echo '# who may'
k auth can-i delete pods --as=alice
k get pods --as=alice
k create role reader --verb=get,list --resource=pods
k create rolebinding reader --role=reader --user=alice
granted get pods --as=alice
k get pods --as=alice
k delete pod p --as=alice
k delete namespace by-kubectl --timeout=30s
k get namespace by-kubectl
