// Builds plugin.js into a component: node build.mjs WIT_FOLDER OUTPUT
import { componentize } from '@bytecodealliance/componentize-js';
import { writeFile } from 'node:fs/promises';

const [witPath, output] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: 'plugin.js',
  witPath,
  worldName: 'plugin',
  disableFeatures: (process.env.DISABLE ?? 'http,fetch-event').split(','),
});
await writeFile(output, component);
console.log(component.byteLength, 'bytes');
