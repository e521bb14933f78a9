"""An application of FastAPI under uvicorn: answers that come before the body, or bit by bit."""

import asyncio
import socket
import sys

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()


async def parts():
    for part in range(4):
        yield f"part {part} ".encode() * 1000
        await asyncio.sleep(0.005)


@app.post("/parts")
async def in_parts():
    return StreamingResponse(parts(), media_type="text/plain")


def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    host, port = listener.getsockname()
    print(f"listening at http://{host}:{port}", file=sys.stderr, flush=True)
    config = uvicorn.Config(app, log_level="warning")
    asyncio.run(uvicorn.Server(config).serve([listener]))


main()
