"""An origin of WebSockets, made with aiohttp."""

import asyncio
import json
import socket
import struct

from aiohttp import WSMsgType, web

from serving import serve

counted = 0


class Gone(Exception):
    """The client has left."""


async def receive(ws):
    """The next text or bytes."""
    message = await ws.receive()
    if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
        raise Gone
    return message.data


async def send(ws, message):
    if isinstance(message, str):
        await ws.send_str(message)
    else:
        await ws.send_bytes(message)


async def echo(ws, request):
    while True:
        await send(ws, await receive(ws))


async def batch(ws, request):
    """Answers three messages together, the last one first."""
    while True:
        messages = [await receive(ws) for _ in range(3)]
        for message in reversed(messages):
            await send(ws, message)


async def fragmented(ws, request):
    """The library cannot send fragments: the frames are written as they are."""
    await receive(ws)
    transport = request.transport
    for opcode, part in ((0x01, b"in "), (0, b""), (0, b"three "), (0x80, "parts \u2713".encode())):
        transport.write(bytes([opcode, len(part)]) + part)
        await asyncio.sleep(0.005)
    for opcode, part in ((0x02, b"\x00\x01"), (0, b"\xff"), (0x80, b"\xfe")):
        transport.write(bytes([opcode, len(part)]) + part)
        await asyncio.sleep(0.005)
    await receive(ws)


async def pushes(ws, request):
    await receive(ws)
    for at in range(5):
        await ws.send_json({"push": at})
        await asyncio.sleep(0.02)
    await ws.send_str("heard: " + await receive(ws))
    await receive(ws)


async def greeting(ws, request):
    names = sorted({name.lower() for name in request.headers})
    await ws.send_json({"subprotocol": ws.ws_protocol, "headers": names})
    await ws.send_str("now you")
    await receive(ws)


async def ticker(ws, request):
    await receive(ws)

    async def tick():
        for at in range(10):
            await ws.send_str(f"tick {at}")
            await asyncio.sleep(0.015)
        await ws.close(code=1000, message=b"ticked")

    ticking = asyncio.create_task(tick())
    try:
        while True:
            await ws.send_str(f"heard {await receive(ws)}")
    finally:
        await ticking


async def pings(ws, request):
    """Without `autoping` pongs are told."""
    await receive(ws)
    for payload, words in ((b"still there?", "there was a pong"), (b"", "and another one")):
        await ws.ping(payload)
        pong = await ws.receive(10)
        if pong.type != WSMsgType.PONG or pong.data != payload:
            words = f"no pong, but {pong.type!r} {pong.data!r}"
        await ws.send_str(words)
    await receive(ws)


async def closes(ws, request):
    await receive(ws)
    await ws.send_str("not for long")
    await ws.close(code=4001, message=b"policy: not today")


async def closes_at_once(ws, request):
    await ws.close(code=1013, message=b"try again later")


async def closes_without_code(ws, request):
    await receive(ws)
    # The library always sends a code, so a close frame without payload is written as raw bytes. On
    # an open connection the library would respond to the client's close frame.
    request.transport.write(b"\x88\x00")
    await ws.receive()
    request.transport.close()


async def sends_invalid_text(ws, request):
    await receive(ws)
    request.transport.write(b"\x81\x02\xce\xff")
    await ws.receive()


async def closes_with_1006(ws, request):
    await receive(ws)
    request.transport.write(b"\x88\x02\x03\xee")
    await ws.receive()


async def reset(ws, request):
    await receive(ws)
    await ws.send_str("the last words")
    await asyncio.sleep(0.05)
    at_once = struct.pack("ii", 1, 0)
    plug = request.transport.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    request.transport.abort()


async def ends(ws, request):
    await receive(ws)
    await ws.send_str("the last words")
    await asyncio.sleep(0.05)
    request.transport.abort()


async def login(ws, request):
    """Says again what was secret in the handshake and in each message."""
    headers = request.headers
    seen = {"authorization": headers.get("authorization"), "cookie": headers.get("cookie")}
    await ws.send_json({"target": request.raw_path, **seen})
    while True:
        message = await receive(ws)
        answer = json.dumps({"welcome": json.loads(message)})
        await send(ws, answer if isinstance(message, str) else answer.encode())


async def leaves(ws, request):
    token = json.loads(await receive(ws))["token"]
    await ws.send_str(f"no more of {token}, please")
    await ws.close(code=4003, message=f"bad token {token}".encode())


async def count(ws, request):
    global counted
    counted += 1
    number = counted
    while True:
        await ws.send_str(f"conversation {number} heard {await receive(ws)}")


async def asked(ws, request):
    while True:
        await ws.send_str(f"you said {await receive(ws)}")


async def refused(request):
    return web.json_response(
        {"error": "who are you?"},
        status=401,
        headers={"www-authenticate": 'Bearer realm="doors"'},
    )


async def elsewhere(request):
    return web.Response(status=302, text="over there\n", headers={"location": "/plain"})


async def plain(request):
    return web.Response(text="no conversation here\n")


def conversation(talk, **options):
    async def handle(request):
        ws = web.WebSocketResponse(
            protocols=("second.v2", "first.v1"), max_msg_size=0, timeout=5, **options
        )
        ws.headers["x-origin"] = "aiohttp"
        await ws.prepare(request)
        try:
            await talk(ws, request)
        except (Gone, ConnectionError):
            pass
        return ws

    return handle


def application():
    app = web.Application()
    app.router.add_get("/refused", refused)
    app.router.add_get("/elsewhere", elsewhere)
    app.router.add_get("/plain", plain)
    app.router.add_get("/pings", conversation(pings, autoping=False))
    app.router.add_get("/counted", conversation(count))
    silent = conversation(closes_without_code, autoclose=False)
    app.router.add_get("/closes-without-code", silent)
    for talk in (echo, batch, fragmented, pushes, greeting, ticker, closes, closes_at_once,
                 sends_invalid_text, closes_with_1006, reset, ends, login, leaves, asked):
        path = "/" + talk.__name__.replace("_", "-")
        app.router.add_get(path, conversation(talk))
    return app


asyncio.run(serve(application()))
