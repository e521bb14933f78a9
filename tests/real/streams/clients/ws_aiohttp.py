"""Holds conversations with aiohttp."""

import asyncio
import json
import socket
import sys

import conversations
from aiohttp import ClientSession, ClientTimeout, ClientWSTimeout, WSMsgType, WSServerHandshakeError
from conversations import base64_of


class Connection(conversations.Connection):
    def __init__(self, ws):
        super().__init__()
        self.ws = ws
        response = ws._response
        self.opened = {
            "status": response.status,
            "reason": response.reason,
            "headers": [[name.lower(), value] for name, value in response.headers.items()],
            "subprotocol": ws.protocol,
            "extensions": [ws.compress, ws.client_notakeover],
        }

    async def send(self, message):
        if isinstance(message, str):
            await self.ws.send_str(message)
        else:
            await self.ws.send_bytes(message)

    async def ping(self, payload):
        await self.ws.ping(payload)
        while await self.next() != WSMsgType.PONG and not self.ended:
            pass

    async def receive(self):
        while not self.ended and await self.next() not in (WSMsgType.TEXT, WSMsgType.BINARY):
            pass

    async def next(self):
        """Tells what came next; its type."""
        message = await self.ws.receive()
        match message.type:
            case WSMsgType.TEXT | WSMsgType.BINARY:
                self.saw(**conversations.message(message.data))
            case WSMsgType.PING:
                self.saw(ping=base64_of(message.data))
                await self.ws.pong(message.data)
            case WSMsgType.PONG:
                self.saw(pong=base64_of(message.data))
            case WSMsgType.CLOSE:
                self.saw_end(closed=[message.data, message.extra], code=self.ws.close_code)
            case WSMsgType.ERROR:
                self.saw_end(error=type(message.data).__name__, code=self.ws.close_code)
            case other:
                self.saw_end(ended=other.name, code=self.ws.close_code)
        return message.type

    async def close(self, code, reason):
        done = await self.ws.close(code=code, message=reason.encode())
        error = self.ws.exception()
        error = error and type(error).__name__
        self.saw_end(done=done, code=self.ws.close_code, error=error)

    async def cut(self):
        plug = self.ws.get_extra_info("socket")
        if plug is not None:
            plug.shutdown(socket.SHUT_RDWR)
        await asyncio.sleep(0.01)


def opener(session):
    async def open_one(url, headers, subprotocols, deflate):
        try:
            ws = await session.ws_connect(
                url,
                headers=headers,
                protocols=subprotocols,
                compress=15 if deflate == "on" else 0,
                timeout=ClientWSTimeout(ws_close=5),
                max_msg_size=0,
                autoping=False,
            )
        except WSServerHandshakeError as error:
            headers = [[name.lower(), value] for name, value in error.headers.items()]
            error.seen = {"status": error.status, "headers": headers, "message": error.message}
            raise
        return Connection(ws)

    return open_one


async def main():
    async with ClientSession(timeout=ClientTimeout(total=None)) as session:
        seen = await conversations.hold_all(opener(session), ())
    json.dump(seen, sys.stdout, indent=1)


asyncio.run(main())
