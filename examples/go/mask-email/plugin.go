// Mail addresses are secrets: those that stand in one piece, and those that stand in two.
package export_ouli_gateway_redactor

import (
	"encoding/json/jsontext"

	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/calls"
	"wit_component/ouli_gateway_host"
	. "wit_component/ouli_gateway_redactor"
)

const (
	class   = "e-mail"
	address = `[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`
)

func Prepare(declare *Rules) Result[Unit, string] {
	defer declare.Drop()
	declare.Pattern(address, class)
	declare.Ask()
	return Ok[Unit, string](Unit{})
}

// Redact is for `{"contact": {"user": "ada", "host": "example.com"}}`, where no pattern sees an address.
func Redact(what *Message, change *Edit) Result[Unit, string] {
	defer calls.End()
	defer what.Drop()
	defer change.Drop()
	user, host := what.Json("/contact/user"), what.Json("/contact/host")
	if user.IsNone() || host.IsNone() {
		return Ok[Unit, string](Unit{})
	}
	secret, err := join(user.Some(), host.Some())
	if err != nil {
		// The exchange is not written then: better none than one with an address in it.
		return Err[Unit]("contact.user and contact.host must be strings")
	}
	// The stand-in of the whole address: the same as where the pattern finds it.
	standIn, err := jsontext.AppendQuote(nil, ouli_gateway_host.Placeholder(class, secret))
	if err != nil {
		return Err[Unit](err.Error())
	}
	change.ReplaceJson("/contact/user", string(standIn))
	return Ok[Unit, string](Unit{})
}

// join makes an address of two JSON strings.
func join(user, host string) ([]byte, error) {
	secret, err := jsontext.AppendUnquote(nil, user)
	if err != nil {
		return nil, err
	}
	return jsontext.AppendUnquote(append(secret, '@'), host)
}
