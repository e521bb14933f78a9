"""Holds the conversations of `conversations.json` with some library, and tells what was seen.

Usage of each client: CLIENT BASE SESSION SECRETS, where SECRETS is a JSON object of texts.
"""

import asyncio
import base64
import hashlib
import json
import re
import sys
from pathlib import Path

# Timeouts in seconds: of one conversation, and of all of them.
PATIENCE = 6
TOGETHER = 50

# A longer message is reported by its digest.
LONGEST = 4096


def task():
    base, session, secrets = sys.argv[1:4]
    return base, session, json.loads(secrets)


def put_into(text, secrets):
    """Replaces `${name}`, and `${name:front}` and `${name:back}` by halves."""

    def value(found):
        whole, part = secrets[found[1]], found[2]
        half = len(whole) // 2
        return {None: whole, ":front": whole[:half], ":back": whole[half:]}[part]

    return re.sub(r"\$\{(\w+)(:front|:back)?\}", value, text)


def filler(kind, size):
    """A long message that compresses, but not to nothing."""
    if kind == "text":
        return "".join(f"line {at * at}\n" for at in range(size // 8))[:size]
    return bytes((7 * at + at // 251) % 256 for at in range(size))


def base64_of(data):
    return base64.b64encode(data).decode()


def message(data):
    kind = "text" if isinstance(data, str) else "binary"
    raw = data.encode() if isinstance(data, str) else bytes(data)
    if len(raw) > LONGEST:
        return {kind: None, "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    return {kind: data if kind == "text" else base64_of(raw)}


class Connection:
    """What all libraries have in common; each adds how it sends and receives."""

    def __init__(self):
        self.events = []
        self.opened = None
        self.ended = False

    def saw(self, **event):
        self.events.append(event)

    def saw_end(self, **event):
        self.ended = True
        self.saw(**event)

    async def take(self, step):
        match step:
            case {"text": text}:
                await self.send(text)
            case {"json_bytes": text}:
                await self.send(text.encode())
            case {"fragments": parts}:
                bytes_of = base64.b64decode if step.get("binary") else str
                await self.send_fragments([bytes_of(part) for part in parts])
            case {"binary": data}:
                await self.send(base64.b64decode(data))
            case {"large": kind, "size": size}:
                await self.send(filler(kind, size))
            case {"ping": payload}:
                await self.ping(payload.encode())
            case {"receive": count}:
                for _ in range(count):
                    await self.receive()
            case {"until_end": True}:
                while not self.ended:
                    await self.receive()
            case {"pause": milliseconds}:
                await asyncio.sleep(milliseconds / 1000)
            case {"close": code}:
                await self.close(code, step.get("reason", ""))
            case {"cut": True}:
                await self.cut()
            case _:
                raise ValueError(f"no such step: {step}")


async def hold(connect, scenario, base, session):
    """One conversation, or several at once; what each connection saw."""
    headers = dict(scenario.get("headers", {}))
    if scenario.get("by_prefix"):
        base += f"/__ouli/session/{session}"
    else:
        headers["ouli-session"] = session
    url = base.replace("http", "ws", 1) + scenario["path"]
    offer = (scenario.get("subprotocols", []), scenario.get("deflate", "off"))
    connections = []
    fault = None
    try:
        async with asyncio.timeout(PATIENCE):
            for _ in range(scenario.get("connections", 1)):
                connections.append(await connect(url, headers, *offer))
            for step in scenario["steps"]:
                await connections[step.get("on", 0)].take(step)
    except Exception as error:
        fault = {"exception": type(error).__name__, **getattr(error, "seen", {})}
    seen = [{"opened": one.opened, "events": one.events} for one in connections]
    for one in connections:
        await leave(one)
    return {"name": scenario["name"], "connections": seen, "fault": fault}


async def leave(connection):
    """Nobody waits for a connection that is in order no more."""
    try:
        await asyncio.wait_for(connection.cut(), 1)
    except Exception:
        pass


async def hold_all(connect, able):
    base, session, secrets = task()
    path = Path(__file__).parent.parent / "conversations.json"
    # No secret needs escapes in JSON.
    scenarios = json.loads(put_into(path.read_text(), secrets))
    end = asyncio.get_running_loop().time() + TOGETHER
    seen = []
    for scenario in scenarios:
        if scenario.get("needs") not in (None, *able):
            continue
        if asyncio.get_running_loop().time() > end:
            seen.append({"name": scenario["name"], "connections": [], "fault": "no time left"})
            continue
        seen.append(await hold(connect, scenario, base, session))
    return {"session": session, "seen": seen}


def run(connect, *able):
    """Holds all conversations that the library is able to, and writes what was seen."""
    json.dump(asyncio.run(hold_all(connect, able)), sys.stdout, indent=1)
