"""An origin of event streams and of lines of JSON, made with aiohttp."""

import asyncio
import gzip
import json
import zlib
from collections import Counter

from aiohttp import web

from serving import serve

# The number of streams that clients aborted, for each path.
cut_by_client = Counter()

FIELDS = """: a comment first

data: plain

event: named
data: with a type
id: 1

data: two
data:lines, the second without a space
data
id: 2

retry: 40

id: 3
: nothing but an id

event: ignored without data
id: 4

data:  one of two spaces
unknown: field
no-colon

id
data: the id is empty again

data: {"json": [1, 2.50, "\u2713"]}
id: \u00fc\u2713

"""

TWICE = [f"id: {at}\ndata: event {at} \u2713\n\n" for at in range(5)]


def stream(*writes, pause=0, headers=None, end=None):
    """Sends these writes one after the other, `pause` milliseconds apart; then does `end`."""

    async def handle(request):
        response = await begin(request, headers)
        return await send(request, response, writes, pause, end)

    return handle


async def begin(request, headers=None):
    response = web.StreamResponse()
    response.headers["content-type"] = "text/event-stream; charset=utf-8"
    response.headers["cache-control"] = "no-store"
    response.headers.update(headers or {})
    await response.prepare(request)
    return response


async def send(request, response, writes, pause=0, end=None):
    try:
        for at, one in enumerate(writes):
            if at and pause:
                await asyncio.sleep(pause / 1000)
            await response.write(one.encode() if isinstance(one, str) else one)
        if end:
            await asyncio.sleep(0.05)
            end(request)
            return response
        await response.write_eof()
    except (ConnectionError, asyncio.CancelledError):
        cut_by_client[request.path] += 1
        raise
    return response


async def endless(request):
    """Sends events until the client leaves."""
    response = await begin(request)
    at = 0
    try:
        while True:
            await response.write(f"id: {at}\ndata: tick {at}\n\n".encode())
            at += 1
            await asyncio.sleep(0.01)
    except (ConnectionError, asyncio.CancelledError):
        cut_by_client[request.path] += 1
        raise


async def resumed(request):
    """Sends three events a time, after the last one that the client had; at last nothing."""
    after = int(request.headers.get("last-event-id", "0"))
    if after >= 6:
        return web.Response(status=204)
    response = await begin(request)
    events = [f"retry: 30\nid: {at}\ndata: event {at}\n\n" for at in range(after + 1, after + 4)]
    return await send(request, response, events, 5)


async def zipped(request):
    """Flushes the coding after each event."""
    response = await begin(request, {"content-encoding": "gzip"})
    coding = zlib.compressobj(wbits=31)
    parts = [coding.compress(one.encode()) + coding.flush(zlib.Z_SYNC_FLUSH) for one in TWICE]
    return await send(request, response, [*parts, coding.flush()], 10)


async def zipped_at_once(request):
    response = await begin(request, {"content-encoding": "gzip"})
    return await send(request, response, [gzip.compress("".join(TWICE).encode(), mtime=0)])


async def login(request):
    """Says the secrets of the request again: whole, and split over two writes."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    half = len(token) // 2
    whole = json.dumps({"token": token, "target": request.path_qs})
    response = await begin(request)
    writes = [
        f"id: 1\ndata: {whole}\n\n",
        f"id: 2\ndata: the token is {token[:half]}",
        f"{token[half:]}, is it not?\n\n",
        f"id: {token}\ndata: as an id\n\n",
    ]
    return await send(request, response, writes, 5)


async def spelled(request):
    """Says the token of the request again, split over two events."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    half = len(token) // 2
    parts = ["it is ", token[:half], token[half:], ", is it not?"]
    events = [f"data: {json.dumps({'delta': part})}\n\n" for part in parts]
    return await send(request, await begin(request), events, 5)


async def asked(request):
    """An event stream as the answer to a POST."""
    question = await request.json()
    response = await begin(request)
    words = question["question"].split()
    return await send(request, response, [f"data: {word}\n\n" for word in words], 5)


async def refused(request):
    return web.json_response({"error": "who are you?"}, status=401)


async def stats(request):
    return web.json_response({"cut": cut_by_client})


def cut(request):
    request.transport.abort()


ITEMS = [{"line": at, "text": "gr\u00fc\u00df" * at} for at in range(6)]
LINES = [json.dumps(item, ensure_ascii=False) for item in ITEMS]
LARGE = "".join(f"data: line {at * at}\n" for at in range(20000)) + "\n"
BYTES = "".join(TWICE).encode()

PATHS = {
    "/events": stream(FIELDS),
    "/events-crlf": stream(FIELDS.replace("\n", "\r\n")),
    "/events-cr": stream(FIELDS.replace("\n", "\r")),
    "/events-mixed": stream(
        "data: a\r\n\ndata: b\r\r\ndata: c\n\rdata: d\n", "\r\ndata: e\r", "\n\n", pause=5
    ),
    "/events-bom": stream(
        "\ufeffdata: after a mark\n\n\ufeffdata: no mark\n\ndata: \ufeffkept\n\n"
    ),
    "/events-split": stream(*[BYTES[at : at + 1] for at in range(len(BYTES))], pause=0.2),
    "/events-paused": stream(*TWICE, pause=20),
    "/events-unended": stream("data: whole\n\n", "data: no empty line follows\n", pause=5),
    "/events-empty": stream(),
    "/events-large": stream(LARGE, "data: after it\n\n"),
    "/events-reset": stream(*TWICE[:2], pause=5, end=cut),
    "/events-named": stream("event: error\ndata: not one\n\nevent: open\ndata: nor this\n\n"),
    "/events-gzip": zipped,
    "/events-gzip-at-once": zipped_at_once,
    "/events-endless": endless,
    "/events-resumed": resumed,
    "/events-login": login,
    "/events-spelled": spelled,
    "/lines": stream(
        *[line + "\n" for line in LINES],
        pause=15,
        headers={"content-type": "application/x-ndjson"},
    ),
    "/lines-split": stream(
        *[part for line in LINES for part in (line[:9], line[9:] + "\r\n")],
        LINES[0],
        pause=2,
        headers={"content-type": "application/jsonl"},
    ),
    "/refused": refused,
    "/stats": stats,
}


def application():
    app = web.Application()
    for path, handle in PATHS.items():
        app.router.add_get(path, handle)
    app.router.add_post("/asked", asked)
    return app


# Handlers are cancelled when their client disconnects.
asyncio.run(serve(application(), handler_cancellation=True))
