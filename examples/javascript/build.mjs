// Builds each plugin into build/NAME.wasm, but for those that are newer than all they are made of.
import { componentize } from '@bytecodealliance/componentize-js';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';

const WIT = '../../wit';
const WORLDS = {
  'ignore-nonce': 'matcher-plugin',
  'mask-email': 'redactor-plugin',
  'skip-errors': 'policy-plugin',
};

// Plugins have no use for the network, the time and chance. What stays is `stdio`: the engine writes the text of an
// error that no plugin catches to it.
const LEFT_OUT = ['http', 'fetch-event', 'clocks', 'random'];

const changed = async (path) => (await stat(path)).mtimeMs;
const contract = (await readdir(WIT)).map((file) => `${WIT}/${file}`);

await mkdir('build', { recursive: true });
for (const [name, worldName] of Object.entries(WORLDS)) {
  const [sourcePath, output] = [`${name}.js`, `build/${name}.wasm`];
  const made = await changed(output).catch(() => 0);
  const inputs = await Promise.all([sourcePath, 'build.mjs', 'package-lock.json', ...contract].map(changed));
  if (made > Math.max(...inputs)) continue;
  const { component } = await componentize({ sourcePath, witPath: WIT, worldName, disableFeatures: LEFT_OUT });
  await writeFile(output, component);
  console.log(`${output}: ${component.byteLength} bytes`);
}
