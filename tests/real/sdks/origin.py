"""Serves what the client libraries ask for, in the form of each API."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CUSTOMER = {"id": "cus_1", "object": "customer", "name": "Ada", "metadata": {"team": "blue"}}
USER = {"login": "someone", "id": 7, "name": "Some One", "url": "/users/someone"}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "model",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Gr\u00fc\u00df dich!"},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "model",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
MODELS = {"object": "list", "data": [{"id": "model", "object": "model", "created": 1}]}
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.25, -1.5]}
FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": 5,
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "batch",
    "status": "processed",
}

GET = {
    "/v1/models": MODELS,
    "/v1/customers": {"object": "list", "data": [CUSTOMER], "has_more": False, "url": "/"},
    "/v1/customers/cus_1": CUSTOMER,
    "/users/someone": USER,
    "/repos/someone/thing": {"id": 1, "name": "thing", "full_name": "someone/thing"},
    "/items": {"items": [1, 2.50]},
}
POST = {
    "/v1/chat/completions": COMPLETION,
    "/v1/embeddings": {"object": "list", "model": "model", "data": [VECTOR]},
    "/v1/files": FILE,
    "/v1/messages": MESSAGE,
    "/v1/customers": CUSTOMER,
    "/items": {"created": True},
}


def chunks():
    for text in ["Gr", "\u00fc\u00df", " dich!"]:
        delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        chunk = {**COMPLETION, "object": "chat.completion.chunk", "choices": [delta]}
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, responses, body):
        path = self.path.split("?")[0]
        if path == "/v1/chat/completions" and json.loads(body).get("stream"):
            self.stream()
            return
        found = responses.get(path)
        error = {"error": {"message": "not here", "type": "invalid_request_error"}}
        content = json.dumps(found or error).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(content)))
        self.send_header("x-ratelimit-remaining", "59")
        self.send_header("etag", f'W/"{len(content)}"')
        self.end_headers()
        self.wfile.write(content)

    def stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in chunks():
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        self.answer(GET, b"")

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        self.answer(POST, self.rfile.read(length))

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening at http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
server.serve_forever()
