package app

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"cloudmirror"
	"cloudmirror/presence"
)

// newBoard returns the board on which the process notes that it is there.
func (a *App) newBoard(version string) *presence.Board {
	self := presence.Note{Role: string(a.role), Name: processName(), Version: version, Started: time.Now()}
	for _, b := range a.drivers.backends {
		if b.copied {
			self.CopiesTo = append(self.CopiesTo, b.ID.String())
		}
	}
	board := presence.New(presence.Options{
		Store: a.drivers.records, Self: self, Dependencies: a.health.dependencies, Copies: a.copies, Requests: a.requests,
	})
	a.registry.MustRegister(newCopierMetrics(board, a.drivers.backends))
	return board
}

// processName returns what tells people which process it is.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// copies returns those that the process holds.
func (a *App) copies() []presence.Copy {
	if a.copier == nil {
		return nil
	}
	return a.copier.Copies()
}

// requests returns the redirects since the start of the process.
func (a *App) requests() map[string]map[string]uint64 {
	if a.frontend == nil {
		return nil
	}
	return a.frontend.Requests()
}

// serveReady answers /readyz. Beside what the process knows of its own dependencies,
// a line for each backend says whether any process copies to it. A process that
// answers clients says as well what is down for the processes that copy. Operators
// find their causes in /v1/backends.
func (a *App) serveReady(w http.ResponseWriter, r *http.Request) {
	notes, err := a.board.Notes(r.Context())
	a.health.serveReady(w, r, func(d dependency) string {
		if !a.does.Front || d.live {
			return ""
		}
		return a.downElsewhere(notes, d)
	})
	for _, b := range a.drivers.backends {
		state := stateOK
		switch {
		case err != nil:
			state = "not known: " + cloudmirror.Clause(err)
		case presence.Copiers(notes, b.ID.String()) == 0:
			state = "no process copies to it"
		}
		fmt.Fprintf(w, "copiers %s: %s\n", b.ID, state)
	}
}

// downElsewhere says for how many of the processes that copy to a backend a
// dependency is down. "": for none.
func (a *App) downElsewhere(notes []presence.Note, d dependency) string {
	for _, b := range a.drivers.backends {
		if d.backend != (cloudmirror.BackendID{}) && d.backend != b.ID {
			continue
		}
		if failing, copying, _ := presence.Failing(notes, b.ID.String(), d.name); failing > 0 {
			return fmt.Sprintf("down for %d of %d processes that copy to %s", failing, copying, b.ID)
		}
	}
	return ""
}
