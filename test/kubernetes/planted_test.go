package kubernetes_test

import (
	"strings"
	"testing"
)

// A plant is a fault that somebody might make: a change of one place of what
// kustomize built for a region.
type plant struct{ name, old, new, want string }

// The schemas find misspelt and misplaced fields and values of wrong types.
var schemaPlants = []plant{
	{"a misspelt field of a container", "readinessProbe:", "readynessProbe:", "unknown field"},
	{"a misspelt field of a pod", "terminationGracePeriodSeconds:", "terminationGracePeriod:", "unknown field"},
	{"a misspelt field of KEDA's", "pollingInterval:", "poolingInterval:", "unknown field"},
	{"a misspelt field of the monitor", "endpoints:", "endpoint:", "unknown field"},
	{"a misspelt field of a policy", "policyTypes:", "policyType:", "unknown field"},
	{"a number without its unit", "interval: 15s", "interval: 15", "must be of type string"},
	{"a text for a number", "minReplicas: 2", "minReplicas: two", "must be of type integer"},
	{"a value that KEDA does not know", "currentReplicasIfHigher", "currentIfHigher", "Unsupported value"},
	{"a kind that is not there", "kind: PodDisruptionBudget", "kind: PodDisruptionBudgets", "PodDisruptionBudgets"},
}

func TestSchemasFindPlantedFaults(t *testing.T) {
	text := build(t, overlays[1])
	for _, p := range schemaPlants {
		t.Run(p.name, func(t *testing.T) {
			said, err := validate(t.Context(), t.TempDir(), p.in(t, text))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(said, p.want) {
				t.Errorf("it was not found: %q", said)
			}
		})
	}
}

// in makes the change.
func (p plant) in(t *testing.T, text string) string {
	t.Helper()
	if !strings.Contains(text, p.old) {
		t.Fatalf("%q is not there any more: plant something else", p.old)
	}
	return strings.Replace(text, p.old, p.new, 1)
}

var plants = []plant{
	{"a probe of another port", "path: /readyz\n            port: admin", "path: /readyz\n            port: metrics", "the port \"metrics\""},
	{"a probe of another path", "path: /healthz", "path: /health", "instead of /healthz"},
	{"a variable that sets no key", "name: CLOUDMIRROR_CACHE_REDIS_URL", "name: CLOUDMIRROR_REDIS_URL", "CLOUDMIRROR_REDIS_URL sets no key"},
	{"a secret in the clear", "name: CLOUDMIRROR_ADMIN_TOKENS_FILE", "name: CLOUDMIRROR_CACHE_REDIS_URL", "may be a secret"},
	{"a memory limit below GOMEMLIMIT", "memory: 1Gi", "memory: 900Mi", "GOMEMLIMIT is 920 MiB"},
	{"a wrong unit", "memory: 512Mi", "memory: 512M", "neither Mi nor Gi"},
	{"a writable root", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "can write its root"},
	{"root", "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"},
	{"no seccomp", "type: RuntimeDefault", "type: Unconfined", "seccomp"},
	{"capabilities", "- ALL", "- NET_RAW", "keeps capabilities"},
	{"two images", "image: example/cloudmirror:0.1.0", "image: example/cloudmirror:0.2.0", "different images"},
	{"a selector of no pods", "selector:\n    app.kubernetes.io/component: frontend", "selector:\n    app.kubernetes.io/component: front-end", "selects the pods of 0"},
	{"a target port that is not there", "targetPort: http", "targetPort: https", "a port \"https\" that is not there"},
	{"an ingress to nowhere", "port:\n              name: http", "port:\n              name: web", "leads to a port \"web\""},
	{"metrics through the ingress", "path: /metrics\n        pathType", "path: /metric\n        pathType", "shows the metrics to clients"},
	{"an action that is not there", "actions.not-for-clients", "actions.for-nobody", "by the action \"\""},
	{"a killed copier", "terminationGracePeriodSeconds: 75", "terminationGracePeriodSeconds: 30", "is killed after 30s"},
	{"a killed front end", "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 45", "is killed after 45s"},
	{"no delay at a stop", "shutdown_delay: 20s", "shutdown_delay: 1s", "before a load balancer notices"},
	{"a misspelt key of the configuration", "public_url:", "publicurl:", "config check"},
	{"a memory cache", "cache: {type: redis}", "cache: {type: memory}", "config check"},
	{"another listen address", "listen: \":8080\"", "listen: \":8081\"", "listens on \":8081\""},
	{"the queue of the other region", "cloudmirror-s3-us-east-1", "cloudmirror-s3-eu-west-1", "does not scale by the queues"},
	{"the region of another queue", "awsRegion: us-east-1", "awsRegion: eu-west-1", "and it is in us-east-1"},
	{"another concurrency", "queueLength: \"16\"", "queueLength: \"5\"", "copier.concurrency 16"},
	{"an autoscaler of nothing", "kind: Deployment\n    name: cloudmirror-frontend", "kind: Deployment\n    name: frontend", "unknown deployment"},
	{"replicas beside an autoscaler", "spec:\n  selector:\n    matchLabels:\n      app.kubernetes.io/component: copier", "spec:\n  replicas: 3\n  selector:\n    matchLabels:\n      app.kubernetes.io/component: copier", "contradict"},
	{"a private range let through", "        - 172.16.0.0/12\n", "", "may reach 172.16.0.1"},
	{"a private range that is too small", "- 10.0.0.0/8", "- 10.0.0.0/9", "may reach 10.255.255.254"},
	{"6to4 let through", "        - 2002::/16\n", "", "may reach 2002:a00:1::1"},
	{"too much kept away", "- 172.16.0.0/12", "- 172.0.0.0/8", "cannot reach 172.15.0.1"},
	{"another Redis", "cidr: 10.20.0.0/24", "cidr: 10.30.0.0/24", "cannot reach Redis"},
	{"no name servers", "k8s-app: kube-dns", "k8s-app: dns", "name servers"},
	{"metrics for everybody", "port: http\n  podSelector", "port: admin\n  podSelector", "everybody reaches the ports [\"admin\"]"},
	{"a budget of nobody", "kind: PodDisruptionBudget\n", "kind: Budget\n", "0 disruption budgets"},
	{"a monitor of nothing", "app.kubernetes.io/part-of: metrics\n  name: cloudmirror-copier-metrics", "app.kubernetes.io/part-of: metric\n  name: cloudmirror-copier-metrics", "watches 1 services"},
	{"a volume of another map", "configMap:\n          name: cloudmirror-", "configMap:\n          name: cloudmirrors-", "there is no ConfigMap"},
	{"an unknown key of the secret", "key: admin-tokens", "key: tokens", "the secret has no key"},
	{"an unknown service account", "serviceAccountName: cloudmirror-copier", "serviceAccountName: default", "unknown service account"},
}

func TestChecksFindPlantedFaults(t *testing.T) {
	text := build(t, overlays[1])
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			all, err := parse(p.in(t, text))
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Join(check(t, all), "\n"); !strings.Contains(said, p.want) {
				t.Errorf("it was not found; what was: %.600q", said)
			}
		})
	}
}
