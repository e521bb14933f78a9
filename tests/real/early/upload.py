"""Posts a file with urllib or requests; prints the status."""

import sys
import urllib.error
import urllib.request

import requests

HEADERS = {"content-type": "application/json"}


def with_urllib(url, body):
    request = urllib.request.Request(url, data=body, headers=HEADERS, method="POST")
    try:
        return urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.status


def with_requests(url, body):
    return requests.post(url, data=body, headers=HEADERS, timeout=30).status_code


def main():
    client, url, file = sys.argv[1:]
    with open(file, "rb") as opened:
        body = opened.read()
    send = with_urllib if client == "urllib" else with_requests
    print(send(url, body))


main()
