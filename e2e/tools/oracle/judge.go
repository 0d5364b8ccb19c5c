package main

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	resourceslicetracker "k8s.io/dynamic-resource-allocation/resourceslice/tracker"
	"k8s.io/klog/v2"
	configv1 "k8s.io/kube-scheduler/config/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/dynamicresources"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodevolumelimits"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
	"k8s.io/kubernetes/pkg/scheduler/util/assumecache"
)

// judge is kube-scheduler's framework with the plugins of one profile, over the world.
type judge struct {
	framework.Framework
	world      *world
	preFilters []fwk.PreFilterPlugin
	filters    []fwk.FilterPlugin
	preScores  []fwk.PreScorePlugin
	scores     []fwk.ScorePlugin
	preemption *defaultpreemption.DefaultPreemption
}

// bench holds the judges, one a profile: plugins are made once and see each request through the world.
type bench struct {
	world   *world
	options []frameworkruntime.Option
	judges  map[string]*judge
}

func newBench(ctx context.Context) (*bench, error) {
	metrics.Register()
	client := fake.NewClientset()
	factory := informers.NewSharedInformerFactory(client, 0)
	world := newWorld(factory)
	// The same as scheduler.New hands to its profiles, but for what binds.
	claims := assumecache.NewAssumeCache(klog.FromContext(ctx), factory.Resource().V1().ResourceClaims().Informer(), "ResourceClaim", "", nil)
	slices := resourceslicetracker.Options{
		EnableDeviceTaintRules:   utilfeature.DefaultFeatureGate.Enabled(features.DRADeviceTaintRules),
		EnableConsumableCapacity: utilfeature.DefaultFeatureGate.Enabled(features.DRAConsumableCapacity),
		SliceInformer:            factory.Resource().V1().ResourceSlices(),
		KubeClient:               client,
	}
	if slices.EnableDeviceTaintRules {
		slices.TaintInformer = factory.Resource().V1beta2().DeviceTaintRules()
		slices.ClassInformer = factory.Resource().V1().DeviceClasses()
	}
	tracker, err := resourceslicetracker.StartTracker(ctx, slices)
	if err != nil {
		return nil, err
	}
	return &bench{world: world, judges: map[string]*judge{}, options: []frameworkruntime.Option{
		frameworkruntime.WithClientSet(client),
		frameworkruntime.WithInformerFactory(factory),
		frameworkruntime.WithSnapshotSharedLister(world.snapshot),
		frameworkruntime.WithPodNominator(world.nominator),
		frameworkruntime.WithSharedDRAManager(dynamicresources.NewDRAManager(ctx, claims, tracker, factory)),
		frameworkruntime.WithSharedCSIManager(nodevolumelimits.NewCSIManager(factory.Storage().V1().CSINodes().Lister())),
		frameworkruntime.WithWaitingPods(frameworkruntime.NewWaitingPodsMap()),
		frameworkruntime.WithPodsInPreBind(frameworkruntime.NewPodsInPreBindMap()),
		frameworkruntime.WithParallelism(1),
	}}, nil
}

// of returns the judge for a profile, made when it is first asked for.
func (b *bench) of(ctx context.Context, profile json.RawMessage) (*judge, error) {
	if string(profile) == "null" {
		profile = nil
	}
	if known := b.judges[string(profile)]; known != nil {
		return known, nil
	}
	read, err := readProfile(profile)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	made := &judge{world: b.world}
	instances := map[string]fwk.Plugin{}
	registry := frameworkruntime.Registry{}
	for name, factory := range plugins.NewInTreeRegistry() {
		registry[name] = func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
			plugin, err := factory(ctx, args, handle)
			instances[name] = plugin
			return plugin, err
		}
	}
	if made.Framework, err = frameworkruntime.NewFramework(ctx, registry, read, b.options...); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	enabled := made.ListPlugins()
	made.preFilters = pick[fwk.PreFilterPlugin](instances, enabled.PreFilter)
	made.filters = pick[fwk.FilterPlugin](instances, enabled.Filter)
	made.preScores = pick[fwk.PreScorePlugin](instances, enabled.PreScore)
	made.scores = pick[fwk.ScorePlugin](instances, enabled.Score)
	if preemption, is := instances[defaultpreemption.Name].(*defaultpreemption.DefaultPreemption); is {
		preemption.MoreImportantPod = moreImportant
		made.preemption = preemption
	}
	b.judges[string(profile)] = made
	return made, nil
}

// readProfile completes a profile as kube-scheduler does when it reads its configuration file.
func readProfile(profile json.RawMessage) (*config.KubeSchedulerProfile, error) {
	var read config.KubeSchedulerConfiguration
	if len(profile) == 0 {
		var written configv1.KubeSchedulerConfiguration
		scheme.Scheme.Default(&written)
		if err := scheme.Scheme.Convert(&written, &read, nil); err != nil {
			return nil, err
		}
	} else {
		file := fmt.Sprintf(`{"apiVersion":%q,"kind":"KubeSchedulerConfiguration","profiles":[%s]}`, configv1.SchemeGroupVersion, profile)
		if err := runtime.DecodeInto(scheme.Codecs.UniversalDecoder(), []byte(file), &read); err != nil {
			return nil, err
		}
	}
	return &read.Profiles[0], nil
}

