import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { S3FileStore } from '../../lib/files/s3';
import { itKeepsFiles } from '../support/files-contract';
import { s3, type TestBucket } from '../support/stores-of-files';
import { startCeph } from '../support/system/ceph';

/** A server that many run, and none that was written for a test: what it takes for S3's protocol, S3FileStore must speak. */
describe('TenantFiles in a bucket of Ceph', () => {
  let bucket: TestBucket;

  beforeAll(async () => {
    bucket = await startCeph();
  });
  afterAll(() => bucket?.close());

  itKeepsFiles(() => s3(() => Promise.resolve({ ...bucket, close: () => Promise.resolve() })));

  it('are sent and read by signed URLs, and only as it was signed', async () => {
    const store = new S3FileStore({ client: bucket.client, bucket: bucket.Bucket });
    const place = { owner: 'signed', key: 'a b/ü.txt' };
    const about = { contentType: 'text/plain', metadata: { by: 'Zoë' } };
    const sha256 = createHash('sha256').update('tea').digest('hex');
    const { url, headers } = await store.signedUpload(place, { about, size: 3, sha256, expiresInMs: 60_000 });
    const send = async (body: string, more = {}) =>
      (await fetch(url, { method: 'PUT', body, headers: { ...headers, ...more } })).status;
    expect([await send('milk'), await send('tea', { 'content-type': 'text/html' })]).toEqual([403, 403]);
    expect(await store.head(place)).toBeUndefined();
    expect(await send('tea')).toBe(200);
    expect(await store.head(place)).toMatchObject({ ...about, size: 3, sha256 });
    expect(await text((await store.open(place))!.stream)).toBe('tea');
    const link = await store.signedUrl(place, { expiresInMs: 60_000, disposition: 'inline' });
    expect(await (await fetch(link)).text()).toBe('tea');
    expect((await fetch(link.replace('signed', 'others'))).status).toBe(403);
  });
});
