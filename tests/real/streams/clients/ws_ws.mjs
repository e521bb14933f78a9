// Runs the conversations of `conversations.json` with the npm package `ws` and writes the results.
// Usage: ws_ws.mjs BASE SESSION SECRETS, where SECRETS is a JSON object of texts.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";

const require = createRequire(new URL("../../../../target/real/node/", import.meta.url));
const { WebSocket } = require("ws");

// Timeouts in milliseconds: of one conversation, and of all of them.
const PATIENCE = 6000;
const TOGETHER = 50000;

// A longer message is reported by its digest.
const LONGEST = 4096;

const OFFERS = {
  off: false,
  on: { threshold: 0 },
  "no context": { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
};

// Replaces `${name}` by the secret, and `${name:front}` and `${name:back}` by its halves.
function putInto(text, secrets) {
  return text.replace(/\$\{(\w+)(:front|:back)?\}/g, (_, name, part) => {
    const half = Math.floor(secrets[name].length / 2);
    if (part === ":front") return secrets[name].slice(0, half);
    return part === ":back" ? secrets[name].slice(half) : secrets[name];
  });
}

// A long message that compresses moderately.
function filler(kind, size) {
  if (kind === "text") {
    const lines = Array.from({ length: Math.floor(size / 8) }, (_, at) => `line ${at * at}\n`);
    return lines.join("").slice(0, size);
  }
  return Buffer.from(Uint8Array.from({ length: size }, (_, at) => 7 * at + Math.floor(at / 251)));
}

function message(data, isBinary) {
  const kind = isBinary ? "binary" : "text";
  if (data.length > LONGEST) {
    const sha256 = createHash("sha256").update(data).digest("hex");
    return { [kind]: null, size: data.length, sha256 };
  }
  return { [kind]: data.toString(isBinary ? "base64" : "utf8") };
}

class Connection {
  constructor(ws) {
    this.ws = ws;
    this.events = [];
    this.messages = 0;
    this.taken = 0;
    this.opened = null;
    this.ended = false;
    // Called at each event.
    this.wake = () => {};
    ws.on("message", (data, isBinary) => {
      this.messages += 1;
      this.saw(message(data, isBinary));
    });
    ws.on("ping", (data) => this.saw({ ping: data.toString("base64") }));
    ws.on("pong", (data) => this.saw({ pong: data.toString("base64") }));
    ws.on("close", (code, reason) => {
      this.ended = true;
      this.saw({ closed: [code, reason.toString()] });
    });
  }

  saw(event) {
    this.events.push(event);
    this.wake();
  }

  async until(true_now) {
    while (!true_now() && !this.ended) await new Promise((wake) => (this.wake = wake));
  }

  async take(step) {
    const { ws } = this;
    if ("text" in step) ws.send(step.text);
    else if ("json_bytes" in step) ws.send(Buffer.from(step.json_bytes));
    else if ("fragments" in step) this.sendFragments(step.fragments, step.binary);
    else if ("binary" in step) ws.send(Buffer.from(step.binary, "base64"));
    else if ("large" in step) ws.send(filler(step.large, step.size));
    else if ("ping" in step) {
      const before = this.pongs();
      ws.ping(step.ping);
      await this.until(() => this.pongs() > before);
    } else if ("receive" in step) {
      this.taken += step.receive;
      await this.until(() => this.messages >= this.taken);
    } else if ("until_end" in step) await this.until(() => false);
    else if ("pause" in step) await pause(step.pause);
    else if ("close" in step) {
      ws.close(step.close, step.reason ?? "");
      await this.until(() => false);
    } else if ("cut" in step) {
      ws.terminate();
      await this.until(() => false);
    } else throw new Error(`no such step: ${JSON.stringify(step)}`);
  }

  pongs() {
    return this.events.filter((event) => "pong" in event).length;
  }

  sendFragments(parts, binary) {
    for (const [at, part] of parts.entries()) {
      const data = binary ? Buffer.from(part, "base64") : part;
      this.ws.send(data, { fin: at === parts.length - 1 });
    }
  }
}

async function bodyOf(response) {
  const parts = [];
  for await (const part of response) parts.push(part);
  return Buffer.concat(parts).toString("base64");
}

function pairs(raw) {
  const names = raw.filter((_, at) => at % 2 === 0);
  return names.map((name, at) => [name.toLowerCase(), raw[2 * at + 1]]);
}

// Returns a connection when it is open.
function connect(url, headers, subprotocols, deflate) {
  return new Promise((give, fail) => {
    const options = { headers, perMessageDeflate: OFFERS[deflate], maxPayload: 0 };
    const ws = new WebSocket(url, subprotocols, options);
    const one = new Connection(ws);
    let head = null;
    ws.on("upgrade", (response) => {
      head = { status: response.statusCode, reason: response.statusMessage };
      head.headers = pairs(response.rawHeaders);
    });
    ws.on("unexpected-response", async (_, response) => {
      const seen = { status: response.statusCode, headers: pairs(response.rawHeaders) };
      seen.body = await bodyOf(response).catch((error) => `${error.code}`);
      fail(Object.assign(new Error("refused"), { seen }));
    });
    ws.on("open", () => {
      one.opened = { ...head, subprotocol: ws.protocol, extensions: ws.extensions };
      give(one);
    });
    ws.on("error", (error) => {
      one.saw({ error: error.code ?? error.message });
      fail(error);
    });
  });
}

async function follow(scenario, base, session, connections) {
  const headers = { ...scenario.headers };
  if (scenario.by_prefix) base += `/__ouli/session/${session}`;
  else headers["ouli-session"] = session;
  const url = base.replace("http", "ws") + scenario.path;
  const offer = [scenario.subprotocols ?? [], scenario.deflate ?? "off"];
  for (let at = 0; at < (scenario.connections ?? 1); at += 1) {
    connections.push(await connect(url, headers, ...offer));
  }
  for (const step of scenario.steps) await connections[step.on ?? 0].take(step);
}

// Runs one conversation, or several at once; returns the result of each connection.
async function hold(scenario, base, session) {
  const connections = [];
  const end = new AbortController();
  const late = pause(PATIENCE, null, { signal: end.signal }).then(() => {
    throw new Error("timeout");
  });
  let fault = null;
  try {
    await Promise.race([follow(scenario, base, session, connections), late]);
  } catch (error) {
    fault = { exception: error.code ?? error.message, ...error.seen };
  }
  end.abort();
  late.catch(() => {});
  const seen = connections.map(({ opened, events }) => ({ opened, events: [...events] }));
  for (const one of connections) one.ws.terminate();
  return { name: scenario.name, connections: seen, fault };
}

const [base, session, secrets] = process.argv.slice(2);
const text = readFileSync(new URL("../conversations.json", import.meta.url), "utf8");
const end = Date.now() + TOGETHER;
const conversations = [];
// No secret needs escapes in JSON.
for (const scenario of JSON.parse(putInto(text, JSON.parse(secrets)))) {
  if (Date.now() > end) {
    conversations.push({ name: scenario.name, connections: [], fault: "no time left" });
  } else {
    conversations.push(await hold(scenario, base, session));
  }
}
process.stdout.write(JSON.stringify({ session, seen: conversations }, null, 1), () => process.exit(0));
