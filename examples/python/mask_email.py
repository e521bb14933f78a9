"""A redactor: mail addresses are secrets, those that stand in one piece and those that stand in two."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import host
from wit_world.imports.secrets import Edit, Rules
from wit_world.imports.traffic import Message

CLASS = "e-mail"
ADDRESS = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"


class Redactor(exports.Redactor):
    def prepare(self, declare: Rules) -> None:
        declare.pattern(ADDRESS, CLASS)
        declare.ask()

    def redact(self, what: Message, change: Edit) -> None:
        """For {"contact": {"user": "ada", "host": "example.com"}}, where no pattern sees an address."""
        user_json, host_json = what.json("/contact/user"), what.json("/contact/host")
        if user_json is None or host_json is None:
            return
        user, domain = json.loads(user_json), json.loads(host_json)
        # After an error the exchange is not written: better none than one with an address in it.
        if not (isinstance(user, str) and isinstance(domain, str)):
            raise Err("contact.user and contact.host must be strings")
        # The stand-in of the whole address: the same as where the pattern finds it.
        stand_in = host.placeholder(CLASS, f"{user}@{domain}".encode())
        change.replace_json("/contact/user", json.dumps(stand_in))
