// Command pause is the one program inside the test cluster's images.
//
// `pause wait` holds a pod's namespaces and does nothing; without arguments it answers every HTTP request on $PORT
// (8080 when unset) with the pod's host name and the path asked for. SIGTERM and SIGINT end it at once with status 0.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if len(os.Args) > 1 && os.Args[1] == "wait" {
		fmt.Println("waiting")
		<-stop
		return
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unnamed"
	}
	go func() { <-stop; os.Exit(0) }()
	answer := func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s\n", name, r.URL.Path) }
	if err := http.ListenAndServe(":"+port, http.HandlerFunc(answer)); err != nil {
		fmt.Fprintf(os.Stderr, "pause: port %s: %v; set PORT to a free one\n", port, err)
		os.Exit(1)
	}
}
