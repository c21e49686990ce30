// oidc-provider over Redis: server.mjs <port> <redis url> <client secret> <signing key, a JWK>. Says when it listens: a JSON line.
// Beside the provider's own endpoints POST /codes makes authorization codes, as an interaction with a user would.

import http from 'node:http';

import { Redis } from 'ioredis';
import { Provider } from 'oidc-provider';

import { adapterOver } from './adapter.mjs';

const [port, redisUrl, secret, key] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const redirectUri = 'https://client.example.com/back';
const scope = 'openid offline_access';

const provider = new Provider(issuer, {
  adapter: adapterOver(new Redis(redisUrl)),
  clients: [{
    client_id: 'backend',
    client_secret: secret,
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [redirectUri],
  }],
  jwks: { keys: [JSON.parse(key)] },
  features: { introspection: { enabled: true }, devInteractions: { enabled: false } },
  findAccount: (_, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  pkce: { required: () => false },
  scopes: ['openid', 'offline_access'],
  ttl: {
    AccessToken: 300, AuthorizationCode: 600, Grant: 86_400, IdToken: 300, RefreshToken: 86_400,
  },
});

async function newCode(number) {
  const accountId = `user-${number}`;
  const grant = new provider.Grant({ accountId, clientId: 'backend' });
  grant.addOIDCScope(scope);
  const grantId = await grant.save();
  const client = await provider.Client.find('backend');
  const code = new provider.AuthorizationCode({
    accountId, client, grantId, redirectUri, scope, authTime: Math.floor(Date.now() / 1000), gty: 'authorization_code',
  });
  return code.save();
}

const answer = provider.callback();
const server = http.createServer(async (request, response) => {
  if (!request.url.startsWith('/codes?')) return answer(request, response);
  const count = Number(new URL(request.url, issuer).searchParams.get('count'));
  const codes = [];
  for (let number = 0; number < count; number += 1) codes.push(await newCode(number));
  return response.end(JSON.stringify(codes));
});
// Longer than any pause between two turns.
server.keepAliveTimeout = 120_000;
server.listen(Number(port), '127.0.0.1', () => console.log(JSON.stringify({ event: 'server.started' })));
