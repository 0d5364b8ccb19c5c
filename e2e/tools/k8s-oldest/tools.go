//go:build tools

// Package tools holds the oldest Kubernetes API server that is supported, so that go.mod and go.sum pin it.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)
