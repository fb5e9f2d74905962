// The live demo in a real browser: what a person does there and must see. Screenshots go to the folder ARTEFACTS, if it is set.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const lifetime = 4; // seconds an access token lives; the lanes' skews are 20 s, 4 s and 0 s
let demo, browser, url, log = '';

before(async () => {
  demo = spawn(process.env.DEMO, [
    '-access-token-lifetime', `${lifetime}s`, '-skews', '20s,4s,0s',
    '-authserver-addr', '127.0.0.1:0', '-api-addr', '127.0.0.1:0', '-client-addr', '127.0.0.1:0',
  ]);
  demo.stderr.on('data', (chunk) => { log += chunk; });
  url = await new Promise((resolve, reject) => {
    let out = '';
    demo.stdout.on('data', (chunk) => {
      out += chunk;
      const found = out.match(/Look at +(http:\/\/\S+)/);
      if (found) resolve(found[1]);
    });
    demo.on('exit', (code) => reject(new Error(`the demo ended with ${code}: ${log}`)));
    setTimeout(() => reject(new Error('the demo does not start')), 20_000).unref();
  });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});

after(async () => {
  await browser?.close();
  if (demo && demo.exitCode === null) {
    const ended = new Promise((resolve) => demo.once('exit', resolve));
    demo.kill('SIGTERM');
    assert.equal(await ended, 0, 'the demo ends cleanly');
  }
  assert.doesNotMatch(log, /eyJ[\w-]{10,}|rt1_\w{8,}|mvc secret/, 'no token or secret in the log');
});

// open opens a page in a browser of its own, and collects what goes wrong in it.
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 1250 }, ...options });
  const page = await context.newPage();
  const problems = [];
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') problems.push(m.text()); });
  page.on('pageerror', (e) => problems.push(e.message));
  await page.goto(url);
  return { context, page, problems };
}

async function picture(page, name) {
  if (!process.env.ARTEFACTS) return;
  await mkdir(process.env.ARTEFACTS, { recursive: true });
  await page.screenshot({ path: `${process.env.ARTEFACTS}/${name}.png`, fullPage: true });
}

const lane = (page, i) => page.locator(`.lane[data-lane="${i}"]`);
const marks = (page, i, kind) => lane(page, i).locator(`svg .${kind}`).count();
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

