package kubernetes_test

type autoscaler struct {
	ScaleTargetRef struct{ Kind, Name string }
	MinReplicas    int
}

type scaledObject struct {
	ScaleTargetRef  struct{ Name string }
	MinReplicaCount int
	Triggers        []trigger
}

type trigger struct {
	Type              string
	AuthenticationRef struct{ Name string }
	Metadata          map[string]string
}

type disruptionBudget struct{ Selector selector }

// checkScaling wants exactly one to say how many there are of each role, and a
// budget for each that leaves room to drain a node.
func (all objects) checkScaling(c *complaints) {
	scaled := make(map[string]int)
	each(all, "HorizontalPodAutoscaler", func(o object, a autoscaler) {
		c.want(a.ScaleTargetRef.Kind == "Deployment", "%s scales a %s", o, a.ScaleTargetRef.Kind)
		c.want(a.MinReplicas >= 2, "%s lets a single one answer all clients", o)
		scaled[a.ScaleTargetRef.Name]++
	})
	each(all, "ScaledObject", func(o object, s scaledObject) {
		c.want(s.MinReplicaCount >= 1, "%s lets the first client wait for a node", o)
		scaled[s.ScaleTargetRef.Name]++
		for _, trigger := range s.Triggers {
			_, known := all.find("TriggerAuthentication", trigger.AuthenticationRef.Name)
			c.want(known, "%s has an unknown authentication %q", o, trigger.AuthenticationRef.Name)
		}
	})
	each(all, "Deployment", func(o object, d deployment) {
		by := scaled[o.Metadata.Name]
		delete(scaled, o.Metadata.Name)
		c.want(by <= 1, "%s is scaled by %d", o, by)
		c.want((d.Replicas == nil) == (by == 1), "%s: its autoscaler and its replicas contradict each other, or there is neither", o)
		budgets := 0
		each(all, "PodDisruptionBudget", func(_ object, b disruptionBudget) {
			if b.Selector.MatchLabels.selects(d.Template.Metadata.Labels) {
				budgets++
			}
		})
		c.want(budgets == 1, "%s has %d disruption budgets", o, budgets)
	})
	for name := range scaled {
		c.add("an autoscaler scales an unknown deployment %q", name)
	}
}
