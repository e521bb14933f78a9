"""A server of ouli.test with grpcio.

python server.py --secret S

It takes a free port of 127.0.0.1 and says `listening on 127.0.0.1:PORT` on stderr.
"""

import argparse
import itertools
import signal
import sys
import threading
import time
from concurrent import futures

import grpc

import schema

ECHO_INITIAL, ECHO_TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
LARGEST = 16 << 20


def payload(size):
    return {"kind": schema.KIND_ZEROS, "body": bytes(size)}


def check_payload(request):
    """The bytes that came; a pattern has to be the one that clients send."""
    body = request.payload.body
    if request.payload.kind == schema.KIND_PATTERN:
        assert body == bytes(at % 251 for at in range(len(body)))
    return len(body)


class Service:
    def __init__(self, secrets):
        self.secrets = secrets
        self.calls = itertools.count()

    def begin(self, context):
        """Sends the initial metadata at once; keeps the trailing metadata for the end."""
        metadata = context.invocation_metadata()
        initial = [one for one in metadata if one[0] == ECHO_INITIAL]
        if initial:
            context.send_initial_metadata(initial)
        context.set_trailing_metadata([one for one in metadata if one[0] == ECHO_TRAILING])

    def response(self, request, context, received=None):
        response = schema.Response(
            tags=request.tags,
            counts=request.counts,
            received_bytes=check_payload(request) if received is None else received,
        )
        if request.response_size:
            sized = schema.Response(payload=payload(request.response_size))
            response.MergeFrom(sized)
        if request.WhichOneof("choice") == "text":
            response.text = request.text
        elif request.WhichOneof("choice") == "number":
            response.number = request.number
        if request.count_calls:
            # Clients make two of these calls.
            response.call = 1 + next(self.calls) % 2
        if request.log_in:
            response.credentials.user = request.credentials.user
            response.credentials.access_token = self.secrets["issued"]
            context.set_trailing_metadata([("x-auth-token", self.secrets["x-auth-token"])])
        return response

    def end(self, request, context):
        """Ends the call with the status that the client wants, where it wants one."""
        status = request.response_status
        if not status.code:
            return
        if request.rich_status:
            rich = schema.RichStatus(code=status.code, message=status.message)
            rich.details.add(type_url="type.googleapis.com/ouli.test.Detail", value=b"\x00\xffwhy")
            context.set_trailing_metadata([("grpc-status-details-bin", schema.encode(rich))])
        code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        context.abort(code, status.message)

    def wait(self, milliseconds, context):
        end = time.monotonic() + milliseconds / 1000
        while context.is_active() and time.monotonic() < end:
            time.sleep(0.005)

    def EmptyCall(self, request, context):
        self.begin(context)
        return schema.Empty()

    def UnaryCall(self, request, context):
        if request.compress_response:
            context.set_compression(grpc.Compression.Gzip)
        self.begin(context)
        self.wait(request.sleep_ms, context)
        self.end(request, context)
        return self.response(request, context)

    def StreamingInputCall(self, requests, context):
        self.begin(context)
        received = sum(check_payload(request) for request in requests)
        return self.response(schema.Request(), context, received)

    def StreamingOutputCall(self, request, context):
        self.begin(context)
        yield from self.parts(request, context)

    def FullDuplexCall(self, requests, context):
        self.begin(context)
        for request in requests:
            self.end(request, context)
            yield from self.parts(request, context)

    def parts(self, request, context):
        for part in request.parts:
            self.wait(part.pause_ms, context)
            if not context.is_active():
                return
            response = self.response(request, context)
            response.payload.CopyFrom(schema.Response(payload=payload(part.size)).payload)
            yield response


def handlers(service):
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    found = {}
    for name, asked, _, *many in schema.METHODS:
        behaviour = getattr(service, name, None)
        if behaviour is not None:
            read = {"Empty": schema.Empty, "Request": schema.Request}[asked].FromString
            found[name] = makers[tuple(many)](behaviour, read, schema.encode)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--secret", required=True)
    told = parser.parse_args()
    pool = futures.ThreadPoolExecutor(max_workers=8)
    options = [("grpc.max_receive_message_length", LARGEST), ("grpc.so_reuseport", 0)]
    server = grpc.server(pool, options=options)
    found = handlers(Service(schema.secrets(told.secret)))
    generic = grpc.method_handlers_generic_handler(schema.SERVICE, found)
    server.add_generic_rpc_handlers((generic,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", file=sys.stderr, flush=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
