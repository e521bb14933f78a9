// Failures are not worth replaying: neither those of the server, nor those of a GraphQL query, which come with status
// 200.
package export_ouli_gateway_recording_policy

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/calls"
	. "wit_component/ouli_gateway_recording_policy"
)

func Prepare(declare *Conditions) Result[Unit, string] {
	defer declare.Drop()
	declare.SkipStatus(500, 599, "the server failed")
	declare.Ask()
	return Ok[Unit, string](Unit{})
}

func Decide(request *Message, response Option[*Message], give *Verdict) Result[Unit, string] {
	defer calls.End()
	defer request.Drop()
	defer give.Drop()
	if response.IsSome() {
		defer response.Some().Drop()
		if response.Some().Json("/errors/0").IsSome() {
			give.Skip("the query failed")
		}
	}
	return Ok[Unit, string](Unit{})
}
