import { createHmac } from 'node:crypto';
import { macOf } from './mac';

it.each([1, 32, 63, 64, 65, 200])('is the HMAC-SHA-256 of Node under a secret of %i characters', (length) => {
  for (const secret of ['k'.repeat(length), 'ü'.repeat(length)]) {
    const mac = macOf(secret);
    for (const text of ['', 'a', 'Größe 東京 🚀', 'x'.repeat(1_000), 'a'])
      expect(mac(text)).toBe(createHmac('sha256', secret).update(text).digest('base64url'));
  }
});