// until waits for a condition, at most so many seconds.
async function until(what, seconds, condition) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    if (await condition()) return;
    assert.ok(Date.now() < end, `${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
const sees = (page, text, seconds = 5) => page.getByText(text).first().waitFor({ timeout: seconds * 1000 });

test('the timeline moves by itself: 200, 401, refresh, 200', async () => {
  const { context, page, problems } = await open();
  await sees(page, 'Signed in as alice', 10);
  await until('a call is answered with 200', 5, async () => await marks(page, 2, 'ok') > 0);
  await until('without skew: a 401 and a refresh', lifetime + 5, async () => await marks(page, 2, 'no') > 0 && await marks(page, 2, 'renew') > 0);
  await sees(page, 'Api1, skew 0 s: rejected, refreshed.');
  const before = await marks(page, 2, 'ok');
  await until('and 200 again', 5, async () => await marks(page, 2, 'ok') > before);
  await until('with a skew of 20 s: 200 although expired', 5, async () => await marks(page, 0, 'late') > 0);
  await until('with a skew of 4 s: a 401 too', 2 * lifetime + 5, async () => await marks(page, 1, 'no') > 0);
  assert.match(await lane(page, 1).locator('.challenge').textContent(), /^\s*WWW-Authenticate: Bearer .*error="invalid_token"/);
  assert.match(await lane(page, 1).locator('.countdown').textContent(), /expire/);
  const token = await page.locator('#token').textContent();
  assert.match(token, /"typ": "at\+jwt"/);
  assert.match(token, /"sub": "alice"/);
  await picture(page, 'timeline-light');
  assert.deepEqual(problems, []);
  await context.close();
});

test('rotate the key: the next token names another one, and the APIs follow', async () => {
  const { context, page, problems } = await open();
  await page.locator('#which').selectOption('2');
  const kid = async () => (await page.locator('#token').textContent()).match(/"kid": "([^"]+)"/)?.[1];
  await until('a token is shown', 5, kid);
  const old = await kid();
  await press(page, 'Rotate the key');
  await sees(page, 'The signing key was rotated');
  await until('a token with another kid', lifetime + 5, async () => (await kid()) !== old);
  await until('is accepted', 3, async () => /200 OK/.test(await lane(page, 2).locator('.answer').textContent()));
  assert.deepEqual(problems, []);
  await context.close();
});

test('stop the authorization server: the APIs serve on, the refresh fails, and heals', async () => {
  const { context, page, problems } = await open();
  await sees(page, 'authorization server running');
  await press(page, 'Stop the authorization server');
  await sees(page, 'authorization server stopped');
  const served = await marks(page, 0, 'ok') + await marks(page, 0, 'late');
  await until('the API with the long skew serves on', 5, async () => await marks(page, 0, 'ok') + await marks(page, 0, 'late') > served + 2);
  await sees(page, "refresh failed: the authorization server can't be reached", lifetime + 8);
  await picture(page, 'authorization-server-stopped');
  await press(page, 'Start the authorization server');
  await sees(page, 'authorization server running');
  await until('refreshing works again', 30, async () => /200 OK/.test(await lane(page, 2).locator('.answer').textContent()));
  assert.deepEqual(problems, []);
  await context.close();
});

test('a forged token is refused everywhere', async () => {
  const { context, page, problems } = await open();
  await page.locator('#forged').selectOption({ index: 0 });
  await press(page, 'Send it');
  for (const i of [0, 1, 2]) await until(`lane ${i} refuses it`, 5, async () => await marks(page, i, 'forged') > 0);
  assert.deepEqual(problems, []);
  await context.close();
});

test('pause, call by hand, go on', async () => {
  const { context, page, problems } = await open();
  await press(page, 'Pause the caller');
  await sees(page, 'caller paused');
  await page.waitForTimeout(1500); // a call under way may still arrive
  const calls = async () => await marks(page, 0, 'ok') + await marks(page, 0, 'late') + await marks(page, 0, 'no');
  const quiet = await calls();
  await press(page, 'Call now');
  await until('the call by hand is there', 5, async () => await calls() > quiet);
  await press(page, 'Resume the caller');
  await until('calls go on', 5, async () => await calls() > quiet + 2);
  assert.deepEqual(problems, []);
  await context.close();
});

test('revoke the grant, sign in again through the form, in one tab; the other tab follows', async () => {
  const { context, page, problems } = await open();
  const second = await open();
  await sees(page, 'Signed in as alice');
  await press(page, 'Revoke the grant');
  await sees(page, 'alice must sign in again', lifetime * 2 + 8);
  await sees(second.page, 'alice must sign in again');

  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByLabel('User name').fill('bob');
  await page.getByLabel('Password').fill('not it');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByLabel('User name').fill('bob');
  await page.getByLabel('Password').fill('bob');
  await picture(page, 'login-form');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await sees(page, 'Signed in as bob', 10);
  await sees(second.page, 'Signed in as bob');
  await until('calls are answered again', 5, async () => /200 OK/.test(await lane(page, 0).locator('.answer').textContent()));

  await press(second.page, 'Sign out');
  await sees(second.page, 'Nobody is signed in');
  await sees(page, 'Nobody is signed in');
  assert.deepEqual(second.problems, []);
  assert.deepEqual(problems.filter((p) => !/status of 4\d\d/.test(p)), [], 'but for the browser’s own word on the wrong password');
  await second.context.close();

  await page.getByRole('link', { name: 'Sign in' }).click(); // the browser is still known to the authorization server: no form
  await sees(page, 'Signed in as bob', 10);
  await context.close();
});

test('on a phone, in the dark, by keyboard', async () => {
  const { context, page, problems } = await open({ viewport: { width: 400, height: 900 }, colorScheme: 'dark' });
  await until('calls are drawn', 5, async () => await marks(page, 0, 'ok') + await marks(page, 0, 'late') > 0);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400, 'nothing sticks out');
  await picture(page, 'timeline-phone-dark');
  const reached = new Set();
  for (let i = 0; i < 14; i++) {
    await page.keyboard.press('Tab');
    reached.add(await page.evaluate(() => document.activeElement.textContent.trim().split('\n')[0]));
  }
  for (const name of ['Call now', 'Pause the caller', 'Rotate the key', 'Revoke the grant', 'Stop the authorization server', 'Sign out', 'Send it']) {
    assert.ok(reached.has(name), `${name} is reached by keyboard`);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test('the page says so when the stream breaks', async () => {
  const { context, page } = await open();
  await sees(page, 'Signed in as');
  const ended = new Promise((resolve) => demo.once('exit', resolve));
  demo.kill('SIGTERM');
  assert.equal(await ended, 0, 'the demo ends cleanly with a page open');
  await sees(page, 'The connection to the demo is lost', 10);
  await page.waitForTimeout(500); // the frame that was being drawn
  const still = await lane(page, 0).locator('svg').innerHTML();
  await page.waitForTimeout(1500);
  assert.ok(await lane(page, 0).locator('svg').innerHTML() === still, 'the timeline stands still');
  await picture(page, 'stream-broken');
  await context.close();
});
