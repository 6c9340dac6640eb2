package servers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
)

// withoutMoto is set to 1 by who runs the tests where moto cannot be installed.
const withoutMoto = "CLOUDMIRROR_WITHOUT_MOTO"

// A Moto is a running moto server, which speaks the protocols of SQS and others.
type Moto struct {
	*Process
	Endpoint string // http://127.0.0.1:PORT
}

// StartMoto starts moto, an implementation of SQS that nobody of this project
// wrote. It takes any credentials, and some 40 messages a second.
//
// Without moto the test fails, unless CLOUDMIRROR_WITHOUT_MOTO=1 says that this
// is known: then it is skipped, and nothing independent has seen sqsqueue.
func StartMoto(t testing.TB) *Moto {
	t.Helper()
	if _, err := exec.LookPath("moto_server"); err != nil && os.Getenv(withoutMoto) == "1" {
		t.Skipf("NOT TESTED against an independent SQS: moto_server is missing, and %s=1 is set", withoutMoto)
	}
	program := find(t, "moto_server", "`pip install 'moto[server]'`")
	host, port := "127.0.0.1", FreePort(t)
	m := &Moto{Endpoint: "http://" + net.JoinHostPort(host, port)}
	m.Process = Start(t, m.ready, nil, program, "-H", host, "-p", port)
	return m
}

func (m *Moto) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Endpoint+"/moto-api/data.json", http.NoBody)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("moto answers %s", response.Status)
	}
	return nil
}
