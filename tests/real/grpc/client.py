"""Calls a server of ouli.test with grpcio, and writes what it saw to stdout as one JSON document.

python client.py --target HOST:PORT --secret S --cases a,b,c [--session NAME] [--wrong] [--swapped]

Each case gives a list of calls. Of a call: `messages` (each with its bytes as they came, its texts,
and its bytes without the texts), `initial` and `trailing` metadata by name, `code` and `details`;
and `compression` of both sides as it was on the wire, where it is about that.
"""

import argparse
import base64
import json
import queue
import signal
import sys

import grpc

import schema
import wire

ECHO = [
    ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
    ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab\x00\xff"),
]
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
# Timeouts in seconds: of a whole run, of a call.
RUN, CALL = 55, 20
LARGEST = 16 << 20
GZIP = grpc.Compression.Gzip


def pattern(size):
    return {"kind": schema.KIND_PATTERN, "body": bytes(at % 251 for at in range(size))}


def text64(data):
    return base64.b64encode(data).decode()


def shown_metadata(metadata):
    shown = [
        [name, text64(value) if isinstance(value, bytes) else value]
        for name, value in metadata or ()
        if name != "date"
    ]
    return sorted(shown, key=lambda pair: pair[0])


def take_texts(message, path, texts):
    """Moves all texts out of a message, by the path of their field."""
    for field, value in message.ListFields():
        name = f"{path}{field.name}"
        entry = field.message_type is not None and field.message_type.GetOptions().map_entry
        if field.type == field.TYPE_STRING:
            texts[name] = value if isinstance(value, str) else list(value)
            message.ClearField(field.name)
        elif field.type == field.TYPE_MESSAGE and not entry and hasattr(value, "ListFields"):
            take_texts(value, name + ".", texts)


def shown_message(data):
    message, texts = schema.Response.FromString(data), {}
    take_texts(message, "", texts)
    return {"bytes": text64(data), "texts": texts, "rest": text64(schema.encode(message))}


