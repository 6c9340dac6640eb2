package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
	"cloudmirror/config"
)

// adminTokenFile is where `serve` keeps a token of its own, in the data
// directory.
const adminTokenFile = "admin-token"

// A target is which server a command talks to, and about which backend.
type target struct {
	server  string
	backend cloudmirror.BackendID
	token   string
	json    bool

	loaded *config.Config

	givenServer string // by the flag

	flags      cloudmirror.BackendID // what flags said of the backend
	incomplete error                 // why the backend is not complete without an address
}

// newClient returns a client of the server. The caller closes it.
func (t *target) newClient() *client.Client {
	return client.New(client.Options{Server: t.server, Token: t.token, UserAgent: "cloudmirror/" + buildVersion().Version})
}

func (t *target) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&t.server, "server", "", "ask the front end at `URL` (default: that of the configuration)")
	flags.StringVar(&t.backend.Service, "service", "", "`NAME` of the service (default: the only one)")
	flags.StringVar(&t.backend.Region, "region", "", "`NAME` of the region (default: the only one)")
	addJSONFlag(command, &t.json)
}

func (t *target) addTokenFlag(command *cobra.Command) {
	command.Flags().StringVar(&t.token, "token", "", "bearer `TOKEN`; other users can see it, so rather set "+config.TokenVariable)
}

// complete fills in from the configuration what flags left open.
func (t *target) complete(c *cli) error {
	if err := t.completeServer(c); err != nil {
		return err
	}
	return t.completeBackend()
}

func (t *target) completeServer(c *cli) error {
	loaded, err := c.load(config.Overrides{})
	if err != nil {
		return err
	}
	t.loaded, t.givenServer = loaded, t.server
	if t.server == "" {
		t.server = loaded.ServerURL()
	}
	return checkServer(t.server)
}

func (t *target) completeBackend() error {
	if err := t.completeService(); err != nil {
		return err
	}
	return t.completeRegion()
}

func checkServer(server string) error {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return usagef("--server: %s must be a URL such as https://mirror.example.com, without user, query and fragment", withoutSecrets(server))
	}
	return nil
}

func (t *target) completeService() error {
	if t.backend.Service == "" {
		names := make([]string, 0, len(t.loaded.Services))
		for _, s := range t.loaded.Services {
			names = append(names, s.Name)
		}
		if len(names) != 1 {
			return usagef("--service must say which one: %s", strings.Join(names, ", "))
		}
		t.backend.Service = names[0]
	}
	if err := cloudmirror.CheckService(t.backend.Service); err != nil {
		return usagef("--service: %w", err)
	}
	return nil
}

func (t *target) completeRegion() error {
	if t.backend.Region == api.EveryRegion {
		return nil
	}
	if t.backend.Region == "" {
		i := slices.IndexFunc(t.loaded.Services, func(s config.Service) bool { return s.Name == t.backend.Service })
		if i < 0 {
			return usagef("--region must be given: the configuration does not know service %s", t.backend.Service)
		}
		backends := t.loaded.Services[i].Backends
		if len(backends) != 1 {
			names := make([]string, 0, len(backends))
			for _, b := range backends {
				names = append(names, b.ID.Region)
			}
			return usagef("--region must say which one: %s", strings.Join(names, ", "))
		}
		t.backend.Region = backends[0].ID.Region
	}
	if err := cloudmirror.CheckRegion(t.backend.Region); err != nil {
		return usagef("--region: %w", err)
	}
	return nil
}

// requireToken is completeToken for what is not done without one.
func (t *target) requireToken(c *cli) error {
	if err := t.completeToken(c); err != nil {
		return err
	}
	if t.token == "" {
		return usagef("a token is needed: set %s or pass --token; %s/%s is not there", config.TokenVariable, t.loaded.DataDir, adminTokenFile)
	}
	return nil
}

// completeToken finds the token: that of the flag, of the environment, or the
// one that `serve` made, in the data directory. There may be none.
func (t *target) completeToken(c *cli) error {
	for _, entry := range c.environ {
		if name, value, _ := strings.Cut(entry, "="); name == config.TokenVariable && t.token == "" {
			t.token = value
		}
	}
	if t.token != "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(t.loaded.DataDir, adminTokenFile))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the token of the server on this machine: %w", err)
	}
	t.token = strings.TrimSpace(string(text))
	return nil
}
