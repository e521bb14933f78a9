"""Sends one request with each client library, and writes to stdout as JSON what it printed.

python errors.py URL

Each request gets an error response.
"""

import json
import sys

import anthropic
import boto3
import botocore.config
import github
import grpc
import httpx
import openai
import requests
import stripe

URL = sys.argv[1]
AWS = {
    "endpoint_url": URL,
    "region_name": "us-east-1",
    "aws_access_key_id": "id",
    "aws_secret_access_key": "secret",
    "config": botocore.config.Config(
        retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
    ),
}


def with_openai():
    openai.OpenAI(base_url=f"{URL}/v1", api_key="key", max_retries=0).models.list()


def with_anthropic():
    client = anthropic.Anthropic(base_url=URL, api_key="key", max_retries=0)
    message = {"role": "user", "content": "hello"}
    client.messages.create(model="model", max_tokens=1, messages=[message])


def with_s3():
    boto3.client("s3", **AWS).get_object(Bucket="bucket", Key="key")


def with_dynamodb():
    boto3.client("dynamodb", **AWS).get_item(TableName="table", Key={"id": {"S": "1"}})


def with_sts():
    boto3.client("sts", **AWS).get_caller_identity()


def with_stripe():
    client = stripe.StripeClient("sk_test_key", base_addresses={"api": URL}, max_network_retries=0)
    client.v1.customers.list()


def with_github():
    github.Github(base_url=URL, retry=None).get_user("someone")


def with_httpx():
    httpx.get(f"{URL}/items").raise_for_status()


def with_requests():
    requests.get(f"{URL}/items", timeout=60).raise_for_status()


def with_grpc():
    with grpc.insecure_channel(URL.removeprefix("http://")) as channel:
        channel.unary_unary("/test.Door/Open")(b"", timeout=60)


CASES = [
    (with_openai, "GET /v1/models"),
    (with_anthropic, "POST /v1/messages"),
    (with_s3, "GET /bucket/key"),
    (with_dynamodb, "POST /"),
    (with_sts, "POST /"),
    (with_stripe, "GET /v1/customers"),
    (with_github, "GET /users/someone"),
    (with_httpx, "GET /items"),
    (with_requests, "GET /items"),
    (with_grpc, "POST /test.Door/Open"),
]

told = []
for send, request in CASES:
    try:
        send()
    except Exception as error:
        name = send.__name__.removeprefix("with_")
        told.append({"sdk": name, "request": request, "printed": str(error)})
print(json.dumps(told))