func pick[T fwk.Plugin](instances map[string]fwk.Plugin, enabled config.PluginSet) []T {
	var picked []T
	for _, plugin := range enabled.Enabled {
		if instance, is := instances[plugin.Name].(T); is {
			picked = append(picked, instance)
		}
	}
	return picked
}

// verdict is what a plugin says.
type verdict struct {
	Code    string   `json:"code"`
	Reasons []string `json:"reasons,omitempty"`
	// Nodes is the set that a PreFilter leaves; every other node is out. Null leaves all.
	Nodes *[]string `json:"nodes,omitempty"`
}

func said(status *fwk.Status) verdict {
	if status == nil {
		return verdict{Code: fwk.Success.String()}
	}
	return verdict{Code: status.Code().String(), Reasons: status.Reasons()}
}

// points of one plugin on one node.
type points struct {
	Raw        int64 `json:"raw"`
	Normalized int64 `json:"normalized"`
}

// answer is one line of output.
type answer struct {
	// Failed is why kube-scheduler itself gives up with an error; no node is feasible then.
	Failed    string             `json:"failed,omitempty"`
	PreFilter map[string]verdict `json:"prefilter"`
	// Ran names the plugins whose Filter was asked, in order: those that PreFilter neither skipped nor rejected.
	Ran []string `json:"ran"`
	// Filter has, for every node, the plugins of Ran that did not say Success.
	Filter map[string]map[string]verdict `json:"filter"`
	// Feasible, Total and Preemption come from the framework's own runs, which stop where kube-scheduler stops; the rest
	// from asking each plugin by itself.
	Feasible   []string                     `json:"feasible"`
	Score      map[string]map[string]points `json:"score"`
	Weights    map[string]int32             `json:"weights"`
	Total      map[string]int64             `json:"total"`
	Preemption *preemption                  `json:"preemption,omitempty"`
	// Refusals are there when they were asked for.
	Refusals []string `json:"refusals,omitempty"`
}

// hear judges one request.
func (b *bench) hear(ctx context.Context, asked *request) (*answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	judge, err := b.of(ctx, asked.Profile)
	if err != nil {
		return nil, err
	}
	if err := b.world.show(ctx, asked); err != nil {
		return nil, err
	}
	given := &answer{Weights: map[string]int32{}}
	if asked.Validate {
		given.Refusals = refusals(asked)
	}
	if _, err := framework.NewPodInfo(asked.Pod); err != nil {
		return nil, fmt.Errorf("pod: %w", err)
	}
	if err := judge.filterEach(ctx, asked.Pod, given); err != nil {
		return nil, err
	}
	cycle, err := judge.cycle(ctx, asked.Pod, given)
	if err == nil {
		err = judge.scoreEach(ctx, asked.Pod, cycle, given)
	}
	if err != nil {
		given.Failed = err.Error()
		given.Feasible, given.Score, given.Total = []string{}, map[string]map[string]points{}, map[string]int64{}
		return given, nil
	}
	if asked.Preempt && len(cycle.feasible) == 0 {
		given.Preemption, err = judge.preempt(ctx, asked.Pod, cycle)
	}
	return given, err
}

// filterEach asks every plugin about every node, whatever the others said.
func (j *judge) filterEach(ctx context.Context, pod *corev1.Pod, given *answer) error {
	nodes, err := j.SnapshotSharedLister().NodeInfos().List()
	if err != nil {
		return err
	}
	state := framework.NewCycleState()
	silent := sets.New[string]()
	given.PreFilter = map[string]verdict{}
	for _, plugin := range j.preFilters {
		left, status := plugin.PreFilter(ctx, state, pod, nodes)
		heard := said(status)
		if status.IsSuccess() && !left.AllNodes() {
			names := sets.List(left.NodeNames)
			heard.Nodes = &names
		}
		given.PreFilter[plugin.Name()] = heard
		if !status.IsSuccess() {
			silent.Insert(plugin.Name())
		}
	}
	state.SetSkipFilterPlugins(silent)
	given.Ran = []string{}
	for _, plugin := range j.filters {
		if !silent.Has(plugin.Name()) {
			given.Ran = append(given.Ran, plugin.Name())
		}
	}
	given.Filter = map[string]map[string]verdict{}
	for _, node := range nodes {
		verdicts := map[string]verdict{}
		crowdedState, crowded, err := j.withNominated(ctx, state, pod, node)
		if err != nil {
			return err
		}
		for _, plugin := range j.filters {
			if silent.Has(plugin.Name()) {
				continue
			}
			status := plugin.Filter(ctx, crowdedState, pod, crowded)
			if status.IsSuccess() && crowded != node {
				status = plugin.Filter(ctx, state, pod, node)
			}
			if !status.IsSuccess() {
				verdicts[plugin.Name()] = said(status)
			}
		}
		given.Filter[node.Node().Name] = verdicts
	}
	return nil
}

