// A Node.js HTTP/2 origin (prior knowledge). Argument 1: "refusing" refuses every tenth stream, and
// ends every connection by GOAWAY at its fortieth stream; "plain" does neither.

import { constants, createServer } from "node:http2";
import { Readable } from "node:stream";

const refusing = process.argv[2] === "refusing";
// Not all at once: Node refuses streams of a session that has queued 10 MB.
const big = () => Readable.from(Array(128).fill(Buffer.alloc(64 << 10)), { objectMode: false });
const server = createServer({ settings: { maxConcurrentStreams: refusing ? 4 : 100 } });

server.on("session", (session) => {
  session.seen = 0;
  session.on("error", () => {});
});

server.on("stream", (stream, headers) => {
  const { session } = stream;
  stream.on("error", () => {});
  session.seen += 1;
  if (refusing && session.seen === 40) {
    // This stream and later ones are not processed.
    session.goaway(constants.NGHTTP2_NO_ERROR, stream.id - 2);
    return;
  }
  if (refusing && session.seen > 40) return;
  if (refusing && session.seen % 10 === 0) {
    stream.close(constants.NGHTTP2_REFUSED_STREAM);
    return;
  }
  if (headers[":path"] === "/big") {
    stream.respond({ ":status": 200 });
    big().pipe(stream);
    return;
  }
  let length = 0;
  stream.on("data", (part) => (length += part.length));
  stream.on("end", () => {
    if (stream.destroyed) return;
    stream.respond({ ":status": 200 });
    stream.end(`${length}`);
  });
});

server.listen(0, "127.0.0.1", () => {
  process.stderr.write(`listening at h2c://127.0.0.1:${server.address().port}\n`);
});
process.on("SIGTERM", () => process.exit(0));
