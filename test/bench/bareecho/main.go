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
//
// GET /wait is answered so after a POST of /release; GET /count says how many
// requests wait, and how many objects were allocated since the start.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/labstack/echo/v4"
)

// An answer is what is known of one target.
type answer struct {
	Target      string      `json:"target"`
	ContentType string      `json:"content_type"`
	Header      [][2]string `json:"header"` // but for those that Echo and net/http set
	Body        string      `json:"body"`
}

func (a answer) send(c echo.Context) error {
	header := c.Response().Header()
	for _, pair := range a.Header {
		header.Set(pair[0], pair[1])
	}
	return c.Blob(http.StatusFound, a.ContentType, []byte(a.Body))
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
		return found.send(c)
	})
	addWaiting(e, only)
	return e.Start(address)
}

// addWaiting adds the routes that are not about speed.
func addWaiting(e *echo.Echo, only answer) {
	var waiting atomic.Int64
	released := make(chan struct{})
	e.GET("/wait", func(c echo.Context) error {
		waiting.Add(1)
		defer waiting.Add(-1)
		select {
		case <-released:
			return only.send(c)
		case <-c.Request().Context().Done():
			return c.Request().Context().Err()
		}
	})
	e.POST("/release", func(c echo.Context) error {
		close(released)
		return c.NoContent(http.StatusNoContent)
	})
	e.GET("/count", func(c echo.Context) error {
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		return c.JSON(http.StatusOK, map[string]int64{"waiting": waiting.Load(), "mallocs": int64(memory.Mallocs)})
	})
}
