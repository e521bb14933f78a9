// A WebSocket origin with the npm package `ws`.

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";

const require = createRequire(new URL("../../../../target/real/node/", import.meta.url));
const { WebSocketServer } = require("ws");

let counted = 0;

// The messages of a socket in order; null after its close.
class Messages {
  constructor(ws) {
    this.waiting = [];
    this.wanted = [];
    ws.on("message", (data, isBinary) => this.give(isBinary ? data : data.toString()));
    ws.on("close", () => this.give(null));
    ws.on("error", () => {});
  }

  give(message) {
    const next = this.wanted.shift();
    if (next) next(message);
    else this.waiting.push(message);
  }

  async next() {
    if (this.waiting.length) return this.waiting.shift();
    return new Promise((give) => this.wanted.push(give));
  }

  async *[Symbol.asyncIterator]() {
    for (let one = await this.next(); one !== null; one = await this.next()) yield one;
  }
}

async function batch(ws, messages) {
  // Answers three messages together in reverse order.
  let three = [];
  for await (const message of messages) {
    three.unshift(message);
    if (three.length < 3) continue;
    three.forEach((one) => ws.send(one));
    three = [];
  }
}

async function fragmented(ws, messages) {
  await messages.next();
  const text = ["in ", "", "three ", "parts \u2713"];
  const bytes = [[0, 1], [0xff], [0xfe]].map((part) => Buffer.from(part));
  for (const parts of [text, bytes]) {
    for (const [at, part] of parts.entries()) {
      ws.send(part, { fin: at === parts.length - 1 });
      await pause(5);
    }
  }
}

async function pushes(ws, messages) {
  await messages.next();
  for (let at = 0; at < 5; at += 1) {
    ws.send(JSON.stringify({ push: at }));
    await pause(20);
  }
  ws.send(`heard: ${await messages.next()}`);
}

async function greeting(ws, messages, request) {
  const headers = Object.keys(request.headers).sort();
  ws.send(JSON.stringify({ subprotocol: ws.protocol || null, headers }));
  ws.send("now you");
}

async function ticker(ws, messages) {
  await messages.next();
  const tick = async () => {
    for (let at = 0; at < 10; at += 1) {
      ws.send(`tick ${at}`);
      await pause(15);
    }
    ws.close(1000, "ticked");
  };
  const ticking = tick();
  for await (const message of messages) ws.send(`heard ${message}`);
  await ticking;
}

async function pings(ws, messages) {
  await messages.next();
  for (const [payload, words] of [["still there?", "there was a pong"], ["", "and another one"]]) {
    const pong = new Promise((told) => ws.once("pong", told));
    ws.ping(payload);
    const told = (await pong).toString();
    ws.send(told === payload ? words : `no pong, but ${told}`);
  }
}

async function login(ws, messages, request) {
  // Returns the secrets of the handshake and of each message.
  const { authorization = null, cookie = null } = request.headers;
  ws.send(JSON.stringify({ target: request.url, authorization, cookie }));
  for await (const message of messages) {
    const answer = JSON.stringify({ welcome: JSON.parse(message) });
    ws.send(typeof message === "string" ? answer : Buffer.from(answer));
  }
}

async function leaves(ws, messages) {
  const { token } = JSON.parse(await messages.next());
  ws.send(`no more of ${token}, please`);
  ws.close(4003, `bad token ${token}`);
}

async function count(ws, messages) {
  counted += 1;
  const number = counted;
  for await (const message of messages) ws.send(`conversation ${number} heard ${message}`);
}

// Sends last messages and then ends the connection without a close frame.
async function last(ws, messages, end) {
  await messages.next();
  ws.send("the last words");
  await pause(50);
  end();
}

const paths = {
  "/echo": async (ws, messages) => {
    for await (const message of messages) ws.send(message);
  },
  "/batch": batch,
  "/fragmented": fragmented,
  "/pushes": pushes,
  "/greeting": greeting,
  "/ticker": ticker,
  "/pings": pings,
  "/closes": async (ws, messages) => {
    await messages.next();
    ws.send("not for long");
    ws.close(4001, "policy: not today");
  },
  "/closes-at-once": async (ws) => ws.close(1013, "try again later"),
  "/closes-without-code": async (ws, messages) => {
    await messages.next();
    ws.close();
  },
  "/sends-invalid-text": async (ws, messages, { socket }) => {
    await messages.next();
    socket.write(Buffer.from([0x81, 0x02, 0xce, 0xff]));
    await messages.next();
  },
  "/closes-with-1006": async (ws, messages, { socket }) => {
    await messages.next();
    socket.write(Buffer.from([0x88, 0x02, 0x03, 0xee]));
    await messages.next();
  },
  "/reset": (ws, messages, { socket }) => last(ws, messages, () => socket.resetAndDestroy()),
  "/ends": (ws, messages, { socket }) => last(ws, messages, () => socket.destroy()),
  "/login": login,
  "/leaves": leaves,
  "/counted": count,
  "/asked": async (ws, messages) => {
    for await (const message of messages) ws.send(`you said ${message}`);
  },
};

const conversations = new WebSocketServer({
  noServer: true,
  perMessageDeflate: { threshold: 0 },
  maxPayload: 0,
  handleProtocols: (offered) =>
    ["second.v2", "first.v1"].find((one) => offered.has(one)) ?? false,
});
conversations.on("headers", (lines) => lines.push("x-origin: ws"));

// Plain HTTP responses: status, headers and body.
const json = { "content-type": "application/json", "www-authenticate": 'Bearer realm="doors"' };
const answers = {
  "/refused": [401, json, '{"error": "who are you?"}\n'],
  "/elsewhere": [302, { location: "/plain" }, "over there\n"],
  "/plain": [200, { "content-type": "text/plain" }, "no conversation here\n"],
};

function path(request) {
  return request.url.split("?")[0];
}

// A response without a Date, which would differ between recordings.
function written([status, headers, body]) {
  const all = { ...headers, "content-length": Buffer.byteLength(body), connection: "close" };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Whatever\r\n${lines.join("")}\r\n${body}`;
}

const server = createServer((request, response) => {
  const [status, headers, body] = answers[path(request)] ?? [404, {}, "nothing here\n"];
  response.writeHead(status, headers).end(body);
});
server.on("upgrade", (request, socket, head) => {
  const talk = paths[path(request)];
  if (!talk) {
    socket.end(written(answers[path(request)] ?? [404, {}, "nothing here\n"]));
    return;
  }
  conversations.handleUpgrade(request, socket, head, (ws) => {
    talk(ws, new Messages(ws), request).catch((error) => console.error(error));
  });
});
server.listen(0, "127.0.0.1", () => {
  console.error(`listening at http://127.0.0.1:${server.address().port}`);
});
for (const name of ["SIGTERM", "SIGINT"]) process.on(name, () => process.exit(0));