class Client:
    def __init__(self, told, target):
        self.told = told
        self.secrets = schema.secrets(told.secret)
        self.session = [("ouli-session", told.session)] if told.session else []
        options = [
            ("grpc.max_receive_message_length", LARGEST),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self.channel = grpc.insecure_channel(target, options=options)
        self.makers = {
            (False, False): self.channel.unary_unary,
            (False, True): self.channel.unary_stream,
            (True, False): self.channel.stream_unary,
            (True, True): self.channel.stream_stream,
        }

    def stub(self, method, service=schema.SERVICE):
        many = next(many for name, _, _, *many in schema.METHODS if name == method)
        return self.makers[tuple(many)](f"/{service}/{method}", schema.encode, None)

    def shown(self, call, messages, stopped=False):
        code = call.code()
        # The error of tonic for an expired deadline.
        late = code is grpc.StatusCode.CANCELLED and call.details() == "Timeout expired"
        code = grpc.StatusCode.DEADLINE_EXCEEDED if late else code
        timed_out = code is grpc.StatusCode.DEADLINE_EXCEEDED
        return {
            "messages": [shown_message(message) for message in messages],
            # A client that ends a call does not get the metadata that arrived before.
            "initial": [] if timed_out else shown_metadata(call.initial_metadata()),
            "trailing": [] if timed_out or stopped else shown_metadata(call.trailing_metadata()),
            "code": code.value[0],
            # The text depends on the side that first notices the expired deadline.
            "details": "" if timed_out or stopped else call.details() or "",
        }

    def one(self, method, request, metadata=(), timeout=CALL, compression=None, **service):
        """A call with one response; `request` may be many."""
        ask = self.stub(method, **service).with_call
        more = {"timeout": timeout, "compression": compression}
        try:
            message, call = ask(request, metadata=[*self.session, *metadata], **more)
            return self.shown(call, [message])
        except grpc.RpcError as error:
            return self.shown(error, [])

    def unary(self, metadata=(), timeout=CALL, compression=None, **fields):
        return self.one("UnaryCall", schema.Request(**fields), metadata, timeout, compression)

    def stream(self, method, requests, most=None, metadata=()):
        """A call with many responses, ended after `most`. Each response takes the next request."""
        waiting, said = list(requests), None
        if method == "FullDuplexCall":
            said = queue.SimpleQueue()
            said.put(waiting.pop(0) if waiting else None)
        first = iter(said.get, None) if said else waiting.pop(0)
        call = self.stub(method)(first, timeout=CALL, metadata=[*self.session, *metadata])
        messages = []
        try:
            for message in call:
                messages.append(message)
                if len(messages) == most:
                    call.cancel()
                    break
                if said:
                    said.put(waiting.pop(0) if waiting else None)
        except grpc.RpcError:
            pass
        if said:
            said.put(None)
        return self.shown(call, messages, len(messages) == most)


class Cases:
    """A function for each case; it gives what was seen of its calls."""

    def __init__(self, client, told):
        self.client, self.told = client, told
        self.wanted = {"user": "alice", "password": client.secrets["password"]}

    def empty_unary(self):
        return [self.client.one("EmptyCall", schema.Empty())]

    def large_unary(self):
        return [self.client.unary(response_size=314159, payload=pattern(271828))]

    def client_streaming(self):
        sizes = (27182, 8, 1828, 45904)
        requests = iter([schema.Request(payload=pattern(size)) for size in sizes])
        return [self.client.one("StreamingInputCall", requests)]

    def server_streaming(self):
        sizes = (31415, 9, 2653, 58979)
        request = schema.Request(parts=[{"size": size} for size in sizes], text="parts")
        return [self.client.stream("StreamingOutputCall", [request])]

    def ping_pong(self):
        sizes = [(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)]
        requests = [
            schema.Request(parts=[{"size": back}], payload=pattern(there), number=turn)
            for turn, (there, back) in enumerate(sizes)
        ]
        if self.told.wrong:
            requests[1].text = "something else"
        return [self.client.stream("FullDuplexCall", requests)]

    def empty_stream(self):
        return [self.client.stream("FullDuplexCall", [])]

    def custom_metadata(self):
        request = schema.Request(response_size=10, payload=pattern(10), parts=[{"size": 10}])
        return [
            self.client.one("UnaryCall", request, ECHO),
            self.client.stream("FullDuplexCall", [request], metadata=ECHO),
        ]

    def status_code_and_message(self):
        request = schema.Request(response_status={"code": 2, "message": "test status message"})
        return [
            self.client.one("UnaryCall", request),
            self.client.stream("FullDuplexCall", [request]),
        ]

    def special_status_message(self):
        return [self.client.unary(response_status={"code": 2, "message": SPECIAL})]

    def unimplemented_method(self):
        return [self.client.one("UnimplementedCall", schema.Empty())]

    def unimplemented_service(self):
        other = schema.PACKAGE + ".UnknownService"
        return [self.client.one("UnimplementedCall", schema.Empty(), service=other)]

    def all_fields(self):
        fields = {"tags": ["one", "", "drei ☺"], "counts": {"b": 2, "a": -1, "": 3}}
        return [
            self.client.unary(text="of the oneof", **fields),
            self.client.unary(number=-(1 << 60), **fields),
        ]

    def gzip(self):
        words = ["compress me " * 200]
        fields = {"payload": pattern(5000), "response_size": 5000, "tags": words}
        with wire.Relay(self.told.target) as relay:
            client = Client(self.told, relay.address)
            seen = client.unary(compression=GZIP, compress_response=True, **fields)
            client.channel.close()
        return [{**seen, "compression": relay.shown()}]

    def deadline(self):
        # A request for initial metadata makes the server send the head before it sleeps.
        return [self.client.unary(ECHO[:1], timeout=0.3, sleep_ms=2000)]

    def deadline_without_head(self):
        return [self.client.unary(timeout=0.3, sleep_ms=2000)]

    def cancel(self):
        parts = [{"size": 100, "pause_ms": 20}] * 10
        request = schema.Request(parts=parts, text="ten")
        return [self.client.stream("StreamingOutputCall", [request], most=2)]

    def rich_status(self):
        status = {"code": 9, "message": "not now"}
        return [self.client.unary(response_status=status, rich_status=True)]

    def secret_metadata(self):
        secrets = self.client.secrets
        metadata = [(name, secrets[name]) for name in ("authorization", "x-api-key")]
        return [self.client.unary(metadata, text="who am I")]

    def secret_message(self):
        return [self.client.unary(credentials=self.wanted, text="look")]

    def secret_token(self):
        # A token with a known pattern, in a request and in its response.
        token = self.client.secrets["access_token"]
        return [self.client.unary(credentials={"access_token": token}, text=token)]

    def secret_trailers(self):
        return [self.client.unary(text="log in", credentials={"user": "alice"}, log_in=True)]

    def twice(self):
        return [self.client.unary(text="count", count_calls=True) for _ in range(2)]

    def two_bodies(self):
        texts = ["second", "first"] if self.told.swapped else ["first", "second"]
        seen = {text: self.client.unary(text=text, response_size=7) for text in texts}
        return [seen["first"], seen["second"]]

    def unary_miss(self):
        return [self.client.unary(text="never recorded")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--cases", required=True)
    parser.add_argument("--session")
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--swapped", action="store_true")
    told = parser.parse_args()
    # The default action of SIGALRM ends the process with all its threads.
    signal.alarm(RUN)
    cases = Cases(Client(told, told.target), told)
    seen = {name: getattr(cases, name)() for name in told.cases.split(",")}
    json.dump(seen, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
