package kubernetes_test

import (
	"slices"
	"strings"
)

type service struct {
	Selector labels
	Ports    []struct {
		Name       string
		TargetPort numberOrName
	}
}

type ingress struct {
	Rules []struct {
		HTTP struct {
			Paths []struct {
				Path    string
				Backend struct {
					Service struct {
						Name string
						Port struct{ Name string }
					}
				}
			}
		}
	}
}

type serviceMonitor struct {
	Selector  selector
	Endpoints []struct{ Port, Path string }
}

// pods returns the pods whose labels a selector finds.
func (all objects) pods(l labels) []pod {
	var found []pod
	each(all, "Deployment", func(_ object, d deployment) {
		if l.selects(d.Template.Metadata.Labels) {
			found = append(found, d.Template.Spec)
		}
	})
	return found
}

// checkServices checks who leads where: ingress to service, monitor to service,
// service to pod, and each to a port that is there.
func (all objects) checkServices(c *complaints) {
	ports := make(map[string][]string) // of each service
	each(all, "Service", func(o object, s service) {
		pods := all.pods(s.Selector)
		c.want(len(pods) == 1, "%s selects the pods of %d deployments", o, len(pods))
		for _, port := range s.Ports {
			ports[o.Metadata.Name] = append(ports[o.Metadata.Name], port.Name)
			for _, p := range pods {
				_, known := p.port(port.TargetPort)
				c.want(known, "%s leads to a port %q that is not there", o, port.TargetPort)
			}
		}
	})
	each(all, "Ingress", func(o object, i ingress) {
		for _, rule := range i.Rules {
			hidden := false
			for _, path := range rule.HTTP.Paths {
				s := path.Backend.Service
				if s.Port.Name == "use-annotation" { // of an ALB: it answers by itself
					action := o.Metadata.Annotations["alb.ingress.kubernetes.io/actions."+s.Name]
					c.want(strings.Contains(action, `"statusCode":"404"`), "%s answers %s by the action %q", o, path.Path, action)
					hidden = hidden || path.Path == "/metrics"
					continue
				}
				c.want(slices.Contains(ports[s.Name], s.Port.Name), "%s leads to a port %q of a service %q", o, s.Port.Name, s.Name)
			}
			c.want(hidden, "%s shows the metrics to clients", o)
		}
	})
	each(all, "ServiceMonitor", func(o object, m serviceMonitor) {
		watched := 0
		each(all, "Service", func(s object, _ service) {
			if !m.Selector.MatchLabels.selects(s.Metadata.Labels) {
				return
			}
			watched++
			for _, e := range m.Endpoints {
				c.want(slices.Contains(ports[s.Metadata.Name], e.Port), "%s asks a port %q of %s", o, e.Port, s)
				c.want(e.Path == "/metrics", "%s asks for %s", o, e.Path)
			}
		})
		c.want(watched == len(roles), "%s watches %d services, not one of each role", o, watched)
	})
}
