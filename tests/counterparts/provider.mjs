// `oidc-provider`, a certified authorization server, on a free port of the loopback interface.
//
// Reads its clients as one line of JSON from standard input ([{client_id, client_secret, scope}, …]), says where it is
// and what it minted beforehand as one line of JSON on standard output, and ends when standard input does. Access
// tokens are opaque; a resource indicator (RFC 8707) becomes the token's only audience entry, unchanged.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { Provider } from 'oidc-provider';

const SCOPES = ['files.read', 'files.delete'];
const SECONDS = 600;

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, 'line');
const clients = JSON.parse(line);
lines.on('close', () => process.exit(0));

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: clients.map((client) => ({
    ...client,
    grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
    redirect_uris: ['https://client.example.com/callback'],
  })),
  scopes: ['openid', 'offline_access', ...SCOPES],
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  ttl: { AccessToken: SECONDS, ClientCredentials: SECONDS, Grant: SECONDS, RefreshToken: SECONDS },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: SCOPES.join(' '), accessTokenFormat: 'opaque', accessTokenTTL: SECONDS,
      }),
    },
    revocation: { enabled: true },
  },
});
server.on('request', provider.callback());

// What a person would have got by signing in, for the first client: there is no page to do that on.
async function mint(kind, values) {
  const client = await provider.Client.find(clients[0].client_id);
  const grant = new provider.Grant({ accountId: 'alice', clientId: client.clientId });
  const grantId = await grant.save();
  const token = new provider[kind]({ accountId: 'alice', client, grantId, gty: 'authorization_code', ...values });
  return token.save();
}

process.stdout.write(`${JSON.stringify({
  issuer,
  user_token: await mint('AccessToken', { scope: 'files.read', aud: 'gateway:my-gateway/api:my-api' }),
  refresh_token: await mint('RefreshToken', { scope: 'files.read' }),
})}\n`);
