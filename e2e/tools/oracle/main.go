// Command oracle says what kube-scheduler says, plugin by plugin: a cluster and a pod in, as one line of JSON; every plugin's
// verdict on every node, the scores of the feasible ones and the victims of a preemption out, as another. It links upstream's
// own packages, so what it answers is not somebody's reading of them.
//
// Promises: one answer a line, in the order of the questions, until the input ends; what cannot be judged is {"error": …};
// the same question gets the same answer.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"k8s.io/klog/v2"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func serve(questions io.Reader, answers io.Writer) error {
	// What plugins log is about the objects of the question; the answer tells it.
	klog.SetLogger(klog.Logger{})
	// Each question leaves garbage that dies at once, so collecting it seldom saves a quarter of the time.
	debug.SetGCPercent(800)
	ctx := context.Background()
	bench, err := newBench(ctx)
	if err != nil {
		return err
	}
	in, out := bufio.NewReaderSize(questions, 1<<20), bufio.NewWriter(answers)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			if err := json.NewEncoder(out).Encode(bench.say(ctx, line)); err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// say answers one line. A panic of a plugin is an answer too: kube-scheduler would have crashed there.
func (b *bench) say(ctx context.Context, line []byte) (told any) {
	type failure struct {
		Error string `json:"error"`
	}
	defer func() {
		if fault := recover(); fault != nil {
			told = failure{fmt.Sprintf("panic: %v\n%s", fault, debug.Stack())}
		}
	}()
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return failure{err.Error()}
	}
	given, err := b.hear(ctx, &asked)
	if err != nil {
		return failure{err.Error()}
	}
	return given
}
