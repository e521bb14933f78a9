// An origin of Node.js whose responses follow from the request alone: HTTP/1.1, or HTTP/2 by prior
// knowledge if the first argument is `h2c`.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

const isHttp2 = process.argv[2] === "h2c";
const TEXT = "The quick brown fox jumps over the lazy dog.\n".repeat(40);
const CODERS = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
// The fields of one hop (RFC 9110, section 7.6.1), and those whose order or form the protocol decides.
const OF_THE_HOP = /^(:|host$|connection$|keep-alive$|upgrade$|http2-settings$|transfer-encoding$|content-length$)/;

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

function fields(raw) {
  const lines = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at].toLowerCase();
    if (!OF_THE_HOP.test(name)) {
      lines.push(`${name}: ${raw[at + 1]}`);
    }
  }
  return lines;
}

// What the origin saw of the request, as text.
function echo(request, body, response) {
  const seen = [`${request.method} ${request.url}`, `host: ${request.headers.host}`];
  seen.push(...fields(request.rawHeaders));
  seen.push(`body: ${body.length} ${digest(body)}`);
  seen.push(...fields(request.rawTrailers).map((line) => `trailer ${line}`));
  send(response, 200, { "content-type": "text/plain" }, seen.join("\n") + "\n");
}

function send(response, status, head, body = "") {
  const bytes = Buffer.from(body);
  response.writeHead(status, { ...head, "content-length": String(bytes.length) });
  response.end(bytes);
}

function coded(request, response, coding, isForced) {
  const accepted = request.headers["accept-encoding"] ?? "";
  const head = { "content-type": "text/plain", vary: "accept-encoding", etag: `"${coding}"` };
  if (isForced || accepted.includes(coding)) {
    send(response, 200, { ...head, "content-encoding": coding }, CODERS[coding](TEXT));
  } else {
    send(response, 200, head, TEXT);
  }
}

async function inParts(response, head, parts) {
  response.writeHead(200, head);
  for (const part of parts) {
    await new Promise((resolve) => response.write(part, resolve));
  }
}

const lines = (count) => Array.from({ length: count }, (_, at) => `part ${at}\n`);
const events = [": hello\n\n", "event: one\ndata: 1\n\n", "id: 7\nretry: 10\ndata: a\ndata: b\n\n"];

