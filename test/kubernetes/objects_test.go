package kubernetes_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An object is one of Kubernetes, its spec still to be read as its kind's.
type object struct {
	Kind     string
	Metadata struct {
		Name        string
		Labels      labels
		Annotations map[string]string
	}
	Data map[string]string
	Spec json.RawMessage
}

func (o object) String() string { return o.Kind + " " + o.Metadata.Name }

type objects []object

// parse reads the objects of a file. As YAML they go through JSON, whose field
// names are those of Kubernetes, but for their case.
func parse(text string) (objects, error) {
	var all objects
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var tree any
		switch err := decoder.Decode(&tree); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		data, err := json.Marshal(tree)
		if err != nil {
			return nil, err
		}
		var o object
		if err := json.Unmarshal(data, &o); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
}

type labels map[string]string

// selects reports whether a selector with these labels finds others. Nothing is
// selected by none: no policy or service of ours is meant for everything.
func (l labels) selects(others labels) bool {
	for name, value := range l {
		if others[name] != value {
			return false
		}
	}
	return len(l) > 0
}

func (l labels) equal(others labels) bool { return maps.Equal(l, others) }

type selector struct{ MatchLabels labels }

// find returns the object of a kind and name.
func (all objects) find(kind, name string) (object, bool) {
	for _, o := range all {
		if o.Kind == kind && o.Metadata.Name == name {
			return o, true
		}
	}
	return object{}, false
}

// each calls f with the spec of every object of a kind.
func each[Spec any](all objects, kind string, f func(object, Spec)) {
	for _, o := range all {
		if o.Kind != kind {
			continue
		}
		var spec Spec
		if err := json.Unmarshal(o.Spec, &spec); err != nil {
			panic(fmt.Sprintf("the spec of %s: %v", o, err)) // its schema was checked
		}
		f(o, spec)
	}
}

// What is read of a Deployment.
type deployment struct {
	Replicas *int
	Selector selector
	Template struct {
		Metadata struct{ Labels labels }
		Spec     pod
	}
}

type pod struct {
	ServiceAccountName            string
	AutomountServiceAccountToken  *bool
	TerminationGracePeriodSeconds int
	SecurityContext               struct {
		RunAsNonRoot   bool
		RunAsUser      int
		SeccompProfile struct{ Type string }
	}
	TopologySpreadConstraints []struct{ LabelSelector selector }
	Containers                []container
	Volumes                   []volume
}

type container struct {
	Image     string
	Args      []string
	Env       []variable
	Ports     []containerPort
	Resources struct {
		Requests, Limits map[string]string
	}
	ReadinessProbe, LivenessProbe *probe
	SecurityContext               struct {
		AllowPrivilegeEscalation *bool
		ReadOnlyRootFilesystem   bool
		Capabilities             struct{ Add, Drop []string }
	}
	VolumeMounts []struct {
		Name, MountPath string
		ReadOnly        bool
	}
}

type containerPort struct {
	Name          string
	ContainerPort int
}

type variable struct {
	Name, Value string
	ValueFrom   *struct {
		SecretKeyRef *struct{ Name, Key string }
	}
}

type probe struct {
	HTTPGet *struct {
		Path string
		Port numberOrName
	}
}

// A numberOrName is a port as Kubernetes writes it.
type numberOrName string

func (n *numberOrName) UnmarshalJSON(data []byte) error {
	*n = numberOrName(strings.Trim(string(data), `"`))
	return nil
}

type volume struct {
	Name      string
	ConfigMap *struct{ Name string }
	Secret    *struct {
		SecretName string
		Items      []struct{ Key, Path string }
	}
}

// port returns the number of a port by its name.
func (p pod) port(name numberOrName) (int, bool) {
	for _, c := range p.Containers {
		for _, port := range c.Ports {
			if port.Name == string(name) {
				return port.ContainerPort, true
			}
		}
	}
	return 0, false
}
