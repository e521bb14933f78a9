"""Serves a file with a content coding, and says which digests it has."""

import base64
import gzip
import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DOCUMENT = json.dumps({"numbers": [n * 2654435761 % 1000003 for n in range(5000)]}).encode()
ARCHIVE = gzip.compress(DOCUMENT, compresslevel=1, mtime=1_700_000_000)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        accepted = self.headers.get("accept-encoding", "")
        is_coded = self.path == "/archive.tar.gz" or "gzip" in accepted
        body = ARCHIVE if is_coded else DOCUMENT
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        if is_coded:
            self.send_header("content-encoding", "gzip")
        self.send_header("content-length", str(len(body)))
        self.send_header("content-md5", base64.b64encode(hashlib.md5(body).digest()).decode())
        self.send_header("repr-digest", f"sha-256=:{digest}:")
        self.send_header("etag", f'"{digest[:8]}"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening at http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
server.serve_forever()
