package provision

import (
	"slices"
	"strings"
)

// A Policy is a policy document of AWS IAM, or of what speaks its language
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// A Statement allows its actions on its resources. Principal is set in the
// policies of buckets only.
type Statement struct {
	Sid       string   `json:"Sid,omitempty"` // letters and digits
	Effect    string   `json:"Effect"`
	Principal any      `json:"Principal,omitempty"`
	Action    []string `json:"Action"`
	Resource  []string `json:"Resource"`
}

// Allow returns a statement that allows actions on resources.
func Allow(sid string, actions, resources []string) Statement {
	return Statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources}
}

// NewPolicy returns a document of statements. Those of one Sid, with the same
// actions, become one.
func NewPolicy(statements ...Statement) Policy {
	p := Policy{Version: "2012-10-17"}
	for _, s := range statements {
		i := slices.IndexFunc(p.Statement, func(other Statement) bool { return other.Sid == s.Sid && slices.Equal(other.Action, s.Action) })
		if i < 0 {
			s.Resource = slices.Clone(s.Resource)
			p.Statement = append(p.Statement, s)
			continue
		}
		for _, r := range s.Resource {
			if !slices.Contains(p.Statement[i].Resource, r) {
				p.Statement[i].Resource = append(p.Statement[i].Resource, r)
			}
		}
	}
	return p
}

// Partition returns the part of the ARNs of a region that stands behind "arn:"
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html).
func Partition(region string) string {
	for _, p := range [][2]string{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"eusc-", "aws-eusc"},
		{"us-iso-", "aws-iso"},
		{"us-isob-", "aws-iso-b"},
		{"eu-isoe-", "aws-iso-e"},
		{"us-isof-", "aws-iso-f"},
	} {
		if strings.HasPrefix(region, p[0]) {
			return p[1]
		}
	}
	return "aws"
}

// A Role is who gets a policy.
type Role string

// The roles.
const (
	Frontend Role = "frontend"
	Copier   Role = "copier"
)
