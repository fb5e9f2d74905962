// What the tests say: refusals as plain objects, and failures without tokens.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthorizationResponseError, ResponseBodyError, WWWAuthenticateChallengeError } from 'oauth4webapi';

// tokens matches everything that may not be printed: JWTs, refresh tokens and codes.
export const tokens = /eyJ[\w-]{10,}(?:\.[\w-]*)*|(?:rt1|ac1)_[\w-]{10,}/g;

// check is test, but what a failure prints is free of tokens: the libraries hang whole answers on their errors, and the test
// runner prints all of an error, so it gets another one.
export function check(name, run) {
  test(name, { timeout: 60_000 }, async () => {
    try {
      await run();
    } catch (err) {
      const clean = new Error(causes(err).replace(tokens, '…'));
      clean.stack = `${clean.message}\n${String(err.stack).split('\n').filter((line) => /^ +at /.test(line)).join('\n')}`;
      throw clean;
    }
  });
}

function causes(err) {
  const lines = [];
  for (let e = err; e instanceof Error; e = e.cause) {
    const seen = kind(e);
    lines.push(`${e.name}: ${e.message} ${Object.keys(seen).length > 1 ? JSON.stringify(seen) : ''}`);
  }
  return lines.join('\n');
}

// kind is what a program that uses the library can tell about an error.
function kind(err) {
  if (err instanceof ResponseBodyError) return { is: 'OAuth error', status: err.status, error: err.error };
  if (err instanceof AuthorizationResponseError) return { is: 'authorization error', error: err.error };
  if (err instanceof WWWAuthenticateChallengeError) {
    const { scheme, parameters } = err.cause[0];
    return { is: 'challenge', status: err.status, scheme, ...(parameters.error && { error: parameters.error }) };
  }
  return { is: err?.name, ...(err?.code && { code: err.code }) };
}

// refused expects a promise to fail, with an error that the library recognises as the one given.
export async function refused(promise, expected) {
  const got = await promise.then(() => ({ is: 'no refusal' }), (err) => kind(err));
  assert.deepEqual(got, expected);
}

// failed expects the function to throw, or the promise that it returns to fail, with that code of the library's own.
export async function failed(run, code) {
  const got = await Promise.resolve().then(run).then(() => 'no failure', (err) => err.code ?? err.message);
  assert.equal(got, code);
}

export const oauthError = (status, error) => ({ is: 'OAuth error', status, error });
export const invalidGrant = oauthError(400, 'invalid_grant');
export const authorizationError = (error) => ({ is: 'authorization error', error });
export const challenge = (status, scheme, error) => ({ is: 'challenge', status, scheme, ...(error && { error }) });

// same and differ compare tokens and print none.
const there = (token) => typeof token === 'string' && token.length > 0;
export const same = (a, b, what) => assert.ok(there(a) && a === b, `${what} is not the same`);
export const differ = (a, b, what) => assert.ok(there(a) && there(b) && a !== b, `${what} is the same or missing`);
