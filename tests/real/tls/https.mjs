// An HTTPS server with server.pem and server.key of the working folder.
import { createServer } from "node:https";
import { readFileSync } from "node:fs";

const options = { cert: readFileSync("server.pem"), key: readFileSync("server.key") };
const server = createServer(options, (_, response) => response.end("hello over TLS\n"));
server.listen(0, "127.0.0.1", () => {
  console.error(`listening at https://127.0.0.1:${server.address().port}`);
});
