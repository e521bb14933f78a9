// Sends the requests from stdin with fetch and writes the responses to stdout.

function filler(length) {
  return Uint8Array.from({ length }, (_, at) => (7 * at + 3) % 256);
}

function pieces(length) {
  const data = filler(length);
  let start = 0;
  return new ReadableStream({
    pull(controller) {
      if (start >= length) return controller.close();
      controller.enqueue(data.slice(start, start + 1000));
      start += 1000;
    },
  });
}

// The `body` argument of fetch.
function content(body) {
  switch (body?.kind) {
    case undefined:
      return {};
    case "json":
      return { body: JSON.stringify(body.value), type: "application/json" };
    case "text":
      return { body: body.text, type: body.type };
    case "bytes":
      return { body: filler(body.length), type: "application/octet-stream" };
    case "chunked":
      return { body: pieces(body.length), duplex: "half" };
    case "form":
      return { body: new URLSearchParams(body.fields) };
    case "multipart": {
      const form = new FormData();
      for (const [name, value] of Object.entries(body.fields)) form.append(name, value);
      form.append("file", new Blob([filler(body.length)]), "picture.bin");
      return { body: form };
    }
    default:
      throw new Error(`no such body: ${body.kind}`);
  }
}

async function send(task, request) {
  const { type, ...init } = content(request.body);
  const headers = { "ouli-session": task.session, ...request.headers };
  if (type) headers["content-type"] = type;
  const response = await fetch(task.base + request.target, {
    ...init,
    headers,
    method: request.method,
    redirect: "manual",
  });
  const body = Buffer.from(await response.arrayBuffer());
  return {
    name: request.name,
    status: response.status,
    version: null,
    headers: [...response.headers],
    raw: null,
    body: body.toString("base64"),
  };
}

let text = "";
for await (const chunk of process.stdin) text += chunk;
const task = JSON.parse(text);
const seen = [];
for (const request of task.requests) {
  try {
    seen.push(await send(task, request));
  } catch (error) {
    console.error(`${request.name}: ${error} ${error.cause ?? ""}`);
    process.exit(1);
  }
}
process.stdout.write(JSON.stringify(seen));
