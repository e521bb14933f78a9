"""An origin of WebSockets, made with the library `websockets`."""

import asyncio
import json
import signal
import socket
import struct
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

counted = 0


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def batch(ws):
    """Answers three messages together, the last one first."""
    while True:
        messages = [await ws.recv() for _ in range(3)]
        for message in reversed(messages):
            await ws.send(message)


async def fragmented(ws):
    await ws.recv()

    async def parts(*all_parts):
        for part in all_parts:
            yield part
            await asyncio.sleep(0.005)

    await ws.send(parts("in ", "", "three ", "parts \u2713"))
    await ws.send(parts(b"\x00\x01", b"\xff", b"\xfe"))
    await ws.wait_closed()


async def pushes(ws):
    await ws.recv()
    for at in range(5):
        await ws.send(json.dumps({"push": at}))
        await asyncio.sleep(0.02)
    await ws.send("heard: " + await ws.recv())
    await ws.wait_closed()


async def greeting(ws):
    names = sorted({name.lower() for name in ws.request.headers})
    await ws.send(json.dumps({"subprotocol": ws.subprotocol, "headers": names}))
    await ws.send("now you")
    await ws.wait_closed()


async def ticker(ws):
    await ws.recv()

    async def tick():
        for at in range(10):
            await ws.send(f"tick {at}")
            await asyncio.sleep(0.015)
        await ws.close(1000, "ticked")

    ticking = asyncio.create_task(tick())
    async for message in ws:
        await ws.send(f"heard {message}")
    await ticking


async def pings(ws):
    await ws.recv()
    pong = await ws.ping(b"still there?")
    await asyncio.wait_for(pong, 10)
    await ws.send("there was a pong")
    pong = await ws.ping(b"")
    await asyncio.wait_for(pong, 10)
    await ws.send("and another one")
    await ws.wait_closed()


async def closes(ws):
    await ws.recv()
    await ws.send("not for long")
    await ws.close(4001, "policy: not today")


async def closes_at_once(ws):
    await ws.close(1013, "try again later")


async def closes_without_code(ws):
    await ws.recv()
    async with ws.send_context():
        ws.protocol.send_close()
    await ws.wait_closed()


async def sends_invalid_text(ws):
    await ws.recv()
    ws.transport.write(b"\x81\x02\xce\xff")
    await ws.wait_closed()


async def closes_with_1006(ws):
    await ws.recv()
    ws.transport.write(b"\x88\x02\x03\xee")
    await ws.wait_closed()


async def reset(ws):
    await ws.recv()
    await ws.send("the last words")
    await asyncio.sleep(0.05)
    at_once = struct.pack("ii", 1, 0)
    ws.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    ws.transport.abort()


async def ends(ws):
    await ws.recv()
    await ws.send("the last words")
    await asyncio.sleep(0.05)
    ws.transport.abort()


async def login(ws):
    """Says again what was secret in the handshake and in each message."""
    headers = ws.request.headers
    seen = {"authorization": headers.get("authorization"), "cookie": headers.get("cookie")}
    await ws.send(json.dumps({"target": ws.request.path, **seen}))
    async for message in ws:
        answer = json.dumps({"welcome": json.loads(message)})
        await ws.send(answer if isinstance(message, str) else answer.encode())


async def leaves(ws):
    token = json.loads(await ws.recv())["token"]
    await ws.send(f"no more of {token}, please")
    await ws.close(4003, f"bad token {token}")


async def count(ws):
    global counted
    counted += 1
    number = counted
    async for message in ws:
        await ws.send(f"conversation {number} heard {message}")


async def asked(ws):
    async for message in ws:
        await ws.send(f"you said {message}")


PATHS = {
    "/echo": echo,
    "/batch": batch,
    "/fragmented": fragmented,
    "/pushes": pushes,
    "/greeting": greeting,
    "/ticker": ticker,
    "/pings": pings,
    "/closes": closes,
    "/closes-at-once": closes_at_once,
    "/closes-without-code": closes_without_code,
    "/sends-invalid-text": sends_invalid_text,
    "/closes-with-1006": closes_with_1006,
    "/reset": reset,
    "/ends": ends,
    "/login": login,
    "/leaves": leaves,
    "/counted": count,
    "/asked": asked,
}


def path_of(request):
    return request.path.split("?")[0]


def before(connection, request):
    """Answers what is no conversation."""
    path = path_of(request)
    if path == "/refused":
        response = connection.respond(401, '{"error": "who are you?"}\n')
        del response.headers["content-type"]
        response.headers["content-type"] = "application/json"
        response.headers["www-authenticate"] = 'Bearer realm="doors"'
        return response
    if path == "/elsewhere":
        response = connection.respond(302, "over there\n")
        response.headers["location"] = "/plain"
        return response
    if path == "/plain":
        return connection.respond(200, "no conversation here\n")
    if path not in PATHS:
        return connection.respond(404, "nothing here\n")
    return None


def after(connection, request, response):
    response.headers["x-origin"] = "websockets"
    return response


def choose(connection, offered):
    return next((one for one in ("second.v2", "first.v1") if one in offered), None)


async def handle(ws):
    try:
        await PATHS[path_of(ws.request)](ws)
    except ConnectionClosed:
        pass


async def main():
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = await serve(
        handle,
        "127.0.0.1",
        0,
        process_request=before,
        process_response=after,
        select_subprotocol=choose,
        extensions=[ServerPerMessageDeflateFactory()],
        compression=None,
        max_size=None,
        ping_interval=None,
        close_timeout=5,
    )
    port = server.sockets[0].getsockname()[1]
    print(f"listening at http://127.0.0.1:{port}", file=sys.stderr, flush=True)
    await stopped.wait()
    server.close()
    await server.wait_closed()


asyncio.run(main())
