// oauth4webapi, the strictest OAuth client of the JavaScript world, against the example authorization server. All its checks
// stay on; the one allowance is plain http, since the server is on loopback.

import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { algorithms, assertions, callback, key, scope, secrets, strangersKey } from './clients.mjs';
import { authorizationError, challenge, check, differ, failed, invalidGrant, oauthError, refused, same } from './check.mjs';
import { Person } from './person.mjs';
import { start } from './server.mjs';

const loopback = { [oauth.allowInsecureRequests]: true, signal: () => AbortSignal.timeout(10_000) };

async function discover(issuer, algorithm) {
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...loopback }));
}

const issuer = await start();
const as = await discover(issuer);
const basic = (id) => oauth.ClientSecretBasic(secrets[id]);
const mvc = [{ client_id: 'mvc client' }, basic('mvc client')];

// authorize sends the person to the authorization endpoint and returns what comes back, with what the client has to remember.
async function authorize(server, client, { person = new Person(), ...more } = {}) {
  const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState(), nonce = oauth.generateRandomNonce();
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: callback, response_type: 'code', scope, state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', max_age: '3600', ...more,
  });
  const answer = await person.visit(url, callback);
  return { answer, verifier, state, nonce, read: () => oauth.validateAuthResponse(server, client, answer, state) };
}

async function exchange(server, client, auth, { read, verifier, nonce }) {
  const response = await oauth.authorizationCodeGrantRequest(server, client, auth, read(), callback, verifier, loopback);
  const expected = { expectedNonce: nonce, maxAge: 3600, requireIdToken: true };
  const session = await oauth.processAuthorizationCodeResponse(server, client, response, expected);
  await oauth.validateApplicationLevelSignature(server, response, loopback); // the ID token’s signature, by the published keys
  return session;
}

async function signIn(server, client, auth, options) {
  return exchange(server, client, auth, await authorize(server, client, options));
}

async function refresh(server, client, auth, token, additionalParameters) {
  const response = await oauth.refreshTokenGrantRequest(server, client, auth, token, { additionalParameters, ...loopback });
  const session = await oauth.processRefreshTokenResponse(server, client, response);
  await oauth.validateApplicationLevelSignature(server, response, loopback);
  return session;
}

async function credentials(server, client, auth, parameters) {
  const response = await oauth.clientCredentialsGrantRequest(server, client, auth, parameters, loopback);
  return oauth.processClientCredentialsResponse(server, client, response);
}

async function introspect(server, client, auth, token) {
  return oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, auth, token, loopback));
}

async function revoke(server, client, auth, token) {
  return oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, token, loopback));
}

async function userInfo(server, client, token, subject = 'alice') {
  return oauth.processUserInfoResponse(server, client, subject, await oauth.userInfoRequest(server, client, token, loopback));
}

// atAPI is what an API does that takes RFC 9068 access tokens.
async function atAPI(server, token, audience = 'api1') {
  const request = new Request('http://127.0.0.1:5001/identity', { headers: { authorization: `Bearer ${token}` } });
  return oauth.validateJwtAccessToken(server, request, audience, loopback);
}

for (const path of ['', '/tenant/one']) {
  check(`discovery, issuer ${path ? 'with' : 'without'} a path: both documents are accepted and say the same`, async () => {
    const at = path ? await start({ path }) : issuer;
    const openid = await discover(at, 'oidc'), plain = await discover(at, 'oauth2');
    assert.deepEqual(openid, plain);
    assert.equal(openid.authorization_response_iss_parameter_supported, true);
    assert.deepEqual(openid.code_challenge_methods_supported, ['S256']);
  });
}

