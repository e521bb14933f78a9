"""Downloads with requests and httpx, and writes the digests of what came to stdout."""

import base64
import hashlib
import json
import sys

import httpx
import requests

BASE = sys.argv[1]


def seen(headers, raw, decoded):
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode()
    claimed = headers.get("repr-digest")
    if claimed is not None and claimed != f"sha-256=:{digest}:":
        raise SystemExit(f"{claimed} is claimed of {digest}")
    return {
        "coding": headers.get("content-encoding"),
        "etag": headers.get("etag"),
        "raw": digest,
        "decoded": hashlib.sha256(decoded).hexdigest(),
    }


def with_requests(path, accept):
    headers = {"accept-encoding": accept}
    with requests.get(BASE + path, headers=headers, stream=True) as response:
        raw = response.raw.read(decode_content=False)
    decoded = requests.get(BASE + path, headers=headers).content
    return seen(response.headers, raw, decoded)


def with_httpx(path, accept):
    headers = {"accept-encoding": accept}
    with httpx.stream("GET", BASE + path, headers=headers) as response:
        raw = b"".join(response.iter_raw())
    decoded = httpx.get(BASE + path, headers=headers).content
    return seen(response.headers, raw, decoded)


results = {}
for path in ["/archive.tar.gz", "/document"]:
    for accept in ["gzip, deflate", "identity"]:
        for client in [with_requests, with_httpx]:
            results[f"{client.__name__} {path} {accept}"] = client(path, accept)
json.dump(results, sys.stdout, indent=1)
