// openid-client, the certified OpenID Connect client for Node.js, as its users write it. Its checks stay on, the signatures of ID
// tokens are verified on top, and the one allowance is plain http, since the server is on loopback.

import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { callback, key, scope, secrets, signedOut, strangersKey } from './clients.mjs';
import { authorizationError, challenge, check, differ, failed, invalidGrant, oauthError, refused, same } from './check.mjs';
import { Person } from './person.mjs';
import { start } from './server.mjs';

const issuer = await start();

// configure finds the server out and says who the client is.
function configure(id, auth, { server = issuer, algorithm = 'oidc' } = {}) {
  const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks];
  return client.discovery(server, id, undefined, auth, { algorithm, execute, timeout: 10 });
}
const basic = (id, options) => configure(id, client.ClientSecretBasic(secrets[id]), options);

// authorize sends the person to the server and returns the address at which they come back, with the checks that belong to it.
async function authorize(config, { person = new Person(), redirect_uri = callback, ...more } = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier(), expectedState = client.randomState(), expectedNonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri, scope, state: expectedState, nonce: expectedNonce, max_age: '3600',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256', ...more,
  });
  const back = await person.visit(url, redirect_uri);
  return [back, { pkceCodeVerifier, expectedState, expectedNonce, maxAge: 3600, idTokenExpected: true }];
}

function exchange(config, [back, checks], changed) {
  return client.authorizationCodeGrant(config, back, { ...checks, ...changed });
}

async function signIn(config, options) {
  return exchange(config, await authorize(config, options));
}

for (const path of ['', '/tenant/one']) {
  for (const algorithm of ['oidc', 'oauth2']) {
    check(`discovery by ${algorithm}, issuer ${path ? 'with' : 'without'} a path: sign-in, userinfo, refresh, logout`, async () => {
      const server = path ? await start({ path }) : issuer;
      const config = await basic('mvc client', { server, algorithm });
      assert.equal(config.serverMetadata().supportsPKCE(), true);
      const person = new Person();
      const session = await signIn(config, { person });
      assert.equal((await client.fetchUserInfo(config, session.access_token, 'alice')).name, 'Alice Smith');
      const next = await client.refreshTokenGrant(config, session.refresh_token);
      const url = client.buildEndSessionUrl(config, { post_logout_redirect_uri: signedOut, id_token_hint: next.id_token, state: 'over' });
      assert.equal((await person.visit(url, signedOut)).href, `${signedOut}?state=over`);
    });
  }
}

const ways = [
  ['ClientSecretBasic', 'mvc client', client.ClientSecretBasic(secrets['mvc client']), true],
  ['ClientSecretBasic, characters that need escaping', 'odd+client:100%', client.ClientSecretBasic(secrets['odd+client:100%']), true],
  ['ClientSecretPost', 'mvc client', client.ClientSecretPost(secrets['mvc client']), true],
  ['None', 'spa', client.None(), false],
  ['PrivateKeyJwt', 'keyed', client.PrivateKeyJwt(key('ES256')), true],
];

