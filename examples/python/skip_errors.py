"""A recording policy: a failure is not worth recording.

Some failures have a status that says so. Others hide in the `errors` of an answer with status 200, as GraphQL gives
them.
"""

from wit_world import exports
from wit_world.imports.traffic import Message
from wit_world.imports.verdicts import Conditions, Verdict


class RecordingPolicy(exports.RecordingPolicy):
    def prepare(self, declare: Conditions) -> None:
        declare.skip_status(500, 599, "the server failed")
        declare.ask()

    def decide(self, request: Message, response: Message | None, give: Verdict) -> None:
        if response is not None and response.json("/errors/0") is not None:
            give.skip("the query failed")
