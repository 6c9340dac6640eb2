// Package origin is the only part of cloudmirror that talks to origins.
//
// A [Client] gets one object and promises that whoever reads its body to the
// end has read all of it and nothing else: status 200 on the last hop, the
// length that the origin stated, and every digest that it stated (see
// [Response]). Where that cannot be known, Read ends with a
// *cloudmirror.Failure and never with io.EOF.
//
// No request leaves the bounds of its [Rules]: on every hop the canonical URL is
// held against the allow patterns and ports, before its host is resolved, and
// every connection is judged by the address that it really goes to, after name resolution and before the
// first packet; none goes to the process itself. Behind a proxy ([Options].Proxy)
// only what a URL says literally can be judged. Environment proxies, cookies and
// referrers do not exist here, and no credentials but the headers of the Rules,
// which go to the origin that was asked for only.
//
// The package must not store, retry a whole object, or look at what the bytes
// mean: content codings are passed on as they are.
package origin
