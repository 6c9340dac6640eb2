package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/config"
)

// pollEvery is how often a front end checks whether admin_tokens_file changed. A
// change is in use after at most two polls and what reading takes.
const pollEvery = time.Second

// tokens returns the tokens that let their bearers change state: those of the
// configuration, with those that admin_tokens_file has now, and the one that a
// server made for itself.
func (a *App) tokens(ofFile []cloudmirror.Token) []cloudmirror.Token {
	return slices.Concat(a.ownTokens, a.config.WithTokens(ofFile))
}

// makeOwnToken makes a token for a front end that copies itself, if none is
// configured: its commands read the token from the data directory.
func (a *App) makeOwnToken() error {
	if len(a.config.Tokens()) > 0 || !a.does.Copy {
		return nil
	}
	plain, err := adminToken(a.config.DataDir)
	if err != nil {
		return err
	}
	a.ownTokens = []cloudmirror.Token{{Hash: cloudmirror.HashToken(plain)}}
	return nil
}

// watchTokens has the front end take new tokens when admin_tokens_file changes.
func (a *App) watchTokens() {
	if !a.does.Front || a.config.AdminTokensFile == "" {
		return
	}
	w := &tokensWatch{
		file: a.config.AdminTokensFile, current: a.config.FileTokens(), logger: a.logger,
		use: func(ofFile []cloudmirror.Token) { a.frontend.SetTokens(a.tokens(ofFile)) },
	}
	a.drivers.background = append(a.drivers.background, w.run)
	a.drivers.addDependency(dependency{name: "admin tokens", check: w.check, live: true})
}

// A tokensWatch reads admin_tokens_file again when it changed. A file that is gone,
// has a line that is no token, or has lost all of its tokens, leaves those in use
// that were read before: it is logged once, and check tells it until it is mended.
type tokensWatch struct {
	file   string
	logger *zap.Logger
	use    func([]cloudmirror.Token)

	// Of the goroutine of run alone.
	current []cloudmirror.Token // that are in use
	seen    fs.FileInfo         // at the last poll; nil: there was no file
	read    fs.FileInfo         // when the file was last read

	problem atomic.Pointer[error] // nil: the file is in use
}

// run polls the file until ctx ends.
func (w *tokensWatch) run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.poll()
		}
	}
}

// poll reads the file if it is another than the one that was read last. One that
// changed since the last poll may still be being written: it is left for the next.
func (w *tokensWatch) poll() {
	info, err := os.Stat(w.file)
	if err != nil {
		w.seen, w.read = nil, nil
		w.note(fmt.Errorf("admin_tokens_file: %w", err))
		return
	}
	isStill := isSameFile(info, w.seen)
	w.seen = info
	if !isStill || isSameFile(info, w.read) {
		return
	}
	w.read = info
	tokens, err := config.ReadTokens(w.file)
	if err == nil && len(tokens) == 0 && len(w.current) > 0 {
		err = errors.New("admin_tokens_file: has no tokens any more; restart to do without")
	}
	if err == nil && !slices.Equal(tokens, w.current) {
		w.current = tokens
		w.use(tokens)
		w.logger.Info("admin tokens were read again", zap.Int("tokens", len(tokens)))
	}
	w.note(err)
}

func isSameFile(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// note keeps what is wrong with the file, and logs it if that is news.
func (w *tokensWatch) note(err error) {
	if err == nil {
		w.problem.Store(nil)
		return
	}
	if before := w.problem.Swap(&err); before == nil || (*before).Error() != err.Error() {
		w.logger.Warn("admin tokens cannot be read again; those that were read before stay valid", zap.Error(err))
	}
}

// check returns what is wrong with the file, for /readyz.
func (w *tokensWatch) check(context.Context) error {
	if problem := w.problem.Load(); problem != nil {
		return fmt.Errorf("those that were read before stay valid: %w", *problem)
	}
	return nil
}