// One row per way to authenticate. confidential says whether the client may introspect.
const ways = [
  ['client_secret_basic', 'mvc client', basic('mvc client'), true],
  ['client_secret_basic, characters that need escaping', 'odd+client:100%', basic('odd+client:100%'), true],
  ['client_secret_post', 'mvc client', oauth.ClientSecretPost(secrets['mvc client']), true],
  ['client_secret_post, characters that need escaping', 'odd+client:100%', oauth.ClientSecretPost(secrets['odd+client:100%']), true],
  ['none', 'spa', oauth.None(), false],
  ...algorithms.map((alg) => [`private_key_jwt ${alg}`, 'keyed', oauth.PrivateKeyJwt(key(alg), assertions()), true]),
  ['private_key_jwt without kid', 'keyed', oauth.PrivateKeyJwt(key('ES256').key), true],
];

for (const [name, client_id, auth, confidential] of ways) {
  check(`${name}: code flow, userinfo, refresh, introspection, revocation`, async () => {
    const client = { client_id };
    const first = await signIn(as, client, auth);
    const id = oauth.getValidatedIdTokenClaims(first);
    assert.equal(id.sub, 'alice');
    assert.equal(first.token_type, 'bearer');
    assert.equal(first.expires_in, 60);
    assert.equal((await userInfo(as, client, first.access_token)).email, 'alice@example.com');
    assert.equal((await atAPI(as, first.access_token)).client_id, client_id);

    const second = await refresh(as, client, auth, first.refresh_token);
    differ(second.refresh_token, first.refresh_token, 'the refresh token after a rotation');
    differ(second.access_token, first.access_token, 'the access token after a refresh');
    const again = oauth.getValidatedIdTokenClaims(second);
    for (const claim of ['iss', 'sub', 'aud', 'auth_time', 'sid']) assert.deepEqual(again[claim], id[claim], claim);
    const retry = await refresh(as, client, auth, first.refresh_token);
    same(retry.refresh_token, second.refresh_token, 'the refresh token that a retry within the grace gets');

    const narrow = await refresh(as, client, auth, second.refresh_token, { scope: 'openid email' });
    assert.equal(narrow.scope, 'openid email');
    assert.deepEqual(await userInfo(as, client, narrow.access_token), { sub: 'alice', email: 'alice@example.com', email_verified: true });
    await failed(() => atAPI(as, narrow.access_token), oauth.JWT_CLAIM_COMPARISON); // the audience is not api1 any more
    await refused(refresh(as, client, auth, narrow.refresh_token, { scope: 'openid admin' }), oauthError(400, 'invalid_scope'));
    const third = await refresh(as, client, auth, narrow.refresh_token);
    assert.equal(third.scope, scope, 'the narrow scope was for one access token, and the refused request took nothing away');

    if (confidential) {
      for (const token of [third.access_token, third.refresh_token]) {
        const seen = await introspect(as, client, auth, token);
        assert.deepEqual([seen.active, seen.sub, seen.client_id, seen.scope], [true, 'alice', client_id, scope]);
      }
    } else {
      await refused(introspect(as, client, auth, third.access_token), challenge(401, 'basic'));
    }
    const api = [{ client_id: 'api1 server' }, basic('api1 server')];
    assert.equal((await introspect(as, ...api, third.access_token)).active, true, 'the API may ask about tokens that are for it');
    assert.deepEqual(await introspect(as, ...api, third.refresh_token), { active: false }, 'but not about refresh tokens');
    assert.deepEqual(await introspect(as, ...api, narrow.access_token), { active: false }, 'nor about what is for others');

    await revoke(as, client, auth, third.refresh_token);
    await revoke(as, client, auth, third.refresh_token); // a second time changes nothing
    if (confidential) {
      assert.deepEqual(await introspect(as, client, auth, third.access_token), { active: false });
      assert.deepEqual(await introspect(as, client, auth, third.refresh_token), { active: false });
    }
    assert.deepEqual(await introspect(as, ...api, third.access_token), { active: false });
    await refused(refresh(as, client, auth, third.refresh_token), invalidGrant);
    await refused(userInfo(as, client, third.access_token), challenge(401, 'bearer', 'invalid_token'));
  });
}

for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
  check(`a server that signs with ${alg}: ID tokens and access tokens verify by its key set`, async () => {
    const server = await discover(await start({ alg }));
    assert.deepEqual(server.id_token_signing_alg_values_supported, [alg]);
    const session = await signIn(server, ...mvc);
    assert.equal((await atAPI(server, session.access_token)).sub, 'alice');
    assert.equal(oauth.getValidatedIdTokenClaims(await refresh(server, ...mvc, session.refresh_token)).sub, 'alice');
  });
}

