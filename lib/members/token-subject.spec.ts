import { addressOfToken, subjectOfToken } from './token-subject';

it('names whom a token is of, with its issuer or without one', () => {
  expect(subjectOfToken({ iss: 'https://id.example', sub: 'olga' }, {})).toEqual({
    issuer: 'https://id.example',
    subject: 'olga',
  });
  expect(subjectOfToken({ sub: 'olga' }, {})).toEqual({ issuer: '', subject: 'olga' });
});

it.each([[null], [['https://id.example']], [5], [{}]])(
  'names nobody when the issuer is %p: no issuer stands for the application itself',
  (iss) => expect(subjectOfToken({ iss, sub: 'olga' }, {})).toBeUndefined(),
);

it.each([[undefined], [null], [''], [5], [['olga']]])('names nobody when the subject is %p', (sub) =>
  expect(subjectOfToken({ sub }, {})).toBeUndefined(),
);

it('knows an address only when its issuer has verified it', () => {
  const email = 'Olga@Example.com';
  expect(addressOfToken({ email, email_verified: true })).toEqual({ email, folded: 'olga@example.com' });
  expect(addressOfToken({ email, email_verified: 'true' })?.email).toBe(email);
  for (const verified of [undefined, false, 'false', 1, null])
    expect(addressOfToken({ email, email_verified: verified })).toBeUndefined();
  expect(addressOfToken({ email: 'nobody', email_verified: true })).toBeUndefined();
});
