package main

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v of %v is %v, want %v", q, values, got, want)
		}
	}
	if got, want := spread(values, 1), "3.0 [2.0–4.0]"; got != want {
		t.Errorf("spread %q, want %q", got, want)
	}
}

func TestRatiosAndDifferencesAreTakenInPairs(t *testing.T) {
	if got, want := ratios([]float64{1, 6}, []float64{2, 3}), []float64{0.5, 2}; !slices.Equal(got, want) {
		t.Errorf("ratios %v, want %v", got, want)
	}
	if got, want := differences([]float64{1, 6}, []float64{2, 3}), []float64{-1, 3}; !slices.Equal(got, want) {
		t.Errorf("differences %v, want %v", got, want)
	}
}

func TestProcessNumbers(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	p := &process{command: &exec.Cmd{Process: self}}
	for begun := time.Now(); ; {
		used, err := p.cpu()
		if err != nil {
			t.Fatal(err)
		}
		if used > 0 && used < 10*time.Minute {
			break
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("after 30 s of work, %v were used", used)
		}
	}
	if peak, err := p.peakMemory(); err != nil || peak < 1<<20 || peak > 4<<30 {
		t.Errorf("peak memory %d bytes, error %v", peak, err)
	}
}

func TestReadAnswer(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 5\r\n\r\nhello" +
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n" + "HTTP/1.1 302 Found\r\n\r\n"))
	for i, want := range []bool{true, false, true} {
		if got, err := readAnswer(r); got != want || err != nil {
			t.Errorf("answer %d is a redirect: %v, error %v, want %v", i, got, err, want)
		}
	}
	if _, err := readAnswer(r); err == nil {
		t.Error("there was an answer after the last one")
	}
}
