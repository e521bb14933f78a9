"""Reads streams with httpx as the bytes that they are. Usage: sse_httpx.py BASE SESSION SECRETS."""

import base64
import json
import sys
import time

import httpx

TOKEN = {"authorization": "Bearer ${token}"}
QUESTION = {"question": "one two three", "password": "${password}"}

# Name, target and options: headers, a body, the number of bytes after which the client disconnects,
# and whether the parts of a text are joined.
STREAMS = [
    ("fields", "/events", {}),
    ("fields, crlf", "/events-crlf", {}),
    ("fields, cr", "/events-cr", {}),
    ("mixed ends of lines", "/events-mixed", {}),
    ("byte order mark", "/events-bom", {}),
    ("split", "/events-split", {}),
    ("paused", "/events-paused", {}),
    ("unended", "/events-unended", {}),
    ("empty", "/events-empty", {}),
    ("large", "/events-large", {}),
    ("reset", "/events-reset", {}),
    ("gzip", "/events-gzip", {"headers": {"accept-encoding": "gzip"}}),
    ("gzip at once", "/events-gzip-at-once", {"headers": {"accept-encoding": "gzip"}}),
    ("resumed", "/events-resumed", {"headers": {"last-event-id": "3"}}),
    ("resumed to the end", "/events-resumed", {"headers": {"last-event-id": "6"}}),
    ("secrets", "/events-login?access_token=${secret}", {"headers": TOKEN}),
    ("secret over two events", "/events-spelled", {"headers": TOKEN, "joined": True}),
    ("answer to a post", "/asked", {"json": QUESTION}),
    ("lines", "/lines", {}),
    ("lines, split", "/lines-split", {}),
    ("refused", "/refused", {}),
    ("left by the client", "/events-endless", {"leave": 60}),
    ("left by the client again", "/events-endless", {"leave": 400}),
    ("left before its end", "/events-paused?left", {"leave": 30}),
]

# The timeout in seconds for the origin to notice a disconnected client.
PATIENCE = 5


def put_into(value, secrets):
    text = json.dumps(value)
    for name, secret in secrets.items():
        text = text.replace("${%s}" % name, secret)
    return json.loads(text)


def joined_deltas(text):
    """A stand-in is not split as its secret was: what the parts give together is the same."""
    data = [line.removeprefix("data: ") for line in text.splitlines() if line]
    return {"events": len(data), "text": "".join(json.loads(one)["delta"] for one in data)}


def read(client, base, name, target, special):
    """What came; its time is told apart, as no two readings take the same."""
    leave = special.pop("leave", None)
    joined = special.pop("joined", False)
    seen = {"name": name, "status": None, "exception": None}
    raw = b""
    times = []
    start = time.monotonic()
    method = "POST" if "json" in special else "GET"
    try:
        with client.stream(method, base + target, **special) as response:
            seen["status"] = response.status_code
            seen["headers"] = response.headers.multi_items()
            for part in response.iter_raw():
                times.append(round(1000 * (time.monotonic() - start)))
                raw += part
                if leave is not None and len(raw) >= leave:
                    raw = raw[:leave]
                    break
    except httpx.HTTPError as error:
        seen["exception"] = type(error).__name__
    if joined:
        seen["joined"] = joined_deltas(raw.decode())
    else:
        seen["raw"] = base64.b64encode(raw).decode()
    headers = httpx.Headers(seen.get("headers"))
    if leave is None and headers.get("content-encoding") == "gzip":
        decoded = httpx.Response(200, headers=headers, content=raw).read()
        seen["body"] = base64.b64encode(decoded).decode()
    seen["timing"] = {"first": times[:1], "last": times[-1:]}
    return seen


def count_cut(client, base):
    """Asks the origin how many streams were cut, until it knows of all that were."""
    end = time.monotonic() + PATIENCE
    while True:
        cut = client.get(base + "/stats").json()["cut"].get("/events-endless", 0)
        if cut >= 2 or time.monotonic() > end:
            return cut
        time.sleep(0.2)


def main():
    base, session, secrets = sys.argv[1:4]
    streams = put_into(STREAMS, json.loads(secrets))
    with httpx.Client(headers={"ouli-session": session}, timeout=8, trust_env=False) as client:
        seen = [read(client, base, *one) for one in streams]
        cut = count_cut(client, base)
    json.dump({"session": session, "seen": seen, "cut": cut}, sys.stdout, indent=1)


main()
