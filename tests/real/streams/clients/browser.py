"""Opens the page of the origin in Chromium. Usage: browser.py BASE SESSION SECRETS.

A page can set no headers of WebSockets and event streams: the session is told by the path.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from urllib.parse import quote

from websockets.asyncio.client import connect

# Timeouts in seconds: of the start of the browser, and of the page.
START = 25
DONE = 30

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]


class Tab:
    """A tab, driven by DevTools."""

    def __init__(self, ws):
        self.ws = ws
        self.last = 0

    async def call(self, method, session=None, **parameters):
        self.last += 1
        told = {"id": self.last, "method": method, "params": parameters}
        await self.ws.send(json.dumps({**told, "sessionId": session} if session else told))
        while True:
            answer = json.loads(await self.ws.recv())
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    async def open(self, url):
        target = await self.call("Target.createTarget", url=url)
        told = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        return told["sessionId"]

    async def value(self, session, expression):
        told = await self.call("Runtime.evaluate", session, expression=expression)
        return told["result"].get("value")


async def devtools(process):
    """Where the browser says that it listens for DevTools."""
    mark = b"DevTools listening on "
    async for line in process.stderr:
        if mark in line:
            return line.split(mark)[1].decode().strip()
    raise RuntimeError(f"chromium ended: {await process.wait()}")


async def visit(address, url):
    async with connect(address, max_size=None, proxy=None) as ws:
        tab = Tab(ws)
        version = (await tab.call("Browser.getVersion"))["product"]
        session = await tab.open(url)
        end = asyncio.get_running_loop().time() + DONE
        while await tab.value(session, "document.title") != "done":
            if asyncio.get_running_loop().time() > end:
                shown = await tab.value(session, "document.documentElement.outerHTML")
                raise RuntimeError(f"the page is not done: {shown}")
            await asyncio.sleep(0.05)
        seen = await tab.value(session, "document.getElementById('seen').textContent")
        return {"browser": version, **json.loads(seen)}


async def main():
    base, session, secrets = sys.argv[1:4]
    prefix = "" if session == "direct" else f"/__ouli/session/{session}"
    url = f"{base}{prefix}/streams.html#{quote(secrets)}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            "chromium",
            *ARGUMENTS,
            f"--user-data-dir={folder}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            address = await asyncio.wait_for(devtools(process), START)
            seen = await asyncio.wait_for(visit(address, url), DONE + 5)
        finally:
            # The processes of the browser form a process group and are ended together.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    json.dump({"session": session, **seen}, sys.stdout, indent=1)


asyncio.run(main())
