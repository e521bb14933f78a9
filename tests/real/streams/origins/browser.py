"""An origin for browsers: a page, and the streams that its script opens; made with aiohttp."""

import asyncio
import json
from pathlib import Path

from aiohttp import WSMsgType, web

from serving import serve

PAGES = Path(__file__).parent.parent / "pages"


def conversation(talk):
    async def handle(request):
        ws = web.WebSocketResponse(protocols=("second.v2",), max_msg_size=0, timeout=5)
        await ws.prepare(request)
        await talk(ws, request)
        return ws

    return handle


async def echo(ws, request):
    async for message in ws:
        if message.type == WSMsgType.TEXT:
            await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)


async def pushes(ws, request):
    await ws.receive()
    for at in range(5):
        await ws.send_json({"push": at})
        await asyncio.sleep(0.02)
    await ws.receive()


async def closes(ws, request):
    await ws.receive()
    await ws.send_str("not for long")
    await ws.close(code=4001, message=b"policy: not today")


async def ends(ws, request):
    await ws.receive()
    await ws.send_str("the last words")
    await asyncio.sleep(0.05)
    request.transport.abort()


async def login(ws, request):
    async for message in ws:
        await ws.send_json({"welcome": json.loads(message.data), "target": request.path_qs})


async def send(request, events, cut=False):
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    try:
        for event in events:
            await response.write(event.encode())
            await asyncio.sleep(0.01)
        if cut:
            request.transport.abort()
        else:
            await response.write_eof()
    except ConnectionError:
        # The page has closed the stream.
        pass
    return response


TWO = [
    "id: 1\ndata: one \u2713\n\n",
    ": a comment\n\n",
    "event: named\nid: 2\r\ndata: two\ndata: lines\n\n",
]


async def events(request):
    return await send(request, [*TWO, "event: last\ndata: enough\n\n"])


async def events_cut(request):
    return await send(request, TWO, cut=True)


async def resumed(request):
    after = int(request.headers.get("last-event-id", "0"))
    if after >= 4:
        return web.Response(status=204)
    parts = [f"retry: 30\nid: {at}\ndata: event {at}\n\n" for at in (after + 1, after + 2)]
    return await send(request, parts)


async def spelled(request):
    token = request.query["access_token"]
    whole = json.dumps({"token": token})
    last = f"event: last\nid: {token}\ndata: it is {token}\n\n"
    return await send(request, [f"data: {whole}\n\n", last])


async def refused(request):
    return web.json_response({"error": "who are you?"}, status=401)


def application():
    app = web.Application()
    for name in ("streams.html", "streams.js"):
        app.router.add_get(f"/{name}", lambda _, name=name: web.FileResponse(PAGES / name))
    for talk in (echo, pushes, closes, ends, login):
        app.router.add_get(f"/{talk.__name__}", conversation(talk))
    for answer in (events, events_cut, resumed, spelled, refused):
        app.router.add_get("/" + answer.__name__.replace("_", "-"), answer)
    return app


asyncio.run(serve(application()))
