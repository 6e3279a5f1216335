// `oidc-provider`, a certified authorization server, on a free port of the loopback interface.
//
// Reads its clients as one line of JSON from standard input ([{client_id, client_secret, scope}, …]), says where it is
// and what it minted beforehand as one line of JSON on standard output, and ends when standard input does. Access
// tokens are opaque; a resource indicator (RFC 8707) becomes the token's only audience entry, unchanged.
//
// On a second port it stands behind a site, once for each way in which its metadata are found there, or are not.

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

async function listening() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

const providerOf = (issuer) => new Provider(issuer, {
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

const { server, origin: issuer } = await listening();
const provider = providerOf(issuer);
server.on('request', provider.callback());

const { server: front, origin: site } = await listening();

function mounted(path) {
  const callback = providerOf(site + path).callback();
  return (request, response) => {
    request.originalUrl = request.url; // what it builds its own URLs from
    request.url = request.url.slice(path.length);
    return callback(request, response);
  };
}

const page = (status, location) => (_, response) => {
  response.writeHead(status, { 'content-type': 'text/html', ...(location && { location }) });
  response.end('<!doctype html><title>Sign in</title>');
};

const OAUTH = '/.well-known/oauth-authorization-server';
const OPENID = '/.well-known/openid-configuration';
const issuers = Object.fromEntries(
  ['', '/html', '/missing', '/moved', '/first', '/nowhere', '/away'].map((path) => [path, mounted(path)]),
);
const absent = page(404);
const exceptions = {
  [OAUTH]: page(200), // a site that has a page for everything
  [`${OAUTH}/html`]: page(200),
  [`${OAUTH}/missing`]: absent,
  [`${OAUTH}/moved`]: page(302, `${site}/html${OPENID}`), // to the metadata of another issuer
  [`${OAUTH}/first`]: (request, response) => {
    request.url = `/first${OPENID}`;
    return issuers['/first'](request, response);
  },
  [`/first${OPENID}`]: absent,
  [`${OAUTH}/nowhere`]: page(200),
  [`/nowhere${OPENID}`]: page(200),
  [`${OAUTH}/away`]: page(302, `${site}/away${OAUTH}`), // to metadata that would do
  [`/away${OPENID}`]: page(302, `${site}/away${OAUTH}`),
};
front.on('request', (request, response) => {
  const [, path] = /^(\/[a-z]+)\//.exec(request.url) ?? [];
  return (exceptions[request.url] ?? issuers[path] ?? issuers[''])(request, response);
});

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
  site,
  user_token: await mint('AccessToken', { scope: 'files.read', aud: 'gateway:my-gateway/api:my-api' }),
  refresh_token: await mint('RefreshToken', { scope: 'files.read' }),
})}\n`);
