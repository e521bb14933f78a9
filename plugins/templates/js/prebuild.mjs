// Installs the tools where package-lock.json is newer than what is installed.
import { execSync } from 'node:child_process';
import { stat } from 'node:fs/promises';

const { mtimeMs: wanted } = await stat('package-lock.json');
const { mtimeMs: installed } = await stat('node_modules/.package-lock.json').catch(() => ({ mtimeMs: 0 }));
if (installed < wanted) execSync('npm ci', { stdio: 'inherit' });