const ROUTES = {
  echo: (request, response, _, body) => echo(request, body, response),
  bytes: (request, response, [length]) =>
    send(response, 200, {}, Buffer.alloc(Number(length), "0123456789abcdef")),
  status: (request, response, [status, reason]) => {
    const head = { "x-status": status };
    if (reason !== undefined && !isHttp2) {
      response.statusMessage = decodeURIComponent(reason);
    }
    const hasBody = !["204", "205", "304"].includes(status);
    if (hasBody) {
      send(response, Number(status), head, `status ${status}\n`);
    } else {
      response.writeHead(Number(status), head);
      response.end();
    }
  },
  "empty-reason": (request, response) => {
    response.statusMessage = "";
    send(response, 200, {}, "no reason\n");
  },
  fields: (request, response) => {
    response.setHeader("x-list", ["a", "b, c", "a"]);
    response.setHeader("x-empty", "");
    response.setHeader("x-latin", "caf\xe9");
    response.setHeader("x-inner", "a  b\tc");
    response.setHeader("x-quoted", '"a, \\"b\\"", c');
    response.setHeader("warning", ['199 - "one"', '299 - "two"']);
    response.setHeader("link", ["</a>; rel=next", "</b>; rel=prev"]);
    response.setHeader("x-request-id", "abc-1");
    response.setHeader("server", "origin/1.0");
    send(response, 200, {}, "fields\n");
  },
  cookies: (request, response) => {
    const attributes = ["Path=/", "Path=/; HttpOnly", "Path=/sub"];
    const cookies = attributes.map((text, at) => `${"aba"[at]}=cookie-value-${at + 1}; ${text}`);
    response.setHeader("set-cookie", cookies);
    send(response, 200, { "content-type": "text/plain" }, `${request.headers.cookie ?? "none"}\n`);
  },
  "large-head": (request, response, [count]) => {
    for (let at = 0; at < Number(count); at += 1) {
      response.setHeader(`x-large-${at}`, `${at}`.repeat(200));
    }
    send(response, 200, {}, "large head\n");
  },
  redirect: (request, response, [count, status = "302"]) => {
    const left = Number(count) - 1;
    const location = left > 0 ? `/redirect/${left}/${status}` : "/echo";
    send(response, Number(status), { location }, "elsewhere\n");
  },
  coded: (request, response, [coding]) => coded(request, response, coding, false),
  forced: (request, response, [coding]) => coded(request, response, coding, true),
  miscoded: (request, response) =>
    send(response, 200, { "content-encoding": "gzip", "content-type": "text/plain" }, TEXT),
  chunks: async (request, response, [count]) => {
    await inParts(response, { "content-type": "text/plain" }, lines(Number(count)));
    response.end();
  },
  "until-close": async (request, response) => {
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
    response.removeHeader("transfer-encoding");
    await inParts(response, { "content-type": "text/plain", connection: "close" }, lines(3));
    response.end();
  },
  events: async (request, response) => {
    await inParts(response, { "content-type": "text/event-stream" }, events);
    response.end();
  },
  ndjson: async (request, response) => {
    await inParts(response, { "content-type": "application/x-ndjson" }, ['{"a":1}\n', '{"a": 2}\n']);
    response.end();
  },
  trailers: async (request, response, [kind]) => {
    const head = kind === "announced" ? { trailer: "x-digest, x-two" } : {};
    await inParts(response, head, lines(2));
    response.addTrailers({ "x-digest": digest("a").slice(0, 16), "x-two": ["2", "3"] });
    response.end();
  },
  hints: (request, response) => {
    response.writeEarlyHints({ link: ["</a.css>; rel=preload", "</b.css>; rel=preload"] });
    send(response, 200, { link: "</a.css>; rel=preload" }, "hints\n");
  },
  processing: (request, response) => {
    response.writeProcessing();
    send(response, 200, {}, "processed\n");
  },
  basic: (request, response) => {
    if (request.headers.authorization === undefined) {
      const challenge = 'Basic realm="a \\"b\\"", charset="UTF-8"';
      send(response, 401, { "www-authenticate": challenge }, "who?\n");
    } else {
      send(response, 200, {}, "welcome\n");
    }
  },
  digest: (request, response) => {
    if (request.headers.authorization === undefined) {
      const challenge = 'Digest realm="r", nonce="nonce-value-1", qop="auth", algorithm=MD5';
      send(response, 401, { "www-authenticate": challenge }, "who?\n");
    } else {
      send(response, 200, {}, "welcome\n");
    }
  },
  empty: (request, response) => send(response, 200, {}),
};

// Responses that come before the body of the request is read.
const EARLY = {
  early: (request, response, [status]) => send(response, Number(status), {}, `early ${status}\n`),
};

function route(request) {
  const path = request.url.replace(/^https?:\/\/[^/]*/, "").split("?")[0];
  const [name, ...rest] = path.slice(1).split("/");
  return [name, rest];
}

function serve(request, response) {
  const [name, rest] = route(request);
  if (EARLY[name] !== undefined) {
    EARLY[name](request, response, rest);
    return;
  }
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("error", () => {});
  request.on("end", () => {
    (ROUTES[name] ?? ROUTES.echo)(request, response, rest, Buffer.concat(parts));
  });
}

function serveExpectation(request, response) {
  if (EARLY[route(request)[0]] === undefined) {
    response.writeContinue();
  }
  serve(request, response);
}

const server = isHttp2 ? createHttp2Server() : createServer({ maxHeaderSize: 1 << 17 });
server.on("request", serve);
server.on("checkContinue", serveExpectation);
server.on("checkExpectation", serve);
server.listen(0, "127.0.0.1", () => {
  process.stderr.write(`listening at http://127.0.0.1:${server.address().port}\n`);
});
process.on("SIGTERM", () => process.exit(0));
