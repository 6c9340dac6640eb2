package kubernetes_test

import (
	"net/netip"
	"slices"
	"strconv"
)

type networkPolicy struct {
	PodSelector selector
	PolicyTypes []string
	Ingress     []struct {
		From  []peer
		Ports []policyPort
	}
	Egress []struct {
		To    []peer
		Ports []policyPort
	}
}

type peer struct {
	IPBlock *struct {
		CIDR   string
		Except []string
	}
	NamespaceSelector *selector
	PodSelector       *selector
}

type policyPort struct {
	Port     numberOrName
	Protocol string
}

// has reports whether the peer is an address block with the address in it.
func (p peer) has(address netip.Addr) bool {
	within := func(cidr string) bool {
		prefix, err := netip.ParsePrefix(cidr)
		return err == nil && prefix.Contains(address)
	}
	return p.IPBlock != nil && within(p.IPBlock.CIDR) && !slices.ContainsFunc(p.IPBlock.Except, within)
}

// mayReach reports whether pods with these labels may connect to an address.
func (all objects) mayReach(pods labels, address string, port int) bool {
	to, allowed := netip.MustParseAddr(address), false
	each(all, "NetworkPolicy", func(_ object, n networkPolicy) {
		if !n.PodSelector.MatchLabels.selects(pods) {
			return
		}
		for _, rule := range n.Egress {
			allowed = allowed ||
				slices.ContainsFunc(rule.To, func(p peer) bool { return p.has(to) }) &&
					slices.Contains(rule.Ports, policyPort{Port: numberOrName(strconv.Itoa(port))})
		}
	})
	return allowed
}

// private has an address of each range that pods must not reach, at the ends of
// the larger ones. 10.20.0.0/24 is where the example has its Redis.
var private = []string{
	"0.0.0.1", "10.0.0.1", "10.255.255.254", "100.64.0.1", "100.127.255.254", "127.0.0.1", "169.254.169.254", "169.254.170.23",
	"172.16.0.1", "172.31.255.254", "192.0.0.1", "192.168.0.1", "192.168.255.254", "198.18.0.1", "198.19.255.254", "224.0.0.1", "240.0.0.1", "255.255.255.255",
	"::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fc00::1", "fdff::1", "fe80::1", "ff02::1", "2001::1", "2002:a00:1::1", "fd00:ec2::254",
}

var public = []string{"1.1.1.1", "11.0.0.1", "172.15.0.1", "172.32.0.1", "192.167.0.1", "203.1.0.1", "2606:4700::1", "2a00:1450::1", "2600:9000::1"}

// checkNetwork plays connections against the policies.
func (all objects) checkNetwork(c *complaints) {
	each(all, "Deployment", func(o object, d deployment) {
		pods := d.Template.Metadata.Labels
		for _, port := range []int{80, 443} {
			for _, address := range private {
				c.want(!all.mayReach(pods, address, port), "%s may reach %s on port %d", o, address, port)
			}
			for _, address := range public {
				c.want(all.mayReach(pods, address, port), "%s cannot reach %s on port %d", o, address, port)
			}
		}
		c.want(!all.mayReach(pods, "1.1.1.1", 22), "%s may reach other ports than those of the web", o)
		if _, isExample := all.find("NetworkPolicy", "cloudmirror-redis"); isExample {
			c.want(all.mayReach(pods, "10.20.0.10", 6379), "%s cannot reach Redis", o)
		}
		all.checkPeers(c, o, pods)
	})
}

// checkPeers checks who may ask these pods, and whom they ask within the cluster.
func (all objects) checkPeers(c *complaints, o object, pods labels) {
	var types, open, asked []string
	each(all, "NetworkPolicy", func(policy object, n networkPolicy) {
		if !n.PodSelector.MatchLabels.selects(pods) {
			return
		}
		types = append(types, n.PolicyTypes...)
		for _, rule := range n.Ingress {
			for _, port := range rule.Ports {
				if len(rule.From) == 0 {
					open = append(open, string(port.Port))
				}
				c.want(len(rule.From) == 0 || port.Port == "admin", "%s restricts the port %s", policy, port.Port)
			}
			c.want(len(rule.Ports) > 0, "%s opens every port", policy)
		}
		for _, rule := range n.Egress {
			c.want(len(rule.To) > 0 && len(rule.Ports) > 0, "%s lets pods reach everything", policy)
			for _, p := range rule.To {
				if p.PodSelector == nil && p.NamespaceSelector == nil {
					continue
				}
				isDNS := p.PodSelector != nil && p.PodSelector.MatchLabels.equal(labels{"k8s-app": "kube-dns"})
				c.want(isDNS, "%s: name servers are not what it selects", policy)
				for _, port := range rule.Ports {
					asked = append(asked, port.Protocol+" "+string(port.Port))
				}
			}
		}
	})
	for _, wanted := range []string{"Ingress", "Egress"} {
		c.want(slices.Contains(types, wanted), "%s: no policy of type %s holds for it", o, wanted)
	}
	c.want(slices.Equal(asked, []string{"UDP 53", "TCP 53"}), "%s asks name servers at %q", o, asked)
	wanted := []string{"http"}
	if pods["app.kubernetes.io/component"] == "copier" {
		wanted = nil
	}
	c.want(slices.Equal(open, wanted), "%s: everybody reaches the ports %q", o, open)
}
