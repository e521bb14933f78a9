// Reads event streams with the npm package `eventsource` and writes the events. Usage:
// sse_eventsource.mjs BASE SESSION SECRETS, where SECRETS is a JSON object of texts.

import { createRequire } from "node:module";

const require = createRequire(new URL("../../../../target/real/node/", import.meta.url));
const { EventSource } = require("eventsource");

// The timeout of a stream in milliseconds.
const PATIENCE = 4000;

const TYPES = ["message", "named"];

// Name, target and options: headers, the number of events after which the client disconnects,
// whether it reconnects after the end of a stream, and whether the parts of a text are joined.
const STREAMS = [
  ["fields", "/events"],
  ["fields, crlf", "/events-crlf"],
  ["fields, cr", "/events-cr"],
  ["mixed ends of lines", "/events-mixed"],
  ["byte order mark", "/events-bom"],
  ["split", "/events-split"],
  ["paused", "/events-paused"],
  ["unended", "/events-unended"],
  ["empty", "/events-empty"],
  ["large", "/events-large"],
  ["reset", "/events-reset"],
  ["gzip", "/events-gzip"],
  ["gzip at once", "/events-gzip-at-once"],
  ["no event stream", "/lines"],
  ["refused", "/refused"],
  ["resumed", "/events-resumed", { again: true }],
  ["secrets", "/events-login?access_token=${secret}", { authorization: "Bearer ${token}" }],
  ["secret over two events", "/events-spelled", { authorization: "Bearer ${token}", joined: true }],
  ["left by the client", "/events-endless", { leave: 5 }],
];

// A placeholder is split at other places than its secret, so the joined text is compared.
function joinedDeltas(events) {
  const data = events.filter(({ data }) => data).map(({ data }) => JSON.parse(data).delta);
  return { count: events.length, text: data.join("") };
}

function read(base, session, [name, target, special = {}]) {
  const { leave = Infinity, again = false, joined = false, authorization } = special;
  const headers = { "ouli-session": session };
  if (authorization) headers.authorization = authorization;
  const events = [];
  const source = new EventSource(base + target, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } }),
  });
  return new Promise((done) => {
    const end = (why) => {
      clearTimeout(late);
      source.close();
      done({ name, events: joined ? joinedDeltas(events) : events, why });
    };
    const late = setTimeout(() => end("late"), PATIENCE);
    source.addEventListener("open", () => events.push({ type: "open" }));
    for (const type of TYPES) {
      source.addEventListener(type, ({ data, lastEventId }) => {
        const long = data.length > 4096 ? { length: data.length } : {};
        events.push({ type, data: long.length ? data.slice(-100) : data, ...long, lastEventId });
        if (events.length > leave) end("left");
      });
    }
    source.addEventListener("error", ({ code = null, message = null }) => {
      events.push({ type: "error", code, message, closed: source.readyState === 2 });
      if (source.readyState === 2 || !again) end("error");
    });
  });
}

const [base, session, secrets] = process.argv.slice(2);
let text = JSON.stringify(STREAMS);
for (const [name, secret] of Object.entries(JSON.parse(secrets))) {
  text = text.replaceAll("${" + name + "}", secret);
}
const streams = [];
for (const one of JSON.parse(text)) streams.push(await read(base, session, one));
process.stdout.write(JSON.stringify({ session, seen: streams }, null, 1), () => process.exit(0));
