// Starts the real program examples/authserver and ends it again.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { config, secrets } from './clients.mjs';
import { tokens } from './check.mjs';

const binary = process.env.BEARERGATE_AUTHSERVER;
if (!binary) throw new Error('BEARERGATE_AUTHSERVER does not name the server to test; .ci/npm-interop builds one');

// start runs a server until the test file ends and returns its issuer. path becomes the path of the issuer.
export async function start({ alg = 'ES256', path = '' } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'bearergate-interop-'));
  await writeFile(join(folder, 'config.json'), JSON.stringify(await config()), { mode: 0o600 });
  for (let attempt = 1; ; attempt++) {
    const addr = `127.0.0.1:${await freePort()}`;
    const issuer = new URL(`http://${addr}${path}`);
    const flags = ['-addr', addr, '-issuer', `http://${addr}${path}`, '-alg', alg, '-config', join(folder, 'config.json')];
    const server = spawn(binary, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', log = '';
    server.stderr.on('data', (chunk) => { log += chunk; });
    process.once('exit', () => server.kill('SIGKILL')); // no effect on one that has ended
    const ended = new Promise((resolve) => server.once('close', (code, signal) => resolve(signal ?? code)));
    const listening = new Promise((resolve) => server.stdout.on('data', (chunk) => {
      out += chunk;
      if (out.includes('listening on ')) resolve(true);
    }));
    await writeFile(join(folder, 'pid'), String(server.pid)); // so that a script can end it should this process be killed
    const up = await Promise.race([listening, ended.then(() => false), patience(10_000).then(() => false)]);
    if (up) {
      after(async () => {
        await stop(server, ended, () => log).finally(() => rm(folder, { recursive: true }));
      });
      return issuer;
    }
    server.kill('SIGKILL');
    await ended;
    if (attempt === 3) throw new Error(`the server did not start:\n${log}`); // else somebody took the port meanwhile
  }
}

// stop ends the server as an operator would, and looks at what it has logged.
async function stop(server, ended, log) {
  server.kill('SIGTERM');
  const how = await Promise.race([ended, patience(6_000).then(() => 'nothing')]);
  if (how === 'nothing') server.kill('SIGKILL');
  if (how !== 0) throw new Error(`SIGTERM ended the server with ${how}, not with exit code 0`);
  if (log().match(tokens)) throw new Error('there is a token in the server’s log');
  if (Object.values(secrets).some((secret) => log().includes(secret))) throw new Error('there is a client secret in the server’s log');
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

const patience = (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref());
