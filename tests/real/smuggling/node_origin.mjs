// A Node.js origin that logs each complete request.

import { appendFileSync } from "node:fs";
import { createServer } from "node:http";

const log = process.argv[2];

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const hex = Buffer.concat(parts).toString("hex");
    const { method, url: target } = request;
    appendFileSync(log, JSON.stringify({ method, target, hex }) + "\n");
    response.writeHead(200, { "x-origin": "node", "content-length": "0" });
    response.end();
  });
  request.on("error", () => {});
});

server.listen(0, "127.0.0.1", () => {
  process.stderr.write(`listening at http://127.0.0.1:${server.address().port}\n`);
});
process.on("SIGTERM", () => process.exit(0));
