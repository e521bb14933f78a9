// Holds conversations and reads streams in a browser, and writes what it told into the page.
// The part of the address behind # is a JSON object of secrets, which no server is told.

// How long one of them may take, in milliseconds.
const PATIENCE = 5000;

const secrets = JSON.parse(decodeURIComponent(location.hash.slice(1)));

async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function message(data) {
  if (typeof data === "string") return { text: data };
  const bytes = new Uint8Array(data);
  if (bytes.length > 4096) return { size: bytes.length, sha256: await digest(bytes) };
  return { binary: btoa(String.fromCharCode(...bytes)) };
}

// A conversation: sends the next message at each answer, and at last closes.
function talk(path, { subprotocols = [], messages = [], count = messages.length, close } = {}) {
  const url = new URL(path, location.href.split("#")[0]);
  url.protocol = "ws:";
  const events = [];
  return new Promise((done) => {
    const ws = new WebSocket(url, subprotocols);
    ws.binaryType = "arraybuffer";
    let answers = 0;
    const late = setTimeout(() => {
      events.push({ late: true });
      ws.close();
    }, PATIENCE);
    const step = () => {
      if (answers < messages.length) ws.send(messages[answers]);
      else if (answers >= count && close) ws.close(...close);
    };
    ws.onopen = () => {
      events.push({ opened: [ws.protocol, ws.extensions] });
      step();
    };
    ws.onmessage = ({ data }) => {
      const place = events.push(null) - 1;
      message(data).then((told) => (events[place] = told));
      answers += 1;
      step();
    };
    ws.onerror = () => events.push({ error: true });
    ws.onclose = ({ code, reason, wasClean }) => {
      events.push({ closed: [code, reason, wasClean] });
      clearTimeout(late);
      // The digests of messages may still be on their way.
      setTimeout(() => done(events), 50);
    };
  });
}

// An event stream, until it is closed for good, until an event of the type `last`, or `once` only:
// until its first end.
function listen(path, { once = false } = {}) {
  const events = [];
  return new Promise((done) => {
    const source = new EventSource(path);
    const end = () => {
      clearTimeout(late);
      source.close();
      done(events);
    };
    const late = setTimeout(() => {
      events.push({ late: true });
      end();
    }, PATIENCE);
    source.onopen = () => events.push({ opened: true });
    for (const type of ["message", "named", "last"]) {
      source.addEventListener(type, ({ data, lastEventId }) => {
        events.push({ type, data, lastEventId });
        if (type === "last") end();
      });
    }
    source.onerror = () => {
      events.push({ error: source.readyState });
      if (once || source.readyState === EventSource.CLOSED) end();
    };
  });
}

// A body, read piece by piece. Of one that is cut the text is not told: a stream that fails forgets
// what nobody has read from it yet (WHATWG Streams, ReadableStreamDefaultControllerError), so that
// how much was read is a matter of luck.
async function read(path, init) {
  const response = await fetch(path, init);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { status: response.status, text };
      text += value;
    }
  } catch (error) {
    return { status: response.status, error: error.name };
  }
}

const normal = [1000, "done"];
const large = Uint8Array.from({ length: 1 << 20 }, (_, at) => 7 * at + Math.floor(at / 251));
const texts = ["hello", "", "gr\u00fc\u00df \u2713 \u{1f388}"];
const login = JSON.stringify({ token: secrets.token, user: "ada" });
const secret = `access_token=${secrets.secret}`;
const bearer = { headers: { authorization: `Bearer ${secrets.key}` } };
const all = [
  ["texts", () => talk("echo", { messages: texts, close: normal })],
  ["bytes", () => talk("echo", { messages: [Uint8Array.of(0, 1, 255), large], close: normal })],
  ["subprotocol", () => talk("echo", { subprotocols: ["first.v1", "second.v2"], close: normal })],
  ["pushes", () => talk("pushes", { messages: ["subscribe"], count: 5, close: normal })],
  ["closed by the server", () => talk("closes", { messages: ["anything"] })],
  ["ended by the server", () => talk("ends", { messages: ["anything"] })],
  ["refused", () => talk("refused")],
  ["secrets", () => talk(`login?${secret}`, { messages: [login], close: normal })],
  ["events", () => listen("events")],
  ["events resumed", () => listen("resumed")],
  ["events refused", () => listen("refused")],
  ["events cut", () => listen("events-cut", { once: true })],
  ["events with secrets", () => listen(`spelled?${secret}`)],
  ["read", () => read("events", bearer)],
  ["read, cut", () => read("events-cut")],
];

async function run() {
  const streams = [];
  for (const [name, begin] of all) {
    const seen = await begin().catch((error) => ({ exception: `${error}` }));
    streams.push({ name, seen });
  }
  document.getElementById("seen").textContent = JSON.stringify({ seen: streams });
  document.title = "done";
}

run();
