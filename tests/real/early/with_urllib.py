"""Posts a body many times with urllib, and closes each response unread; prints the statuses."""

import sys
import urllib.error
import urllib.request

BODY = b"0123456789abcdef" * 6250


def post(url):
    request = urllib.request.Request(url, data=BODY, method="POST")
    try:
        response = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        response = error
    status = response.status
    response.close()
    return status


def main():
    url, count = sys.argv[1], int(sys.argv[2])
    for number in range(count):
        print(post(f"{url}?number={number}"))


main()