check('an issuer with a path: code flow, userinfo, refresh', async () => {
  const server = await discover(await start({ path: '/tenant/one' }));
  const session = await signIn(server, ...mvc);
  assert.equal((await userInfo(server, mvc[0], session.access_token)).name, 'Alice Smith');
  await refresh(server, ...mvc, session.refresh_token);
});

for (const [name, client_id, auth] of [
  ['client_secret_basic', 'worker', basic('worker')],
  ['client_secret_post', 'worker', oauth.ClientSecretPost(secrets.worker)],
  ['private_key_jwt', 'keyed', oauth.PrivateKeyJwt(key('ES256'))],
]) {
  check(`client_credentials by ${name}`, async () => {
    const client = { client_id };
    for (const parameters of [{ scope: 'api1' }, { scope: 'api1', resource: 'api1' }, {}]) {
      const session = await credentials(as, client, auth, parameters);
      assert.equal(session.scope, 'api1');
      assert.equal(session.refresh_token, undefined);
      assert.equal(session.id_token, undefined);
      const claims = await atAPI(as, session.access_token);
      assert.deepEqual([claims.sub, claims.client_id, claims.aud], [client_id, client_id, 'api1']);
      assert.equal((await introspect(as, client, auth, session.access_token)).active, true);
      await refused(userInfo(as, client, session.access_token), challenge(403, 'bearer', 'insufficient_scope'));
    }
    await refused(credentials(as, client, auth, { scope: 'admin' }), oauthError(400, 'invalid_scope'));
    await refused(credentials(as, client, auth, { scope: 'api1', resource: 'api2' }), oauthError(400, 'invalid_target'));
  });
}

check('twenty refreshes at once: one rotation, one successor, twenty access tokens', async () => {
  const session = await signIn(as, ...mvc);
  const all = await Promise.all(Array.from({ length: 20 }, () => refresh(as, ...mvc, session.refresh_token)));
  for (const one of all) same(one.refresh_token, all[0].refresh_token, 'the successor');
  assert.equal(new Set(all.map((one) => one.access_token)).size, 20);
});

check('without a grace, a refresh token that comes back ends the session', async () => {
  const strict = [{ client_id: 'strict' }, basic('strict')];
  const first = await signIn(as, ...strict);
  const second = await refresh(as, ...strict, first.refresh_token);
  await refused(refresh(as, ...strict, first.refresh_token), invalidGrant);
  await refused(refresh(as, ...strict, second.refresh_token), invalidGrant);
});

check('a failed request burns neither the code nor the refresh token; a code works once', async () => {
  const [client, auth] = mvc;
  const flow = await authorize(as, client);
  await refused(exchange(as, client, oauth.ClientSecretBasic('wrong'), flow), challenge(401, 'basic'));
  await refused(exchange(as, client, auth, { ...flow, verifier: oauth.generateRandomCodeVerifier() }), invalidGrant);
  const session = await exchange(as, client, auth, flow);
  await refused(refresh(as, client, oauth.ClientSecretPost('wrong'), session.refresh_token), challenge(401, 'basic'));
  await refused(refresh(as, { client_id: 'spa' }, oauth.None(), session.refresh_token), invalidGrant);
  await refused(refresh(as, client, auth, 'rt1_made_up'), invalidGrant);
  const next = await refresh(as, client, auth, session.refresh_token);
  await refused(exchange(as, client, auth, flow), invalidGrant);
  await refused(refresh(as, client, auth, next.refresh_token), invalidGrant); // two had the code, so the session is over
});

