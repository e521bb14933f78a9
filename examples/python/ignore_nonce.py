"""A matcher: requests that differ in nothing but a nonce are the same.

The nonce stands in two places: in the JSON body, where a declaration is enough, and in the header
`x-request-id: TENANT.NONCE`, which takes code.
"""

from wit_world import exports
from wit_world.imports.keys import Key
from wit_world.imports.traffic import Message


class Matcher(exports.Matcher):
    def prepare(self, parts: Key) -> None:
        parts.method()
        parts.path()
        parts.query([])
        parts.vary(["user-agent"])
        parts.body(["/nonce"])
        parts.ask()

    def identify(self, request: Message, parts: Key) -> None:
        ids = request.header("x-request-id")
        if ids:
            tenant, _, _ = ids[0].partition(b".")
            parts.part("tenant", tenant)
