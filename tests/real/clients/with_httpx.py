"""Sends the requests that come on stdin with httpx, and writes what it got to stdout."""

import base64
import json
import sys

import httpx


def filler(length):
    return bytes((7 * at + 3) % 256 for at in range(length))


def pieces(length):
    data = filler(length)
    for start in range(0, length, 1000):
        yield data[start : start + 1000]


def content(body):
    """The arguments of httpx for a body."""
    if body is None:
        return {}
    kind = body["kind"]
    if kind == "json":
        return {"json": body["value"]}
    if kind == "text":
        return {"content": body["text"].encode(), "headers": {"content-type": body["type"]}}
    if kind == "bytes":
        return {
            "content": filler(body["length"]),
            "headers": {"content-type": "application/octet-stream"},
        }
    if kind == "chunked":
        return {"content": pieces(body["length"])}
    if kind == "form":
        return {"data": body["fields"]}
    if kind == "multipart":
        file = ("picture.bin", filler(body["length"]), "application/octet-stream")
        return {"data": body["fields"], "files": {"file": file}}
    raise ValueError(f"no such body: {kind}")


def send(client, base, request):
    arguments = content(request["body"])
    headers = {**arguments.pop("headers", {}), **request["headers"]}
    url = base + request["target"]
    with client.stream(request["method"], url, headers=headers, **arguments) as response:
        raw = b"".join(response.iter_raw())
    again = httpx.Response(response.status_code, headers=response.headers, content=raw)
    decoded = raw if request["method"] == "HEAD" else again.read()
    return {
        "name": request["name"],
        "status": response.status_code,
        "version": response.http_version,
        "headers": response.headers.multi_items(),
        "raw": base64.b64encode(raw).decode(),
        "body": base64.b64encode(decoded).decode(),
    }


def main():
    task = json.load(sys.stdin)
    with httpx.Client(
        http1=not task["http2"],
        http2=task["http2"],
        headers={"ouli-session": task["session"]},
        timeout=30,
        trust_env=False,
    ) as client:
        seen = []
        for request in task["requests"]:
            # Cookies of earlier responses are not sent.
            client.cookies.clear()
            try:
                seen.append(send(client, task["base"], request))
            except Exception as error:
                raise SystemExit(f"{request['name']}: {error!r}")
    json.dump(seen, sys.stdout)


main()
