"""Holds conversations with the library `websockets`."""

import asyncio

import conversations
from conversations import base64_of
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

OFFERS = {
    "off": [],
    "on": [ClientPerMessageDeflateFactory(client_max_window_bits=True)],
    "no context": [
        ClientPerMessageDeflateFactory(
            server_no_context_takeover=True,
            client_no_context_takeover=True,
        )
    ],
}


class Connection(conversations.Connection):
    def __init__(self, ws):
        super().__init__()
        self.ws = ws
        self.opened = {
            "status": ws.response.status_code,
            "reason": ws.response.reason_phrase,
            "headers": [[name.lower(), value] for name, value in ws.response.headers.raw_items()],
            "subprotocol": ws.subprotocol,
            "extensions": [repr(one) for one in ws.protocol.extensions],
        }

    async def send(self, message):
        await self.ws.send(message)

    async def send_fragments(self, parts):
        await self.ws.send(parts)

    async def ping(self, payload):
        pong = await self.ws.ping(payload)
        await pong
        self.saw(pong=base64_of(payload))

    async def receive(self):
        if self.ended:
            return
        try:
            self.saw(**conversations.message(await self.ws.recv()))
        except ConnectionClosed as error:
            self.closed(type(error).__name__)

    async def close(self, code, reason):
        await self.ws.close(code, reason)
        self.closed(None)

    def closed(self, exception):
        received, sent = self.ws.protocol.close_rcvd, self.ws.protocol.close_sent
        self.saw_end(
            closed=[self.ws.close_code, self.ws.close_reason],
            received=received and [received.code, received.reason],
            sent=sent and [sent.code, sent.reason],
            exception=exception,
        )

    async def cut(self):
        self.ws.transport.abort()
        await asyncio.sleep(0.01)


async def open_one(url, headers, subprotocols, deflate):
    try:
        ws = await connect(
            url,
            additional_headers=headers,
            subprotocols=subprotocols or None,
            extensions=OFFERS[deflate] or None,
            compression=None,
            max_size=None,
            ping_interval=None,
            close_timeout=5,
            proxy=None,
        )
    except InvalidStatus as error:
        response = error.response
        error.seen = {
            "status": response.status_code,
            "headers": [[name.lower(), value] for name, value in response.headers.raw_items()],
            "body": base64_of(response.body or b""),
        }
        raise
    return Connection(ws)


conversations.run(open_one, "fragments", "no context")
