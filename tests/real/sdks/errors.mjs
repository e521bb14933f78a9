// Sends one request with each client library and writes the error messages to stdout as JSON.
//
// node errors.mjs URL
//
// Each request gets an error response.

import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../target/real/node/', import.meta.url));
const { default: OpenAI } = require('openai');

const url = process.argv[2];

async function withOpenai() {
  await new OpenAI({ baseURL: `${url}/v1`, apiKey: 'key', maxRetries: 0 }).models.list();
}

// Many programs print only the reason phrase.
async function withFetch() {
  const response = await fetch(`${url}/items`);
  if (!response.ok) {
    throw new Error(`${response.status} ${response.statusText}`);
  }
}

const cases = [
  ['openai', 'GET /v1/models', withOpenai],
  ['fetch', 'GET /items', withFetch],
];
const told = [];
for (const [sdk, request, send] of cases) {
  try {
    await send();
  } catch (error) {
    told.push({ sdk, request, printed: error.message });
  }
}
console.log(JSON.stringify(told));
