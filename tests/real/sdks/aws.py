"""Calls services of AWS with boto3, and writes to stdout as JSON what each returned.

python aws.py URL
"""

import json
import sys

import boto3
from botocore.config import Config

URL = sys.argv[1]


def client(service, **config):
    config = Config(retries={"total_max_attempts": 1}, **config)
    return boto3.client(
        service,
        endpoint_url=URL,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=config,
    )


def with_s3():
    s3 = client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="bucket")
    put = s3.put_object(Bucket="bucket", Key="a/b c", Body=b"content", Metadata={"team": "blue"})
    got = s3.get_object(Bucket="bucket", Key="a/b c")
    head = s3.head_object(Bucket="bucket", Key="a/b c")
    listed = s3.list_objects_v2(Bucket="bucket", Prefix="a/")
    try:
        missing = s3.get_object(Bucket="bucket", Key="missing")
    except s3.exceptions.NoSuchKey as error:
        missing = str(error)
    s3.delete_object(Bucket="bucket", Key="a/b c")
    s3.delete_bucket(Bucket="bucket")
    body = got["Body"].read().decode()
    return [
        put["ETag"],
        body,
        got["Metadata"],
        head["ContentLength"],
        [one["Key"] for one in listed["Contents"]],
        missing,
    ]


def with_dynamodb():
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="table",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    item = {"id": {"S": "1"}, "n": {"N": "2.50"}, "b": {"B": b"\x00\xff"}}
    dynamodb.put_item(TableName="table", Item=item)
    got = dynamodb.get_item(TableName="table", Key={"id": {"S": "1"}})
    dynamodb.delete_table(TableName="table")
    return sorted((name, repr(value)) for name, value in got["Item"].items())


def with_sts():
    identity = client("sts").get_caller_identity()
    return [identity["Account"], identity["Arn"]]


CASES = [with_s3, with_dynamodb, with_sts]
returned = {case.__name__.removeprefix("with_"): case() for case in CASES}
json.dump(returned, sys.stdout, indent=1)
