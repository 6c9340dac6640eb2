package kubernetes_test

import (
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/config"
)

// What a stopping process takes beside the times in its configuration: a copier
// tells entries and queue how its jobs ended, for 30 s at most; a front end ends.
const (
	handingBack = 30 * time.Second
	ending      = 5 * time.Second
)

// secrets are what the secret holds, by key.
var secrets = map[string]string{
	"redis-url":    "rediss://:password@redis.example.com:6379/0",
	"admin-tokens": "a-token-of-the-tests\n",
}

// A filesystem is what a container sees of its volumes, in a directory.
type filesystem struct{ dir string }

func (f filesystem) path(name string) string { return filepath.Join(f.dir, name) }

// mount writes the volumes of a container.
func (all objects) mount(t *testing.T, p pod, container container, c *complaints) filesystem {
	t.Helper()
	f := filesystem{dir: t.TempDir()}
	for _, m := range container.VolumeMounts {
		for _, v := range p.Volumes {
			files := make(map[string]string)
			switch {
			case v.Name != m.Name:
				continue
			case v.ConfigMap != nil:
				o, known := all.find("ConfigMap", v.ConfigMap.Name)
				c.want(known, "there is no ConfigMap %s", v.ConfigMap.Name)
				files = o.Data
			case v.Secret != nil:
				for _, item := range v.Secret.Items {
					text, known := secrets[item.Key]
					c.want(known, "the secret has no key %s", item.Key)
					files[item.Path] = text
				}
			}
			for name, text := range files {
				file := f.path(filepath.Join(m.MountPath, name))
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return f
}

// environ returns the variables of a container, paths led to where its files are.
func (f filesystem) environ(container container) []string {
	var environ []string
	for _, v := range container.Env {
		text := v.Value
		if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
			text = secrets[v.ValueFrom.SecretKeyRef.Key]
		}
		if strings.HasPrefix(text, "/") {
			text = f.path(text)
		}
		environ = append(environ, v.Name+"="+text)
	}
	return environ
}

// load reads the configuration as the container would, and has the program itself
// check it for the role. Nil: it complained.
func (all objects) load(t *testing.T, o object, p pod, c *complaints) *config.Config {
	t.Helper()
	container := p.Containers[0]
	files := all.mount(t, p, container, c)
	if len(container.Args) != 2 || !strings.HasPrefix(container.Args[1], "--config=") {
		c.add("%s runs %q", o, container.Args)
		return nil
	}
	file, environ := files.path(strings.TrimPrefix(container.Args[1], "--config=")), files.environ(container)
	command := exec.CommandContext(t.Context(), binary, "config", "check", "--role", container.role(), "--config", file)
	command.Env = environ
	if output, err := command.CombinedOutput(); err != nil || strings.Contains(string(output), "warning") {
		c.add("%s: config check: %v %s", o, err, output)
		return nil
	}
	loaded, err := config.Load(file, environ, config.Overrides{})
	if err != nil {
		c.add("%s: %v", o, err)
		return nil
	}
	return loaded
}

// checkConfigurations holds the objects against the configuration in them.
func (all objects) checkConfigurations(t *testing.T, c *complaints) {
	t.Helper()
	each(all, "Deployment", func(o object, d deployment) {
		p := d.Template.Spec
		loaded := all.load(t, o, p, c)
		if loaded == nil {
			return
		}
		listens := map[string]string{"admin": loaded.AdminListen}
		stop := loaded.Copier.Grace + handingBack
		if p.Containers[0].role() == "frontend" {
			listens["http"] = loaded.Listen
			stop = loaded.ShutdownDelay + max(loaded.Copier.Grace, ending) + ending
			c.want(len(loaded.Tokens()) > 0, "%s has no admin tokens", o)
			c.want(loaded.ShutdownDelay >= 10*time.Second, "%s: shutdown_delay of %v is over before a load balancer notices", o, loaded.ShutdownDelay)
		}
		for name, address := range listens {
			port, _ := p.port(numberOrName(name))
			c.want(address == ":"+strconv.Itoa(port), "%s: its port %s is %d, and it listens on %q", o, name, port, address)
		}
		allowed := time.Duration(p.TerminationGracePeriodSeconds) * time.Second
		c.want(allowed >= stop, "%s is killed after %v, and may take %v to stop", o, allowed, stop)
		c.want(loaded.Cache.Redis.URL == secrets["redis-url"], "%s does not have its Redis from the secret", o)
		if p.Containers[0].role() == "copier" {
			all.checkQueues(c, loaded)
		}
	})
}

// checkQueues wants the copiers to be scaled by the queues that they read.
func (all objects) checkQueues(c *complaints, loaded *config.Config) {
	each(all, "ScaledObject", func(o object, s scaledObject) {
		scaled := make(map[string]bool)
		for _, trigger := range s.Triggers {
			sqs := loaded.Queue.SQS
			queue, err := url.Parse(trigger.Metadata["queueURL"])
			if err != nil {
				c.add("%s: %v", o, err)
				continue
			}
			scaled[path.Base(queue.Path)] = true
			c.want(trigger.Type == "aws-sqs-queue", "%s goes by a trigger %q", o, trigger.Type)
			c.want(strings.Contains(queue.Host, sqs.Region) && trigger.Metadata["awsRegion"] == sqs.Region,
				"%s looks for the queue in %s of %s, and it is in %s", o, queue.Host, trigger.Metadata["awsRegion"], sqs.Region)
			c.want(trigger.Metadata["queueLength"] == strconv.Itoa(loaded.Copier.Concurrency),
				"%s: queueLength is %s, copier.concurrency %d", o, trigger.Metadata["queueLength"], loaded.Copier.Concurrency)
		}
		read := make(map[string]bool)
		for _, b := range loaded.Copier.Backends {
			read[loaded.Queue.SQS.QueueName(b)] = true
		}
		if diff := cmp.Diff(read, scaled); diff != "" {
			c.add("%s does not scale by the queues that its copiers read (-read +scaled):\n%s", o, diff)
		}
	})
}

// TestTheRegionsAreOneDeployment: their configurations differ in the backends
// that are copied to, and each backend has its copiers.
func TestTheRegionsAreOneDeployment(t *testing.T) {
	var texts []string
	copied := make(map[cloudmirror.BackendID]int)
	var services []config.Service
	for _, overlay := range overlays[1:] {
		all, err := parse(build(t, overlay))
		if err != nil {
			t.Fatal(err)
		}
		var c complaints
		each(all, "Deployment", func(o object, d deployment) {
			if loaded := all.load(t, o, d.Template.Spec, &c); loaded != nil && d.Template.Spec.Containers[0].role() == "copier" {
				for _, b := range loaded.Copier.Backends {
					copied[b]++
				}
				loaded.Copier.Backends, services = nil, loaded.Services
				var text strings.Builder
				if err := loaded.Print(&text); err != nil {
					t.Fatal(err)
				}
				texts = append(texts, text.String())
			}
		})
		for _, complaint := range c {
			t.Error(complaint)
		}
	}
	if len(texts) != 2 {
		t.Fatalf("%d configurations were read", len(texts))
	}
	if diff := cmp.Diff(texts[0], texts[1]); diff != "" {
		t.Errorf("the regions differ:\n%s", diff)
	}
	for _, s := range services {
		for _, b := range s.Backends {
			if copied[b.ID] != 1 {
				t.Errorf("%d regions copy to %s", copied[b.ID], b.ID)
			}
		}
	}
}
