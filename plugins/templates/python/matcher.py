"""Says which requests are the same as a recorded one."""

from wit_world import exports
from wit_world.imports.keys import Key
from wit_world.imports.traffic import Message


class Matcher(exports.Matcher):
    def prepare(self, parts: Key) -> None:
        """Called once. The gateway takes these parts from each request by itself, at native speed."""
        parts.method()
        parts.path()
        parts.query([])
        parts.vary(["user-agent"])
        parts.body(["/nonce"])
        parts.ask()

    def identify(self, request: Message, parts: Key) -> None:
        """Called for each request, since `prepare` asked for it: adds the parts that need code."""
        tenants = request.header("x-tenant")
        if tenants:
            parts.part("tenant", tenants[0])
