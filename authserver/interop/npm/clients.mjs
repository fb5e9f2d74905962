// Who and what the server of these tests knows: the -config file of examples/authserver, and the credentials that fit it.

import { createHash } from 'node:crypto';
import { generateKeyPair, modifyAssertion } from 'oauth4webapi';

// Nobody listens there: the person's browser stops before it.
export const callback = 'http://127.0.0.1:5002/signin-oidc';
export const signedOut = 'http://127.0.0.1:5002/signed-out';

export const scope = 'openid profile email api1 offline_access';

// The algorithms that a client may sign its assertions with. Ed25519 is RFC 9864's name for EdDSA.
export const algorithms = ['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'Ed25519'];

export const secrets = {
  'mvc client': 'mvc secret',
  'odd+client:100%': 'a+b c:d%e/f&g=h?é☃', // everything that the form-urlencoding inside Basic is there for
  strict: 'strict secret',
  'before PKCE': 'another secret',
  worker: 'worker secret',
  'api1 server': 'api1 server secret',
};

const hash = (text) => 'sha256:' + createHash('sha256').update(text).digest('base64url');

const keyPairs = Object.fromEntries(await Promise.all(algorithms.map(async (alg) => [alg, await generateKeyPair(alg)])));

// key is what a private_key_jwt client signs with.
export const key = (alg) => ({ key: keyPairs[alg].privateKey, kid: alg });

// assertions changes the claims of an assertion before the library signs it.
export const assertions = (change = () => {}) => ({
  [modifyAssertion](_header, payload) {
    change(payload);
  },
});

// A key that belongs to nobody.
export const strangersKey = { key: (await generateKeyPair('ES256')).privateKey, kid: 'ES256' };

async function keySet() {
  const keys = await Promise.all(algorithms.map(async (alg) => {
    const jwk = await crypto.subtle.exportKey('jwk', keyPairs[alg].publicKey);
    return { ...jwk, kid: alg, alg, use: 'sig' };
  }));
  return { keys };
}

export async function config() {
  const person = {
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [callback],
    post_logout_redirect_uris: [signedOut],
    scopes: scope.split(' '),
  };
  const withSecret = (id) => ({ client_id: id, secrets: [{ hash: hash(secrets[id]) }] });
  return {
    clients: [
      { ...withSecret('mvc client'), ...person },
      { ...withSecret('odd+client:100%'), ...person },
      { ...withSecret('strict'), ...person, refresh_grace: '0s' },
      { ...withSecret('before PKCE'), ...person, dangerously_optional_pkce: true },
      { client_id: 'spa', ...person },
      { client_id: 'desktop', ...person, native: true },
      { client_id: 'keyed', jwks: await keySet(), ...person, grant_types: [...person.grant_types, 'client_credentials'] },
      { ...withSecret('worker'), grant_types: ['client_credentials'], scopes: ['api1'] },
      { ...withSecret('api1 server'), grant_types: ['client_credentials'], scopes: ['api1'], serves: ['api1'] },
    ],
    users: [{
      sub: 'alice',
      username: 'alice',
      // the argon2id hash of "alice", the password that everybody knows
      password_hash: '$argon2id$v=19$m=19456,t=2,p=1$HJITyIJtWndjgTbPuhQTvg$740bREmV37QHouaERjzin+HGpRSXKpVRX4gKgnTYvnM',
      claims: { name: 'Alice Smith', email: 'alice@example.com', email_verified: true },
    }],
    resources: { api1: ['api1'] },
  };
}