check('a client that may do without PKCE: with it, without it, and never half of it', async () => {
  const client = { client_id: 'before PKCE' }, auth = basic('before PKCE');
  const without = { code_challenge: '', code_challenge_method: '' };
  await signIn(as, client, auth);
  await exchange(as, client, auth, { ...await authorize(as, client, without), verifier: oauth.nopkce });
  await refused(exchange(as, client, auth, await authorize(as, client, without)), invalidGrant);
  await refused(exchange(as, client, auth, { ...await authorize(as, client), verifier: oauth.nopkce }), invalidGrant);
});

check('refusals of the endpoints are recognised', async () => {
  const [client, auth] = mvc;
  await refused(credentials(as, client, auth, {}), oauthError(400, 'unauthorized_client'));
  await refused(credentials(as, { client_id: 'nobody' }, oauth.ClientSecretBasic('x'), {}), challenge(401, 'basic'));
  await refused(credentials(as, { client_id: 'keyed' }, oauth.PrivateKeyJwt(strangersKey), {}), challenge(401, 'basic'));
  await refused(introspect(as, client, oauth.ClientSecretBasic('wrong'), 'x'), challenge(401, 'basic'));
  await refused(revoke(as, client, oauth.ClientSecretBasic('wrong'), 'x'), challenge(401, 'basic'));
  await refused(userInfo(as, client, 'x'), challenge(401, 'bearer', 'invalid_token'));
  const password = oauth.genericTokenEndpointRequest(as, client, auth, 'password', {}, loopback)
    .then((response) => oauth.processGenericTokenEndpointResponse(as, client, response));
  await refused(password, oauthError(400, 'unsupported_grant_type'));
  assert.deepEqual(await introspect(as, client, auth, 'x'), { active: false });
  await revoke(as, client, auth, 'x'); // an unknown token is as good as revoked
});

check('an assertion works once, and only here', async () => {
  const client = { client_id: 'keyed' };
  const assertion = (change) => oauth.PrivateKeyJwt(key('ES256'), assertions(change));
  const once = assertion((payload) => { payload.jti = 'the same'; });
  await credentials(as, client, once, {});
  for (const [what, auth] of [
    ['jti that was used', once],
    ['another server', assertion((payload) => { payload.aud = 'https://other.example'; })],
    ['another client', assertion((payload) => { payload.sub = payload.iss = 'mvc client'; })],
    ['expired', assertion((payload) => { payload.exp -= 3600; })],
    ['without exp', assertion((payload) => { delete payload.exp; })],
    ['without jti', assertion((payload) => { delete payload.jti; })],
  ]) {
    const expected = what === 'another client' ? oauthError(400, 'invalid_request') : challenge(401, 'basic');
    await refused(credentials(as, client, auth, {}), expected);
  }
});

check('errors of the authorization endpoint come back with iss and state, and the library sees a changed answer', async () => {
  const [client] = mvc;
  for (const [parameters, error] of [
    [{ prompt: 'none' }, 'login_required'],
    [{ scope: 'openid admin' }, 'invalid_scope'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ code_challenge: '', code_challenge_method: '' }, 'invalid_request'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ request: 'x' }, 'request_not_supported'],
    [{ resource: 'api2' }, 'invalid_target'],
  ]) {
    const { read } = await authorize(as, client, parameters);
    await refused(Promise.resolve().then(read), authorizationError(error));
  }
  for (const [name, value] of [['iss', 'https://other.example'], ['iss', ''], ['state', 'changed'], ['state', '']]) {
    const { answer, read } = await authorize(as, client);
    if (value) answer.searchParams.set(name, value);
    else answer.searchParams.delete(name);
    await failed(read, oauth.INVALID_RESPONSE);
  }
});

check('who is signed in is not asked again, unless the client wants it', async () => {
  const [client, auth] = mvc, person = new Person();
  const first = oauth.getValidatedIdTokenClaims(await signIn(as, client, auth, { person }));
  const silent = oauth.getValidatedIdTokenClaims(await signIn(as, client, auth, { person, prompt: 'none' }));
  assert.equal(person.forms, 1);
  assert.deepEqual([silent.auth_time, silent.sid], [first.auth_time, first.sid]);
  await signIn(as, client, auth, { person, prompt: 'login' });
  assert.equal(person.forms, 2);
});
