"""A plugin with all three roles in Python: one class per role, one method per function of the contract.

A return means success; `raise Err("why")` is the error that the host shows to the user.
"""

from wit_world import exports
from wit_world.imports import host
from wit_world.imports.keys import Key
from wit_world.imports.secrets import Edit, Rules
from wit_world.imports.traffic import Message
from wit_world.imports.verdicts import Conditions, Verdict


class Matcher(exports.Matcher):
    def prepare(self, parts: Key) -> None:
        parts.method()
        parts.path()
        parts.ask()

    def identify(self, request: Message, parts: Key) -> None:
        id_text = request.json("/id") or ""
        kinds = request.header("x-kind")
        parts.part("id", id_text.encode())
        parts.part("kind", kinds[0] if kinds else b"")


class Redactor(exports.Redactor):
    def prepare(self, declare: Rules) -> None:
        declare.json_member("pin", "pin")
        declare.ask()

    def redact(self, what: Message, change: Edit) -> None:
        mails = what.header("x-mail")
        if mails:
            change.set_header("x-mail", [host.placeholder("e-mail", mail).encode() for mail in mails])


class RecordingPolicy(exports.RecordingPolicy):
    def prepare(self, declare: Conditions) -> None:
        declare.skip_path("/healthz", "health check")
        declare.ask()

    def decide(self, request: Message, response: Message | None, give: Verdict) -> None:
        if response is not None and response.status() >= 500:
            give.skip("server error")
