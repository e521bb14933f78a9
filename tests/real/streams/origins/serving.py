"""How an origin that is made with aiohttp runs until a signal ends it."""

import asyncio
import signal
import sys

from aiohttp import web


async def serve(app, **options):
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, **options)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    print(f"listening at http://127.0.0.1:{port}", file=sys.stderr, flush=True)
    await stopped.wait()
    await runner.cleanup()
