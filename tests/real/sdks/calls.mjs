// Sends requests with each client library, and writes to stdout as JSON what each returned.
//
// node calls.mjs URL

import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../target/real/node/', import.meta.url));
const { default: OpenAI } = require('openai');

const url = process.argv[2];

async function withOpenai() {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-of-the-test', maxRetries: 0 });
  const question = { model: 'model', messages: [{ role: 'user', content: 'hello' }] };
  const chat = await client.chat.completions.create(question);
  const stream = await client.chat.completions.create({ ...question, stream: true });
  const parts = [];
  for await (const chunk of stream) {
    parts.push(chunk.choices[0].delta.content);
  }
  const models = await client.models.list();
  return [chat, parts, models.data];
}

async function withFetch() {
  const listed = await fetch(`${url}/items?tag=x`);
  const created = await fetch(`${url}/items`, { method: 'POST', body: new URLSearchParams('a=1') });
  return [await listed.text(), listed.statusText, await created.json()];
}

console.log(JSON.stringify({ openai: await withOpenai(), fetch: await withFetch() }));
