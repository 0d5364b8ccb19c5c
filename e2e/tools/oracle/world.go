package main

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// request is one line of input: a cluster, and the pod to judge.
type request struct {
	Nodes                  []*corev1.Node                  `json:"nodes"`
	Pods                   []*corev1.Pod                   `json:"pods"`
	Pod                    *corev1.Pod                     `json:"pod"`
	Namespaces             []*corev1.Namespace             `json:"namespaces"`
	Services               []*corev1.Service               `json:"services"`
	ReplicationControllers []*corev1.ReplicationController `json:"replicationControllers"`
	ReplicaSets            []*appsv1.ReplicaSet            `json:"replicaSets"`
	StatefulSets           []*appsv1.StatefulSet           `json:"statefulSets"`
	Volumes                []*corev1.PersistentVolume      `json:"persistentVolumes"`
	Claims                 []*corev1.PersistentVolumeClaim `json:"persistentVolumeClaims"`
	StorageClasses         []*storagev1.StorageClass       `json:"storageClasses"`
	CSINodes               []*storagev1.CSINode            `json:"csiNodes"`
	CSIDrivers             []*storagev1.CSIDriver          `json:"csiDrivers"`
	Capacities             []*storagev1.CSIStorageCapacity `json:"csiStorageCapacities"`
	Attachments            []*storagev1.VolumeAttachment   `json:"volumeAttachments"`
	Budgets                []*policyv1.PodDisruptionBudget `json:"podDisruptionBudgets"`
	// Nominated names pods of `pods` that wait for room on a node.
	Nominated []struct {
		UID  string `json:"uid"`
		Node string `json:"node"`
	} `json:"nominated"`
	// Preempt asks whom DefaultPreemption would evict when no node is feasible.
	Preempt bool `json:"preempt"`
	// Validate asks which objects an API server would refuse.
	Validate bool `json:"validate"`
	// Profile is a KubeSchedulerProfile of kubescheduler.config.k8s.io/v1; absent, the default one.
	Profile json.RawMessage `json:"profile"`
}

// world is what the plugins see of a cluster. It stands in for watches: listers read stores that are filled at once, and the
// snapshot is made by the scheduler's own cache, whose order of nodes it keeps.
type world struct {
	informers informers.SharedInformerFactory
	*snapshot
	*nominator
}

// snapshot is the lister that plugins keep; what it reads is replaced with each request.
type snapshot struct{ *internalcache.Snapshot }

func newWorld(factory informers.SharedInformerFactory) *world {
	return &world{factory, &snapshot{internalcache.NewEmptySnapshot()}, &nominator{}}
}

// show fills the stores and the snapshot with the cluster of a request. Fields that the API server would have defaulted are
// defaulted; what its strategies and admission plugins write (priority, merged matchLabelKeys) is not.
func (w *world) show(ctx context.Context, asked *request) error {
	if asked.Pod == nil {
		return fmt.Errorf("pod: is missing; give the pod to judge")
	}
	legacyscheme.Scheme.Default(asked.Pod)
	core, storage, apps := w.informers.Core().V1(), w.informers.Storage().V1(), w.informers.Apps().V1()
	policy := w.informers.Policy().V1()
	for _, err := range []error{
		fill(core.Nodes().Informer(), asked.Nodes),
		fill(core.Pods().Informer(), append(asked.Pods[:len(asked.Pods):len(asked.Pods)], asked.Pod)),
		fill(core.Namespaces().Informer(), asked.Namespaces),
		fill(core.Services().Informer(), asked.Services),
		fill(core.ReplicationControllers().Informer(), asked.ReplicationControllers),
		fill(apps.ReplicaSets().Informer(), asked.ReplicaSets),
		fill(apps.StatefulSets().Informer(), asked.StatefulSets),
		fill(core.PersistentVolumes().Informer(), asked.Volumes),
		fill(core.PersistentVolumeClaims().Informer(), asked.Claims),
		fill(storage.StorageClasses().Informer(), asked.StorageClasses),
		fill(storage.CSINodes().Informer(), asked.CSINodes),
		fill(storage.CSIDrivers().Informer(), asked.CSIDrivers),
		fill(storage.CSIStorageCapacities().Informer(), asked.Capacities),
		fill(storage.VolumeAttachments().Informer(), asked.Attachments),
		fill(policy.PodDisruptionBudgets().Informer(), asked.Budgets),
		w.take(ctx, asked),
		w.nominate(asked),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func fill[T runtime.Object](informer cache.SharedIndexInformer, objects []T) error {
	list := make([]any, len(objects))
	for i, object := range objects {
		legacyscheme.Scheme.Default(object)
		list[i] = object
	}
	return informer.GetIndexer().Replace(list, "")
}

// take replaces the snapshot by that of the scheduler's cache after it heard of every node and assigned pod.
func (w *world) take(ctx context.Context, asked *request) error {
	logger := klog.FromContext(ctx)
	known := internalcache.New(ctx, nil, false)
	for _, node := range asked.Nodes {
		known.AddNode(logger, node)
	}
	for _, pod := range asked.Pods {
		// As the scheduler's handlers do: what has ended holds nothing.
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if pod.Spec.NodeName == "" || ended {
			continue
		}
		if err := known.AddPod(logger, pod); err != nil {
			return err
		}
	}
	w.Snapshot = internalcache.NewEmptySnapshot()
	return known.UpdateSnapshot(logger, w.Snapshot)
}

// nominator holds the pods that wait for room on a node. It stands in for the scheduler's queue.
type nominator struct{ byNode map[string][]fwk.PodInfo }

func (n *nominator) nominate(asked *request) error {
	byUID := make(map[string]*corev1.Pod, len(asked.Pods))
	for _, pod := range asked.Pods {
		byUID[string(pod.UID)] = pod
	}
	n.byNode = map[string][]fwk.PodInfo{}
	for _, wish := range asked.Nominated {
		pod, found := byUID[wish.UID]
		if !found || pod.Spec.NodeName != "" {
			return fmt.Errorf("nominated: uid %q is no pod of pods without a node", wish.UID)
		}
		info, err := framework.NewPodInfo(pod)
		if err != nil {
			return fmt.Errorf("nominated: uid %q: %w", wish.UID, err)
		}
		n.byNode[wish.Node] = append(n.byNode[wish.Node], info)
	}
	return nil
}

func (n *nominator) NominatedPodsForNode(node string) []fwk.PodInfo { return n.byNode[node] }

func (n *nominator) AddNominatedPod(klog.Logger, fwk.PodInfo, *fwk.NominatingInfo) {}

func (n *nominator) DeleteNominatedPodIfExists(*corev1.Pod) {}

func (n *nominator) UpdateNominatedPod(klog.Logger, *corev1.Pod, fwk.PodInfo) {}
