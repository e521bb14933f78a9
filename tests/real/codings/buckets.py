"""Uploads to and downloads from Amazon S3 with boto3, and writes what came to stdout."""

import gzip
import hashlib
import io
import json
import sys
import warnings

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

warnings.filterwarnings("ignore")  # The certificate is self-signed.

s3 = boto3.client(
    "s3",
    endpoint_url=sys.argv[1],
    verify=False,
    region_name="us-east-1",
    aws_access_key_id="testing",
    aws_secret_access_key="testing",
    config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
)


def filler(length):
    return bytes((7 * at + 3) % 256 for at in range(256)) * (length // 256)


def fetched(key, **arguments):
    response = s3.get_object(Bucket="bucket", Key=key, ChecksumMode="ENABLED", **arguments)
    body = response["Body"].read()
    checksums = {name: value for name, value in response.items() if name.startswith("Checksum")}
    return {
        "sha256": hashlib.sha256(body).hexdigest(),
        "length": response["ContentLength"],
        "coding": response.get("ContentEncoding"),
        "etag": response["ETag"],
        "checksums": checksums,
    }


results = {}
s3.create_bucket(Bucket="bucket")
text = b'{"greeting": "good morning"}'
packed = gzip.compress(text, mtime=0)
put = s3.put_object(Bucket="bucket", Key="text", Body=text, ContentType="application/json")
results["put"] = put["ETag"]
for algorithm in ["CRC32", "SHA1", "SHA256"]:
    put = s3.put_object(Bucket="bucket", Key=algorithm, Body=text, ChecksumAlgorithm=algorithm)
    results[algorithm] = [put["ETag"], fetched(algorithm)]
s3.put_object(Bucket="bucket", Key="packed", Body=packed, ContentEncoding="gzip")
s3.put_object(Bucket="bucket", Key="bytes", Body=filler(200_000))
several = TransferConfig(
    multipart_threshold=5 << 20, multipart_chunksize=5 << 20, use_threads=False
)
s3.upload_fileobj(io.BytesIO(filler(11 << 20)), "bucket", "large", Config=several)
for key in ["text", "packed", "bytes", "large"]:
    results[key] = fetched(key)
results["range"] = fetched("bytes", Range="bytes=100-299")
json.dump(results, sys.stdout, indent=1)
