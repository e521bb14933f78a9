"""An application of Flask under Werkzeug that does not read the body of a request."""

import logging
import sys

from flask import Flask
from werkzeug.serving import make_server

app = Flask(__name__)


@app.post("/unread")
def unread():
    return "not read\n", 401


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"listening at http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()


main()
