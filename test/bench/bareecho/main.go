// Command bareecho is the yardstick of the front end: the least that Echo can do
// for a redirect. It has one route, looks the target up in a map, and answers
// with fixed headers and a fixed body, as Echo's own documentation would have it
// done, without limits of time, logs or metrics.
//
//	bareecho ADDRESS FILE
//
// The file holds the answer as JSON:
//
//	{"target": …, "content_type": …, "header": [[name, value], …], "body": …}
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
)

// An answer is what is known of one target.
type answer struct {
	Target      string      `json:"target"`
	ContentType string      `json:"content_type"`
	Header      [][2]string `json:"header"` // but for those that Echo and net/http set
	Body        string      `json:"body"`
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "bareecho:", err)
		os.Exit(1)
	}
}

func run(address, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var only answer
	if err := json.Unmarshal(text, &only); err != nil {
		return err
	}
	known := map[string]answer{only.Target: only}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/v1/redirect/:service/:region/:url", func(c echo.Context) error {
		found, ok := known[c.Param("url")]
		if !ok {
			return echo.ErrNotFound
		}
		header := c.Response().Header()
		for _, pair := range found.Header {
			header.Set(pair[0], pair[1])
		}
		return c.Blob(http.StatusFound, found.ContentType, []byte(found.Body))
	})
	return e.Start(address)
}
