// Requests that differ in nothing but the `nonce` of their JSON body are the same, but for each tenant on its own.
package export_ouli_gateway_matcher

import (
	"bytes"

	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/calls"
	. "wit_component/ouli_gateway_matcher"
)

func Prepare(parts *Key) Result[Unit, string] {
	defer parts.Drop()
	parts.Method()
	parts.Path()
	parts.Query(nil)
	parts.Vary([]string{"user-agent"})
	parts.Body([]string{"/nonce"})
	parts.Ask()
	return Ok[Unit, string](Unit{})
}

func Identify(request *Message, parts *Key) Result[Unit, string] {
	defer calls.End()
	defer request.Drop()
	defer parts.Drop()
	// An id reads TENANT.NONCE.
	if ids := request.Header("x-request-id"); len(ids) > 0 {
		tenant, _, _ := bytes.Cut(ids[0], []byte("."))
		parts.Part("tenant", tenant)
	}
	return Ok[Unit, string](Unit{})
}
