package main

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	extenderv1 "k8s.io/kube-scheduler/extender/v1"
	fwk "k8s.io/kube-scheduler/framework"
	frameworkpreemption "k8s.io/kubernetes/pkg/scheduler/framework/preemption"
	"k8s.io/kubernetes/pkg/scheduler/util"
)

// preemption is whom DefaultPreemption would evict.
type preemption struct {
	// Why is the reason for which nobody is; empty when somebody is.
	Why string `json:"why,omitempty"`
	// Node is the chosen node, and Victims the pods on it, most important first.
	Node    string   `json:"node,omitempty"`
	Victims []string `json:"victims,omitempty"`
	// Ties names every node that is as good as the chosen one. Upstream takes one of them by chance; here it is the first
	// by name.
	Ties []string `json:"ties,omitempty"`
	// Candidates are all nodes on which eviction would help.
	Candidates map[string]candidate `json:"candidates,omitempty"`
}

type candidate struct {
	Victims    []string `json:"victims"`
	Violations int64    `json:"violations"`
}

// preempt is Evaluator.Preempt without its chance and without its deeds: every node is a candidate, in the snapshot's order.
func (j *judge) preempt(ctx context.Context, pod *corev1.Pod, seen *cycle) (*preemption, error) {
	evaluator := j.preemption.Evaluator
	eligible, why := evaluator.PodEligibleToPreemptOthers(ctx, pod, seen.statuses.Get(pod.Status.NominatedNodeName))
	if !eligible {
		return &preemption{Why: why}, nil
	}
	nodes, err := seen.statuses.NodesForStatusCode(j.SnapshotSharedLister().NodeInfos(), fwk.Unschedulable)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return &preemption{Why: "no node would be helped"}, nil
	}
	budgets, err := evaluator.PdbLister.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	found, _, err := evaluator.DryRunPreemption(ctx, seen.state, pod, nodes, budgets, 0, int32(len(nodes))+1)
	if err != nil && len(found) == 0 {
		return nil, err
	}
	if len(found) == 0 {
		return &preemption{Why: "no candidates"}, nil
	}
	slices.SortFunc(found, func(a, b frameworkpreemption.Candidate) int { return strings.Compare(a.Name(), b.Name()) })
	best := order(evaluator.SelectCandidate(ctx, found).Victims())
	told := &preemption{Candidates: map[string]candidate{}}
	for _, one := range found {
		victims := uids(one.Victims().Pods)
		told.Candidates[one.Name()] = candidate{victims, one.Victims().NumPDBViolations}
		if order(one.Victims()) == best {
			told.Ties = append(told.Ties, one.Name())
		}
	}
	told.Node = told.Ties[0]
	told.Victims = told.Candidates[told.Node].Victims
	return told, nil
}

// order holds what upstream compares between candidates, so that those it decides by chance are known.
func order(victims *extenderv1.Victims) [5]int64 {
	var sum int64
	for _, pod := range victims.Pods {
		sum += int64(priority(pod)) + 1<<31
	}
	started := util.GetEarliestPodStartTime(victims).UnixNano()
	return [5]int64{victims.NumPDBViolations, int64(priority(victims.Pods[0])), sum, int64(len(victims.Pods)), started}
}

// moreImportant is upstream's order of victims. Of equals it takes those first of which it happened to hear first (and of pods that
// have not started, whichever it looks at first); here it goes by name, so that the same question gets the same answer.
func moreImportant(a, b *corev1.Pod) bool {
	first, second := util.MoreImportantPod(a, b), util.MoreImportantPod(b, a)
	if first != second {
		return first
	}
	return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
}

func uids(pods []*corev1.Pod) []string {
	list := make([]string, len(pods))
	for i, pod := range pods {
		list[i] = string(pod.UID)
	}
	return list
}
