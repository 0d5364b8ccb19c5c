package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	"k8s.io/kubernetes/pkg/apis/storage"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	storagevalidation "k8s.io/kubernetes/pkg/apis/storage/validation"
)

// refusals is what an API server would say against the objects of a request, each as `kind name: field: why`. A case of
// objects that nobody can store proves nothing.
func refusals(asked *request) []string {
	found := []string{}
	found = append(found, of(asked.Nodes, "node", corevalidation.ValidateNode)...)
	found = append(found, of(asked.Pods, "pod", validPod)...)
	found = append(found, of([]runtime.Object{asked.Pod}, "pod", validPod)...)
	found = append(found, of(asked.Namespaces, "namespace", corevalidation.ValidateNamespace)...)
	found = append(found, of(asked.Volumes, "persistentVolume", func(volume *core.PersistentVolume) field.ErrorList {
		return corevalidation.ValidatePersistentVolume(volume, corevalidation.ValidationOptionsForPersistentVolume(volume, nil))
	})...)
	found = append(found, of(asked.Claims, "persistentVolumeClaim", func(claim *core.PersistentVolumeClaim) field.ErrorList {
		return corevalidation.ValidatePersistentVolumeClaim(claim, corevalidation.ValidationOptionsForPersistentVolumeClaim(claim, nil))
	})...)
	found = append(found, of(asked.StorageClasses, "storageClass", storagevalidation.ValidateStorageClass)...)
	found = append(found, of(asked.CSINodes, "csiNode", storagevalidation.ValidateCSINode)...)
	found = append(found, of(asked.CSIDrivers, "csiDriver", storagevalidation.ValidateCSIDriver)...)
	found = append(found, of(asked.Attachments, "volumeAttachment", storagevalidation.ValidateVolumeAttachment)...)
	found = append(found, of(asked.Capacities, "csiStorageCapacity", func(left *storage.CSIStorageCapacity) field.ErrorList {
		return storagevalidation.ValidateCSIStorageCapacity(left, storagevalidation.CSIStorageCapacityValidateOptions{})
	})...)
	return append(found, of(asked.Budgets, "podDisruptionBudget", func(budget *policy.PodDisruptionBudget) field.ErrorList {
		return policyvalidation.ValidatePodDisruptionBudget(budget, policyvalidation.PodDisruptionBudgetValidationOptions{})
	})...)
}

// validPod is for pods as they are created: without a deletion under way, and without what the strategy takes away first.
func validPod(pod *core.Pod) field.ErrorList {
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = nil, nil
	return corevalidation.ValidatePodCreate(pod, podutil.GetValidationOptionsFromPodSpecAndMeta(&pod.Spec, nil, &pod.ObjectMeta, nil))
}

func of[T runtime.Object, I any](objects []T, kind string, validate func(*I) field.ErrorList) []string {
	var found []string
	for _, object := range objects {
		internal := new(I)
		if err := legacyscheme.Scheme.Convert(object, internal, nil); err != nil {
			found = append(found, fmt.Sprintf("%s: %v", kind, err))
			continue
		}
		for _, refusal := range validate(internal) {
			found = append(found, fmt.Sprintf("%s: %v", kind, refusal))
		}
	}
	return found
}
