package origintest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Resolver returns a resolver that asks answer for the addresses of a host, each
// time anew, so that a test can play a name server that changes its mind. The
// host is in lower case without its last dot; no addresses means that it does
// not exist.
func Resolver(answer func(host string) []netip.Addr) *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer ours.Close()
				serveNames(ours, answer) // ends when the resolver closes its end
			}()
			return theirs, nil
		},
	}
}

// serveNames answers queries as DNS over TCP frames them (RFC 1035, section
// 4.2.2).
func serveNames(conn net.Conn, answer func(host string) []netip.Addr) {
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply, err := reply(query, answer)
		if err != nil {
			return
		}
		binary.BigEndian.PutUint16(length[:], uint16(len(reply)))
		if _, err := conn.Write(append(length[:], reply...)); err != nil {
			return
		}
	}
}

func reply(query []byte, answer func(host string) []netip.Addr) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	addresses := answer(strings.ToLower(strings.TrimSuffix(q.Name.String(), ".")))
	if len(addresses) == 0 {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, address := range addresses {
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}
		switch {
		case q.Type == dnsmessage.TypeA && address.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: address.As4()}})
		case q.Type == dnsmessage.TypeAAAA && address.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}})
		}
	}
	return m.Pack()
}
