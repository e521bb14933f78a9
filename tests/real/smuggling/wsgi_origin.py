"""An application of WSGI that notes each request that it saw whole."""

import json
import os
import threading

log = open(os.environ["SEEN"], "a", buffering=1)
lock = threading.Lock()


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    # WSGI does not distinguish a truncated body from a complete one.
    if len(body) < int(environ.get("CONTENT_LENGTH") or 0):
        start_response("400 Bad Request", [("content-length", "0")])
        return []
    target = environ["RAW_URI"]
    if "://" in target:
        target = "/" + target.split("://", 1)[1].partition("/")[2]
    line = {"method": environ["REQUEST_METHOD"], "target": target, "hex": body.hex()}
    with lock:
        log.write(json.dumps(line) + "\n")
    start_response("200 OK", [("x-origin", "wsgi"), ("content-length", "0")])
    return []
