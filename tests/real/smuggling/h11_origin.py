"""An origin that reads requests with h11, and notes each that it saw whole."""

import json
import socket
import sys
import threading

import h11

log = open(sys.argv[1], "a", buffering=1)
lock = threading.Lock()


def note(request, body):
    line = {"method": request.method.decode(), "target": request.target.decode(), "hex": body.hex()}
    with lock:
        log.write(json.dumps(line) + "\n")


def serve(peer):
    connection = h11.Connection(h11.SERVER)
    request, body = None, b""
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    peer.sendall(connection.send(h11.InformationalResponse(status_code=100, headers=[])))
                connection.receive_data(peer.recv(65536))
            elif isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                note(request, body)
                fields = [("x-origin", "h11"), ("content-length", "0")]
                peer.sendall(connection.send(h11.Response(status_code=200, headers=fields)))
                peer.sendall(connection.send(h11.EndOfMessage()) or b"")
                if connection.our_state is h11.MUST_CLOSE:
                    return
                connection.start_next_cycle()
            else:
                return
    except h11.RemoteProtocolError as error:
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            status = error.error_status_hint or 400
            answer = h11.Response(status_code=status, headers=[("content-length", "0"), ("connection", "close")])
            peer.sendall(connection.send(answer))
    except OSError:
        pass
    finally:
        peer.close()


listener = socket.create_server(("127.0.0.1", 0), backlog=256)
print(f"listening at http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
