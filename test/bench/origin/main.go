// Command origin answers at the given address with objects that it generates
// while it sends them: /name?size=BYTES. See package origintest.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"cloudmirror/origin/origintest"
)

func main() {
	server := &http.Server{Addr: os.Args[1], Handler: origintest.New(), ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}
