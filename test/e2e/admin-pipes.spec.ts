import { type PipeTransform, ValidationPipe } from '@nestjs/common';
import { TenancyModule } from '../../lib';
import { TenancyAdminModule } from '../../lib/admin';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { ADAPTERS, MASTER_KEY } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

const STRICT = { transform: true, whitelist: true, forbidNonWhitelisted: true };

describe.each(ADAPTERS)(
  'the admin API on %s behind a ValidationPipe of the application',
  (_name, adapter) => {
    let database: TestDatabase;
    let running: TestApp;

    beforeAll(async () => {
      database = await createTestDatabase();
      const pipe: PipeTransform = new ValidationPipe({ ...STRICT, validateCustomDecorators: true });
      running = await startTestApp(
        {
          imports: [
            TenancyModule.forRoot(notesOptions(database)),
            TenancyAdminModule.forRoot({ masterKey: MASTER_KEY }),
          ],
        },
        { adapter: adapter(), prepare: (app) => void app.useGlobalPipes(pipe) },
      );
    });
    afterAll(async () => {
      await running.close();
      await database.drop();
    });

    const call = (method: string, path: string, body?: unknown) =>
      rawRequest(running.url, `/admin/tenants${path}`, {
        method,
        headers: {
          'x-master-key': MASTER_KEY,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });

    it.each([
      ['GET', '?limit=0', undefined, 'limit'],
      ['GET', '?limit=5&nothing=1', undefined, 'nothing'],
      ['GET', '?status=awake', undefined, 'status'],
      ['POST', '', { slug: 5 }, 'slug'],
      ['POST', '', { slug: 'acme', nothing: 1 }, 'nothing'],
      ['PATCH', '/acme', { name: 5 }, 'name'],
    ])('names the field in the same words as without it: %s %s', async (method, path, body, field) => {
      await expect(call(method, path, body)).resolves.toMatchObject({
        status: 400,
        body: { code: 'VALIDATION_FAILED', errors: [expect.objectContaining({ field })] },
      });
    });

    it('does what it is asked', async () => {
      const tenant = { slug: 'acme', metadata: { plan: { seats: 5 } } };
      await expect(call('POST', '', tenant)).resolves.toMatchObject({ status: 201, body: tenant });
      await expect(call('GET', '?limit=5&search=ac')).resolves.toMatchObject({
        status: 200,
        body: { data: [expect.objectContaining(tenant)] },
      });
      await expect(call('POST', '/acme/suspend')).resolves.toMatchObject({ body: { status: 'suspended' } });
    });
  },
);
