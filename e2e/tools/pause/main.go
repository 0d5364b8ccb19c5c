// Command pause is the one program inside the test cluster's images: it stands in for whatever a manifest names.
//
// `pause wait` holds a pod's namespaces and does nothing. Otherwise it listens on every port of $PORTS (separated by
// commas; empty: none), on $PORT when that is not set, or on 8080, and answers HTTP/1.1 and HTTP/2 alike: a gRPC health
// check with SERVING, everything else with the pod's host name and the path. SIGTERM and SIGINT end it at once, status 0.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// serving is a gRPC message: not compressed, two bytes long, field 1 (status) is 1 (SERVING).
const serving = "\x00\x00\x00\x00\x02\x08\x01"

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	list, told := os.LookupEnv("PORTS")
	if !told {
		if list = os.Getenv("PORT"); list == "" {
			list = "8080"
		}
	}
	if len(os.Args) > 1 && os.Args[1] == "wait" || list == "" {
		fmt.Println("waiting")
		<-stop
		return
	}
	for _, port := range strings.Split(list, ",") {
		go serve(port)
	}
	<-stop
}

func serve(port string) {
	name, err := os.Hostname()
	if err != nil {
		name = "unnamed"
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			fmt.Fprint(w, serving)
			// Headers go first and alone: the status of a call is in what follows the message.
			if early, ok := w.(http.Flusher); ok {
				early.Flush()
			}
			w.Header().Set("Grpc-Status", "0")
			return
		}
		fmt.Fprintf(w, "%s %s\n", name, r.URL.Path)
	}
	server := http.Server{Addr: ":" + port, Handler: http.HandlerFunc(answer), Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	fmt.Println("listening on", port)
	fmt.Fprintf(os.Stderr, "pause: port %s: %v; set PORT to a free one\n", port, server.ListenAndServe())
	os.Exit(1)
}
