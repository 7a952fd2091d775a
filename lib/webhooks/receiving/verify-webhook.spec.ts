import { Webhook } from 'standardwebhooks';
import { newSecret, signedHeaders } from '../secrets/signature';
import { verifyWebhook } from './verify-webhook';

const [secret, old] = [newSecret(), newSecret()];
const body = '{"type":"order.shipped","name":"ä"}';
const message = { id: 'msg_1', at: new Date(), body };
const headers = signedHeaders(message, [secret]);

it('returns the payload of a message that is signed with one of the secrets', () => {
  const payload = { type: 'order.shipped', name: 'ä' };
  expect(verifyWebhook(headers, body, secret)).toEqual(payload);
  expect(verifyWebhook(headers, Buffer.from(body), [old, secret])).toEqual(payload);
  expect(verifyWebhook(new Headers(headers), new TextEncoder().encode(body), secret)).toEqual(payload);
  const shouted = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]),
  );
  expect(verifyWebhook(shouted, body, secret)).toEqual(payload);
});

it('is what the reference library makes of it, and signs what that verifies', () => {
  expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
});

it('takes a message that is signed with several secrets by any of them', () => {
  const both = signedHeaders(message, [secret, old]);
  expect(both['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
  for (const known of [secret, old]) expect(verifyWebhook(both, body, known)).toBeDefined();
  expect(() => verifyWebhook(both, body, newSecret())).toThrow('not valid');
});

const at = (minutes: number) => new Date(Date.now() + minutes * 60_000);
const without = (name: string) => ({ ...headers, [name]: undefined });

it.each<[string, Parameters<typeof verifyWebhook>[0], string]>([
  ['another body', headers, '{"type":"order.cancelled"}'],
  ['a space more', headers, `${body} `],
  ['another id', { ...headers, 'webhook-id': 'msg_2' }, body],
  ['another time', { ...headers, 'webhook-timestamp': String(Math.floor(Date.now() / 1_000) + 60) }, body],
  ['an old message', signedHeaders({ ...message, at: at(-6) }, [secret]), body],
  ['one from the future', signedHeaders({ ...message, at: at(6) }, [secret]), body],
  ['another secret', signedHeaders(message, [old]), body],
  ['no id', without('webhook-id'), body],
  ['no time', without('webhook-timestamp'), body],
  ['no signature', without('webhook-signature'), body],
  ['an empty signature', { ...headers, 'webhook-signature': 'v1,' }, body],
  [
    'a signature of another version',
    { ...headers, 'webhook-signature': headers['webhook-signature'].replace('v1', 'v9') },
    body,
  ],
  ['a header that came twice', { ...headers, 'webhook-id': ['msg_1', 'msg_1'] }, body],
  ['no JSON', signedHeaders({ ...message, body: 'hello' }, [secret]), 'hello'],
])('refuses %s', (_what, sent, text) => {
  expect(() => verifyWebhook(sent, text, secret)).toThrow(
    expect.objectContaining({ code: 'WEBHOOK_INVALID', statusCode: 400 }),
  );
});

it.each([
  [''],
  [[]],
  ['whsec_'],
  ['a password!'],
  ['changeme'],
  ['whsec_dGVzdA=='],
  [undefined],
  [[secret, undefined]],
])('tells a programmer that %j is no secret, before it says anything of the message', (known) => {
  expect(() => verifyWebhook(headers, body, known as never)).toThrow(TypeError);
});

it('tells a programmer who has parsed the body', () => {
  expect(() => verifyWebhook(headers, JSON.parse(body) as never, secret)).toThrow('by its body as it came');
});
