package config

// Capabilities are what a process does. The zero value does nothing.
type Capabilities struct {
	Front   bool // it answers clients
	Copy    bool // it makes copies
	Control bool // it decides for the whole deployment, and so opens all backends
}

// Capabilities returns what a process with this role does; nothing, if the role is
// unknown.
func (r Role) Capabilities() Capabilities {
	switch r {
	case RoleServe:
		return Capabilities{Front: true, Copy: true, Control: true}
	case RoleFrontend:
		return Capabilities{Front: true}
	case RoleCopier:
		return Capabilities{Copy: true}
	}
	return Capabilities{}
}
