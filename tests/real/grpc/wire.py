"""Looks at the bytes between a client and its target: how the messages of a call are compressed.

grpcio tells that to nobody, so that a call goes through a relay of our own.
"""

import socket
import threading

import hpack
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = 9
# The time in seconds in which the relay must end after its client.
PATIENCE = 5


class Direction:
    """What one side sends: the coding that it names, and the bytes of its messages."""

    def __init__(self, preface):
        self.unread, self.preface = b"", preface
        self.block, self.data, self.coding = b"", b"", "identity"
        self.decoder = hpack.Decoder()
        # The peers negotiate the table size, so the relay accepts a large one.
        self.decoder.max_allowed_table_size = 1 << 20

    def see(self, piece):
        self.unread += piece
        if self.preface and len(self.unread) >= len(self.preface):
            assert self.unread.startswith(self.preface)
            self.unread, self.preface = self.unread[len(self.preface) :], b""
        while not self.preface and len(self.unread) >= HEAD:
            frame, length = Frame.parse_frame_header(memoryview(self.unread[:HEAD]))
            if len(self.unread) < HEAD + length:
                return
            frame.parse_body(memoryview(self.unread[HEAD : HEAD + length]))
            self.unread = self.unread[HEAD + length :]
            self.take(frame)

    def take(self, frame):
        if isinstance(frame, DataFrame):
            self.data += frame.data
        elif isinstance(frame, (HeadersFrame, ContinuationFrame)):
            self.block += frame.data
            if "END_HEADERS" in frame.flags:
                fields = self.decoder.decode(self.block)
                self.coding = dict(fields).get("grpc-encoding", self.coding)
                self.block = b""

    def shown(self):
        """The coding, and for each message whether its flag says that it is compressed."""
        compressed, at = [], 0
        while at < len(self.data):
            compressed.append(self.data[at] == 1)
            at += 5 + int.from_bytes(self.data[at + 1 : at + 5], "big")
        return {"coding": self.coding, "compressed": compressed}


class Relay:
    """Stands before a target for one connection, which has to be of one call alone."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.address = "127.0.0.1:{}".format(self.listener.getsockname()[1])
        self.sent, self.came = Direction(PREFACE), Direction(b"")
        self.faults = []
        self.thread = threading.Thread(target=self.relay, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join(PATIENCE)
        self.listener.close()

    def relay(self):
        client, _ = self.listener.accept()
        with client, socket.create_connection(self.target) as server:
            ways = [(client, server, self.sent), (server, client, self.came)]
            threads = [threading.Thread(target=self.pass_on, args=way) for way in ways]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def pass_on(self, source, sink, direction):
        try:
            while piece := source.recv(1 << 16):
                direction.see(piece)
                sink.sendall(piece)
        except OSError:
            # A reset connection counts as closed.
            pass
        except Exception as error:
            self.faults.append(error)
        for side in (source, sink):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                # The other direction has closed the connection already.
                pass

    def shown(self):
        """Of both sides, once the client has closed its connection."""
        assert not self.thread.is_alive() and not self.faults, self.faults
        return {"sent": self.sent.shown(), "came": self.came.shown()}