for (const [name, id, auth, confidential] of ways) {
  check(`${name}: code flow, userinfo, refresh, introspection, revocation`, async () => {
    const config = await configure(id, auth);
    const first = await signIn(config);
    assert.equal(first.claims().sub, 'alice');
    assert.ok(first.expiresIn() > 50 && first.expiresIn() <= 60);
    assert.equal((await client.fetchUserInfo(config, first.access_token, 'alice')).email, 'alice@example.com');

    const second = await client.refreshTokenGrant(config, first.refresh_token);
    differ(second.refresh_token, first.refresh_token, 'the refresh token after a rotation');
    assert.equal(second.claims().sid, first.claims().sid);
    const retry = await client.refreshTokenGrant(config, first.refresh_token);
    same(retry.refresh_token, second.refresh_token, 'the refresh token that a retry within the grace gets');

    const narrow = await client.refreshTokenGrant(config, second.refresh_token, { scope: 'openid email' });
    assert.equal(narrow.scope, 'openid email');
    assert.equal((await client.fetchUserInfo(config, narrow.access_token, 'alice')).name, undefined);
    await refused(client.refreshTokenGrant(config, narrow.refresh_token, { scope: 'openid admin' }), oauthError(400, 'invalid_scope'));
    const third = await client.refreshTokenGrant(config, narrow.refresh_token);
    assert.equal(third.scope, scope);

    const both = [[third.access_token, 'access_token'], [third.refresh_token, 'refresh_token']];
    for (const [token, token_type_hint] of confidential ? both : []) {
      const seen = await client.tokenIntrospection(config, token, { token_type_hint });
      assert.deepEqual([seen.active, seen.sub, seen.client_id, seen.scope], [true, 'alice', id, scope]);
    }
    const api = await basic('api1 server');
    assert.equal((await client.tokenIntrospection(api, third.access_token)).active, true);

    await client.tokenRevocation(config, third.refresh_token, { token_type_hint: 'refresh_token' });
    for (const [token, token_type_hint] of confidential ? both : []) {
      assert.deepEqual(await client.tokenIntrospection(config, token, { token_type_hint }), { active: false });
    }
    assert.deepEqual(await client.tokenIntrospection(api, third.access_token), { active: false });
    await refused(client.refreshTokenGrant(config, third.refresh_token), invalidGrant);
    await refused(client.fetchUserInfo(config, third.access_token, 'alice'), challenge(401, 'bearer', 'invalid_token'));
  });
}

check('a secret and nothing else said: the library’s own choice of client authentication', async () => {
  const execute = [client.allowInsecureRequests];
  const config = await client.discovery(issuer, 'mvc client', secrets['mvc client'], undefined, { execute });
  assert.equal((await signIn(config)).claims().sub, 'alice');
});

check('a native application comes back at whatever port it got, on loopback and nowhere else', async () => {
  const config = await configure('desktop', client.None()), other = await configure('spa', client.None());
  const port = callback.replace(':5002', ':49152');
  assert.equal((await signIn(config, { redirect_uri: port })).claims().sub, 'alice');
  for (const [who, redirect_uri] of [[config, port.replace('127.0.0.1', '127.0.0.2')], [config, `${port}/x`], [other, port]]) {
    await assert.rejects(authorize(who, { redirect_uri }), /with status 400/);
  }
});

check('revoking the access token ends the session as well', async () => {
  const config = await basic('mvc client');
  const session = await signIn(config);
  await client.tokenRevocation(config, session.access_token, { token_type_hint: 'access_token' });
  await refused(client.refreshTokenGrant(config, session.refresh_token), invalidGrant);
});

check('a hint that is wrong, or unknown, finds the token all the same', async () => {
  const config = await basic('mvc client');
  const session = await signIn(config);
  for (const token_type_hint of ['access_token', 'refresh_token', 'saml2']) {
    assert.equal((await client.tokenIntrospection(config, session.refresh_token, { token_type_hint })).active, true);
  }
  await client.tokenRevocation(config, session.refresh_token, { token_type_hint: 'access_token' });
  assert.equal((await client.tokenIntrospection(config, session.refresh_token)).active, false);
});

check('what belongs to another client can be neither refreshed, nor looked at, nor revoked', async () => {
  const owner = await basic('mvc client'), other = await basic('strict');
  const session = await signIn(owner);
  await refused(client.refreshTokenGrant(other, session.refresh_token), invalidGrant);
  for (const token of [session.access_token, session.refresh_token]) {
    assert.deepEqual(await client.tokenIntrospection(other, token), { active: false });
    await client.tokenRevocation(other, token);
    assert.equal((await client.tokenIntrospection(owner, token)).active, true);
  }
  await client.refreshTokenGrant(owner, session.refresh_token);
});

for (const [name, id, auth] of [
  ['ClientSecretBasic', 'worker', client.ClientSecretBasic(secrets.worker)],
  ['ClientSecretPost', 'worker', client.ClientSecretPost(secrets.worker)],
  ['PrivateKeyJwt', 'keyed', client.PrivateKeyJwt(key('RS256'))],
]) {
  check(`clientCredentialsGrant by ${name}`, async () => {
    const config = await configure(id, auth);
    const session = await client.clientCredentialsGrant(config, { scope: 'api1', resource: 'api1' });
    assert.equal(session.refresh_token, undefined);
    assert.equal((await client.tokenIntrospection(config, session.access_token)).aud, 'api1');
    await refused(client.fetchUserInfo(config, session.access_token, id), challenge(403, 'bearer', 'insufficient_scope'));
  });
}

