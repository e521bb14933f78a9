"""Sends requests with each client library, and writes to stdout as JSON what each returned.

python calls.py URL
"""

import io
import json
import sys

import anthropic
import github
import httpx
import openai
import requests
import stripe
import urllib3

URL = sys.argv[1]


def with_openai():
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key="sk-of-the-test", max_retries=0)
    question = [{"role": "user", "content": "hello"}]
    chat = client.chat.completions.create(model="model", messages=question)
    stream = client.chat.completions.create(model="model", messages=question, stream=True)
    parts = [chunk.choices[0].delta.content for chunk in stream]
    vectors = client.embeddings.create(model="model", input="text", encoding_format="float")
    content = io.BytesIO(b'{"a":1}\n')
    file = client.files.create(file=("a.jsonl", content), purpose="batch")
    return [
        [model.id for model in client.models.list()],
        chat.to_dict(),
        parts,
        vectors.to_dict(),
        file.to_dict(),
    ]


def with_openai_error():
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key="sk-of-the-test", max_retries=0)
    try:
        client.models.retrieve("missing")
    except openai.NotFoundError as error:
        return [error.status_code, error.body, str(error)]


def with_anthropic():
    client = anthropic.Anthropic(base_url=URL, api_key="key-of-the-test", max_retries=0)
    message = {"role": "user", "content": "hello"}
    response = client.messages.with_raw_response.create(
        model="model", max_tokens=9, messages=[message]
    )
    return [response.parse().to_dict(), response.headers.get("etag")]


def with_stripe():
    client = stripe.StripeClient("sk_test_key", base_addresses={"api": URL}, max_network_retries=0)
    created = client.v1.customers.create({"name": "Ada", "metadata": {"team": "blue"}})
    listed = client.v1.customers.list({"limit": 3, "expand": ["data.sources"]})
    fetched = client.v1.customers.retrieve("cus_1")
    return [dict(one.to_dict()) for one in [created, *listed.data, fetched]]


def with_github():
    client = github.Github(base_url=URL, retry=None, auth=github.Auth.Token("token-of-the-test"))
    user, repository = client.get_user("someone"), client.get_repo("someone/thing")
    return [user.raw_data, user.raw_headers.get("etag"), repository.raw_data]


def with_httpx():
    with httpx.Client(base_url=URL) as client:
        listed = client.get("/items", params={"tag": ["x", "y"]})
        created = client.post("/items", json={"name": "a"})
    return [listed.json(), listed.reason_phrase, created.json(), created.headers.get("etag")]


def with_requests():
    with requests.Session() as session:
        listed = session.get(f"{URL}/items", timeout=60)
        created = session.post(f"{URL}/items", files={"part": b"content"}, timeout=60)
    return [listed.text, listed.reason, created.text, created.headers.get("etag")]


def with_urllib3():
    pool = urllib3.PoolManager()
    listed = pool.request("GET", f"{URL}/items?urllib3")
    created = pool.request("POST", f"{URL}/items", fields={"a": "1"}, encode_multipart=False)
    return [listed.data.decode(), listed.reason, created.data.decode()]


CASES = [
    with_openai,
    with_openai_error,
    with_anthropic,
    with_stripe,
    with_github,
    with_httpx,
    with_requests,
    with_urllib3,
]
returned = {case.__name__.removeprefix("with_"): case() for case in CASES}
json.dump(returned, sys.stdout, indent=1, default=str)