// withNominated is a node as it will be when the pods of at least this priority that wait for it have come.
func (j *judge) withNominated(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node fwk.NodeInfo) (fwk.CycleState, fwk.NodeInfo, error) {
	var crowdedState fwk.CycleState
	crowded := node
	for _, waiting := range j.NominatedPodsForNode(node.Node().Name) {
		if priority(waiting.GetPod()) < priority(pod) || waiting.GetPod().UID == pod.UID {
			continue
		}
		if crowdedState == nil {
			crowdedState, crowded = state.Clone(), node.Snapshot()
		}
		crowded.AddPodInfo(waiting)
		if status := j.RunPreFilterExtensionAddPod(ctx, crowdedState, pod, waiting, crowded); !status.IsSuccess() {
			return nil, nil, status.AsError()
		}
	}
	if crowdedState == nil {
		return state, node, nil
	}
	return crowdedState, crowded, nil
}

func priority(pod *corev1.Pod) int32 {
	if pod.Spec.Priority == nil {
		return 0
	}
	return *pod.Spec.Priority
}

// cycle is what the framework's own scheduling cycle knows after filtering.
type cycle struct {
	state    fwk.CycleState
	feasible []fwk.NodeInfo
	statuses *framework.NodeToStatus
}

// cycle runs the filters as kube-scheduler does, over all nodes.
func (j *judge) cycle(ctx context.Context, pod *corev1.Pod, given *answer) (*cycle, error) {
	seen := &cycle{state: framework.NewCycleState(), statuses: framework.NewDefaultNodeToStatus()}
	given.Feasible = []string{}
	left, status, by := j.RunPreFilterPlugins(ctx, seen.state, pod)
	if !status.IsSuccess() {
		seen.statuses.SetAbsentNodesStatus(status)
		return seen, rejected(status)
	}
	if !left.AllNodes() {
		text := fmt.Sprintf("node(s) didn't satisfy plugin(s) %v", sets.List(by))
		seen.statuses.SetAbsentNodesStatus(fwk.NewStatus(fwk.UnschedulableAndUnresolvable, text))
	}
	nodes, err := j.SnapshotSharedLister().NodeInfos().List()
	if err != nil {
		return nil, err
	}
	for _, node := range nodes {
		if !left.AllNodes() && !left.NodeNames.Has(node.Node().Name) {
			continue
		}
		status := j.RunFilterPluginsWithNominatedPods(ctx, seen.state, pod, node)
		if status.IsSuccess() {
			seen.feasible = append(seen.feasible, node)
			given.Feasible = append(given.Feasible, node.Node().Name)
			continue
		}
		if err := rejected(status); err != nil {
			return nil, err
		}
		seen.statuses.Set(node.Node().Name, status)
	}
	return seen, nil
}

// rejected is nil for a status that says no, and the error of one that could not say.
func rejected(status *fwk.Status) error {
	if status.IsRejected() {
		return nil
	}
	return fmt.Errorf("%s: %w", status.Plugin(), status.AsError())
}

// scoreEach asks every plugin for its raw and normalised points, and the framework for the total.
func (j *judge) scoreEach(ctx context.Context, pod *corev1.Pod, seen *cycle, given *answer) error {
	given.Score, given.Total = map[string]map[string]points{}, map[string]int64{}
	if len(seen.feasible) == 0 {
		return nil
	}
	if status := j.RunPreScorePlugins(ctx, seen.state, pod, seen.feasible); !status.IsSuccess() {
		return status.AsError()
	}
	totals, status := j.RunScorePlugins(ctx, seen.state, pod, seen.feasible)
	if !status.IsSuccess() {
		return status.AsError()
	}
	for _, total := range totals {
		given.Total[total.Name] = total.TotalScore
	}
	for _, plugin := range j.ListPlugins().Score.Enabled {
		given.Weights[plugin.Name] = plugin.Weight
	}
	for _, plugin := range j.scores {
		if seen.state.GetSkipScorePlugins().Has(plugin.Name()) {
			continue
		}
		list := make(fwk.NodeScoreList, len(seen.feasible))
		scored := make(map[string]points, len(list))
		for i, node := range seen.feasible {
			raw, status := plugin.Score(ctx, seen.state, pod, node)
			if !status.IsSuccess() {
				return fmt.Errorf("%s: %w", plugin.Name(), status.AsError())
			}
			list[i] = fwk.NodeScore{Name: node.Node().Name, Score: raw}
			scored[node.Node().Name] = points{Raw: raw, Normalized: raw}
		}
		if plugin.ScoreExtensions() != nil {
			if status := plugin.ScoreExtensions().NormalizeScore(ctx, seen.state, pod, list); !status.IsSuccess() {
				return fmt.Errorf("%s: %w", plugin.Name(), status.AsError())
			}
		}
		for _, score := range list {
			scored[score.Name] = points{Raw: scored[score.Name].Raw, Normalized: score.Score}
		}
		given.Score[plugin.Name()] = scored
	}
	return nil
}
