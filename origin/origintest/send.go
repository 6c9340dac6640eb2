package origintest

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// blockBytes is how much is generated at once; with BytesPerSecond, a tenth of
// a second's worth at most.
const blockBytes = 64 << 10

// send writes the answer, with all that is to go wrong from here on.
func send(w http.ResponseWriter, r *http.Request, b Behaviour, number, status int, body *io.SectionReader) {
	length := body.Size() + b.LengthOff
	if !b.Chunked && !b.CloseDelimited {
		w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	out, done := io.Writer(w), func() {}
	if b.CloseDelimited || b.LengthOff < 0 {
		// net/http writes neither of these.
		out, done = hijack(w, b, status)
	} else {
		w.WriteHeader(status)
	}
	defer done()
	flush(out)
	if !pause(r, b.BodyDelay) {
		return
	}
	if b.CutAfter != 0 && b.applies(number) {
		cut := min(max(b.CutAfter, 0), body.Size())
		write(out, r, b, io.NewSectionReader(body, 0, cut))
		flush(out)
		done()
		panic(http.ErrAbortHandler) // net/http breaks the connection
	}
	if b.StallAfter != 0 && b.applies(number) {
		write(out, r, b, io.NewSectionReader(body, 0, min(b.StallAfter, body.Size())))
		flush(out)
		<-r.Context().Done()
		return
	}
	write(out, r, b, body)
}

// write copies the body at the behaviour's speed, as long as the client listens.
// What timers are late by is caught up with.
func write(out io.Writer, r *http.Request, b Behaviour, body io.Reader) {
	block := make([]byte, blockBytes)
	if b.BytesPerSecond > 0 {
		block = block[:max(min(b.BytesPerSecond/10, blockBytes), 1)]
	}
	began, sent := time.Now(), int64(0)
	for {
		n, err := body.Read(block)
		if _, writeError := out.Write(block[:n]); writeError != nil || err != nil {
			return
		}
		if b.BytesPerSecond > 0 {
			flush(out)
			sent += int64(n)
			due := time.Duration(float64(sent) / float64(b.BytesPerSecond) * float64(time.Second))
			if r.Context().Err() != nil || !pause(r, due-time.Since(began)) {
				return
			}
		}
	}
}

func flush(out io.Writer) {
	switch f := out.(type) {
	case http.Flusher:
		f.Flush()
	case *bufio.Writer:
		_ = f.Flush() // the client left: the next write says so
	}
}

// hijack takes the connection and writes the header by hand. The returned
// function ends it.
func hijack(w http.ResponseWriter, b Behaviour, status int) (io.Writer, func()) {
	conn, stream, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(fmt.Sprintf("origintest: this behaviour needs HTTP/1: %v", err))
	}
	version := "HTTP/1.1"
	if b.CloseDelimited {
		version = "HTTP/1.0"
	}
	fmt.Fprintf(stream, "%s %d %s\r\n", version, status, http.StatusText(status))
	_ = w.Header().Write(stream) // errors stay with the buffer until Flush
	fmt.Fprint(stream, "Connection: close\r\n\r\n")
	return stream.Writer, func() {
		_ = stream.Flush()
		_ = conn.Close()
	}
}

func sendRaw(w http.ResponseWriter, answer string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(fmt.Sprintf("origintest: a raw answer needs HTTP/1: %v", err))
	}
	_, _ = io.WriteString(conn, answer) // a client that does not read on knows enough
	_ = conn.Close()
}