check('logout: the way back, and nothing of the session is left', async () => {
  const config = await basic('mvc client'), person = new Person();
  const session = await signIn(config, { person });
  const other = await signIn(await basic('strict'), { person }); // single sign-on: the other application joins the session
  assert.equal(person.forms, 1);
  const url = client.buildEndSessionUrl(config, { post_logout_redirect_uri: signedOut, id_token_hint: session.id_token });
  assert.equal((await person.visit(url, signedOut)).href, signedOut);
  await refused(signIn(config, { person, prompt: 'none' }), authorizationError('login_required'));
  await refused(client.refreshTokenGrant(config, session.refresh_token), invalidGrant);
  await refused(client.refreshTokenGrant(await basic('strict'), other.refresh_token), invalidGrant);
});

check('logout without an ID token asks the person first; another address to return to is refused', async () => {
  const config = await basic('mvc client'), person = new Person();
  await signIn(config, { person });
  const back = await person.visit(client.buildEndSessionUrl(config, { post_logout_redirect_uri: signedOut, state: 'asked' }), signedOut);
  assert.equal(back.searchParams.get('state'), 'asked');
  assert.equal(person.forms, 2);
  const elsewhere = client.buildEndSessionUrl(config, { post_logout_redirect_uri: 'https://other.example/' });
  await assert.rejects(person.visit(elsewhere, 'https://other.example/'), /with status 400/);
});

check('errors of the token endpoint are recognised, and none of them burns anything', async () => {
  const config = await basic('mvc client');
  const flow = await authorize(config);
  const wrong = await configure('mvc client', client.ClientSecretBasic('wrong'));
  await refused(exchange(wrong, flow), challenge(401, 'basic'));
  await refused(exchange(config, flow, { pkceCodeVerifier: client.randomPKCECodeVerifier() }), invalidGrant);
  await refused(exchange(config, flow, { pkceCodeVerifier: undefined }), invalidGrant);
  const session = await exchange(config, flow);
  await refused(client.refreshTokenGrant(wrong, session.refresh_token), challenge(401, 'basic'));
  await refused(client.refreshTokenGrant(config, session.refresh_token, { resource: 'api2' }), oauthError(400, 'invalid_target'));
  await refused(client.genericGrantRequest(config, 'password', {}), oauthError(400, 'unsupported_grant_type'));
  await refused(client.clientCredentialsGrant(config), oauthError(400, 'unauthorized_client'));
  await refused(client.clientCredentialsGrant(await configure('keyed', client.PrivateKeyJwt(strangersKey))), challenge(401, 'basic'));
  await client.refreshTokenGrant(config, session.refresh_token);
  await refused(exchange(config, flow), invalidGrant);
});

check('an answer of the authorization endpoint that is an error, or was changed on its way', async () => {
  const config = await basic('mvc client');
  for (const [parameters, error] of [
    [{ prompt: 'none' }, 'login_required'],
    [{ scope: 'openid admin' }, 'invalid_scope'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
  ]) {
    await refused(signIn(config, parameters), authorizationError(error));
  }
  for (const [name, value] of [['iss', 'https://other.example'], ['state', 'changed']]) {
    const flow = await authorize(config);
    flow[0].searchParams.set(name, value);
    await failed(() => exchange(config, flow), 'OAUTH_INVALID_RESPONSE');
  }
  const flow = await authorize(config);
  await failed(() => exchange(config, flow, { expectedNonce: 'another' }), 'OAUTH_JWT_CLAIM_COMPARISON_FAILED');
});

check('the userinfo endpoint as a protected resource: the challenge is one that the library can read', async () => {
  const config = await basic('mvc client');
  const session = await signIn(config);
  const url = new URL(config.serverMetadata().userinfo_endpoint);
  const answer = await client.fetchProtectedResource(config, session.access_token, url, 'GET');
  assert.equal((await answer.json()).sub, 'alice');
  await refused(client.fetchProtectedResource(config, 'not.a.token', url, 'GET'), challenge(401, 'bearer', 'invalid_token'));
});
