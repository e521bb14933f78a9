"""A site with a login by two cookies. It reads the first `cookie` field, as many servers do."""

import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html><p id="seen">%s</p><script>
const [visit] = performance.getEntriesByType("navigation");
document.getElementById("seen").append(` over ${visit.nextHopProtocol}`);
</script>"""


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/login":
            self.send_response(302)
            self.send_header("Set-Cookie", "session=one; Path=/")
            self.send_header("Set-Cookie", "csrf=two; Path=/")
            self.send_header("Location", "/home")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        cookies = SimpleCookie(self.headers.get("Cookie", ""))
        known = {name: cookie.value for name, cookie in cookies.items()}
        welcome = known == {"session": "one", "csrf": "two"}
        page = (PAGE % ("welcome" if welcome else "please log in")).encode()
        self.send_response(200 if welcome else 403)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)


server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
print(f"listening at http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
server.serve_forever()
