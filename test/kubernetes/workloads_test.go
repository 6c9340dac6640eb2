package kubernetes_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cloudmirror/config"
)

// roles are what the containers run: the first argument, and what probes it.
var roles = []string{"frontend", "copier"}

// checkWorkloads checks both Deployments by themselves.
func (all objects) checkWorkloads(c *complaints) {
	var found, images []string
	each(all, "Deployment", func(o object, d deployment) {
		pod := d.Template.Spec
		c.want(len(pod.Containers) == 1, "%s has %d containers", o, len(pod.Containers))
		c.want(d.Selector.MatchLabels.selects(d.Template.Metadata.Labels), "%s does not select its own pods", o)
		for _, spread := range pod.TopologySpreadConstraints {
			c.want(spread.LabelSelector.MatchLabels.selects(d.Template.Metadata.Labels), "%s does not spread its own pods", o)
		}
		c.want(len(pod.TopologySpreadConstraints) > 0, "%s spreads nothing over zones", o)
		_, known := all.find("ServiceAccount", pod.ServiceAccountName)
		c.want(known, "%s has an unknown service account %q", o, pod.ServiceAccountName)
		for _, container := range pod.Containers {
			images = append(images, container.Image)
			found = append(found, container.role())
			all.checkContainer(c, o.String(), pod, container)
		}
		checkSecurity(c, o, pod)
	})
	slices.Sort(found)
	c.want(slices.Equal(found, []string{"copier", "frontend"}), "the roles that run are %q", found)
	c.want(len(slices.Compact(images)) == 1, "the roles have different images: %q", images)
}

// role returns the command that a container runs.
func (c container) role() string {
	if len(c.Args) == 0 {
		return ""
	}
	return c.Args[0]
}

func (all objects) checkContainer(c *complaints, where string, p pod, container container) {
	c.want(slices.Contains(roles, container.role()), "%s runs %q", where, container.Args)
	for path, probe := range map[string]*probe{"/readyz": container.ReadinessProbe, "/healthz": container.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil {
			c.add("%s: nothing asks for %s", where, path)
			continue
		}
		c.want(probe.HTTPGet.Path == path, "%s: a probe asks for %s instead of %s", where, probe.HTTPGet.Path, path)
		_, known := p.port(probe.HTTPGet.Port)
		c.want(known && probe.HTTPGet.Port == "admin", "%s: the probe of %s has the port %q", where, path, probe.HTTPGet.Port)
	}
	for _, v := range container.Env {
		c.want(!strings.HasPrefix(v.Name, "CLOUDMIRROR_") || slices.Contains(config.Variables(), v.Name), "%s: %s sets no key", where, v.Name)
		if v.ValueFrom != nil {
			c.want(v.ValueFrom.SecretKeyRef != nil && v.ValueFrom.SecretKeyRef.Name == "cloudmirror", "%s: %s is not from the secret", where, v.Name)
		}
		c.want(v.ValueFrom != nil || !strings.HasSuffix(v.Name, "_URL"), "%s: %s may be a secret, and stands there", where, v.Name)
	}
	checkVolumes(c, where, p, container)
	checkMemory(c, where, container)
}

func checkVolumes(c *complaints, where string, p pod, container container) {
	var mounted, known []string
	for _, m := range container.VolumeMounts {
		mounted = append(mounted, m.Name)
		c.want(m.ReadOnly, "%s: %s can be written", where, m.MountPath)
	}
	for _, v := range p.Volumes {
		known = append(known, v.Name)
		c.want(v.Secret == nil || v.Secret.SecretName == "cloudmirror", "%s: the volume %s is of another secret", where, v.Name)
	}
	slices.Sort(mounted)
	slices.Sort(known)
	c.want(slices.Equal(mounted, known), "%s mounts %q of the volumes %q", where, mounted, known)
}

// checkMemory wants GOMEMLIMIT at about 90 % of the container's limit: above, the
// kernel kills first; far below, memory lies idle.
func checkMemory(c *complaints, where string, container container) {
	i := slices.IndexFunc(container.Env, func(v variable) bool { return v.Name == "GOMEMLIMIT" })
	if i < 0 {
		c.add("%s has no GOMEMLIMIT", where)
		return
	}
	soft, softErr := mebibytes(strings.TrimSuffix(container.Env[i].Value, "B"))
	hard, hardErr := mebibytes(container.Resources.Limits["memory"])
	if softErr != nil || hardErr != nil {
		c.add("%s: GOMEMLIMIT %v, memory limit %v", where, softErr, hardErr)
		return
	}
	c.want(soft >= hard*85/100 && soft <= hard*95/100, "%s: GOMEMLIMIT is %d MiB, the limit %d", where, soft, hard)
	requested, err := mebibytes(container.Resources.Requests["memory"])
	c.want(err == nil && requested <= hard, "%s requests %d MiB of %d (%v)", where, requested, hard, err)
	c.want(container.Resources.Requests["cpu"] != "", "%s requests no processor, and an autoscaler has nothing to go by", where)
}

// mebibytes reads 512Mi and 1Gi.
func mebibytes(quantity string) (int, error) {
	factor := 1
	number, isMebi := strings.CutSuffix(quantity, "Mi")
	if !isMebi {
		var isGibi bool
		if number, isGibi = strings.CutSuffix(quantity, "Gi"); !isGibi {
			return 0, fmt.Errorf("%q is neither Mi nor Gi", quantity)
		}
		factor = 1024
	}
	n, err := strconv.Atoi(number)
	return n * factor, err
}

// checkSecurity wants what the "restricted" Pod Security Standard does, and a
// root file system that cannot be written.
func checkSecurity(c *complaints, o object, p pod) {
	c.want(p.SecurityContext.RunAsNonRoot && p.SecurityContext.RunAsUser > 0, "%s may run as root", o)
	c.want(p.SecurityContext.SeccompProfile.Type == "RuntimeDefault", "%s has the seccomp profile %q", o, p.SecurityContext.SeccompProfile.Type)
	c.want(p.AutomountServiceAccountToken != nil && !*p.AutomountServiceAccountToken, "%s gets a token for Kubernetes, which it does not need", o)
	for _, container := range p.Containers {
		s := container.SecurityContext
		c.want(s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation, "%s may gain privileges", o)
		c.want(s.ReadOnlyRootFilesystem, "%s can write its root file system", o)
		c.want(slices.Equal(s.Capabilities.Drop, []string{"ALL"}) && len(s.Capabilities.Add) == 0, "%s keeps capabilities", o)
	}
}
