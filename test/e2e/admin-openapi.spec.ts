import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { TenancyModule } from '../../lib';
import { MASTER_KEY_SCHEME, TenancyAdminModule, withMasterKeyScheme } from '../../lib/admin';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { ADAPTERS, MASTER_KEY } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

// A document's parts are asked for by path; what is missing fails the test.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Part = any;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

describe.each(ADAPTERS)(
  'The OpenAPI document of an application with the admin API on %s',
  (_platform, adapter) => {
    let database: TestDatabase;
    let running: TestApp;
    let document: Part;

    const config = () => withMasterKeyScheme(new DocumentBuilder().setTitle('Shop').build());
    const documentOf = (app: INestApplication): OpenAPIObject => SwaggerModule.createDocument(app, config());

    beforeAll(async () => {
      database = await createTestDatabase();
      running = await startTestApp(
        {
          imports: [
            TenancyModule.forRoot(notesOptions(database)),
            TenancyAdminModule.forRoot({ masterKey: MASTER_KEY }),
          ],
        },
        // Where applications make their document: before anything listens.
        { adapter: adapter(), prepare: (app) => (document = JSON.parse(JSON.stringify(documentOf(app)))) },
      );
    });
    afterAll(async () => {
      await running?.close();
      await database?.drop();
    });

    const operations = (): [string, Part][] =>
      Object.entries<Part>(document.paths).flatMap(([path, item]) =>
        Object.entries<Part>(item).map(([method, operation]): [string, Part] => [
          `${method} ${path}`,
          operation,
        ]),
      );
    const resolve = (part: Part): Part =>
      part?.$ref === undefined
        ? part
        : (part.$ref as string)
            .slice(2)
            .split('/')
            .reduce((at: Part, name) => at[name], document);
    const answer = (call: string, status: number): Part =>
      Object.fromEntries(operations())[call].responses[status];
    const schemaOf = (content: Part, type = 'application/json'): Part =>
      resolve(content.content[type].schema);

    it('has every call with its parameters, bodies and answers', () => {
      const outline = operations().map(([call, { parameters, requestBody, responses }]) => ({
        call,
        parameters: parameters.map((each: Part) => `${each.in} ${each.name}${each.required ? '' : '?'}`),
        body:
          requestBody &&
          [...Object.keys(requestBody.content), requestBody.required ? 'required' : 'optional'].join(' '),
        answers: Object.entries<Part>(responses).map(
          ([status, { description }]) => `${status} ${description}`,
        ),
      }));
      expect(outline).toMatchSnapshot();
    });

    it('is sound: every reference leads somewhere, every path parameter is declared, every operation has its own id', () => {
      expect(document.openapi).toMatch(/^3\.0\.\d$/);
      const ids = operations().map(([, { operationId }]) => operationId);
      expect(new Set(ids).size).toBe(ids.length);
      for (const [call, operation] of operations()) {
        const [method, path] = call.split(' ');
        expect(METHODS).toContain(method);
        expect(operation.summary).toMatch(/\w/);
        const declared = operation.parameters.filter((each: Part) => each.in === 'path');
        expect(declared.map(({ name }: Part) => name)).toEqual(
          [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        );
        const keys = operation.parameters.map((each: Part) => `${each.in} ${each.name}`);
        expect(new Set(keys).size).toBe(keys.length);
        for (const parameter of operation.parameters)
          expect(parameter).toMatchObject({ schema: { type: expect.any(String) } });
        for (const [status, response] of Object.entries<Part>(operation.responses)) {
          expect(status).toMatch(/^[1-5]\d\d$/);
          expect(response.description).toMatch(/\w/);
          for (const header of Object.values<Part>(response.headers ?? {}))
            expect(header.schema).toBeDefined();
        }
      }
      const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, $ref]) => $ref);
      expect(references.length).toBeGreaterThan(20);
      for (const $ref of references) {
        expect($ref).toMatch(/^#\/components\/schemas\//);
        expect(resolve({ $ref })).toMatchObject({ type: 'object', properties: expect.any(Object) });
      }
    });

    it('asks for the master key with every call', () => {
      expect(document.components.securitySchemes[MASTER_KEY_SCHEME]).toMatchObject({
        type: 'apiKey',
        in: 'header',
        name: 'X-Master-Key',
      });
      for (const [, { security }] of operations()) expect(security).toEqual([{ [MASTER_KEY_SCHEME]: [] }]);
    });

    it('has an Idempotency-Key for every POST, and If-Match for whatever changes a tenant', () => {
      for (const [call, { parameters }] of operations()) {
        const headers = parameters.filter((each: Part) => each.in === 'header').map(({ name }: Part) => name);
        expect(headers.includes('Idempotency-Key')).toBe(call.startsWith('post'));
        const changesTenant =
          !call.startsWith('get') && !/^post \/admin\/(tenants|migrations|moves\/.*)$/.test(call);
        expect(headers.includes('If-Match')).toBe(changesTenant);
      }
    });

    it('has an ETag with every answer that is a tenant', () => {
      for (const [call, { responses }] of operations()) {
        for (const status of ['200', '201']) {
          if (!responses[status] || /audit|events|migrations|drift|moves|get \/admin\/tenants$/.test(call))
            continue;
          expect(responses[status].headers).toHaveProperty('ETag');
          expect(schemaOf(responses[status]).properties).toHaveProperty('schemaName');
        }
      }
    });

    it('has errors in the shape that they have', () => {
      for (const [, { responses }] of operations()) {
        expect(Object.keys(responses)).toEqual(expect.arrayContaining(['400', '401', '503']));
        for (const [status, response] of Object.entries<Part>(responses)) {
          if (Number(status) < 400) continue;
          expect(Object.keys(schemaOf(response).properties)).toEqual([
            'statusCode',
            'code',
            'message',
            'errors',
          ]);
          expect(schemaOf(response).required).toEqual(['statusCode', 'code', 'message']);
        }
      }
    });

    it('describes a tenant as it is answered', async () => {
      const { properties, required } = schemaOf(answer('get /admin/tenants/{tenant}', 200));
      const shown = await running.create({ slug: 'described' });
      const response = await fetch(`${await running.app.getUrl()}/admin/tenants/${shown.id}`, {
        headers: { 'x-master-key': MASTER_KEY },
      });
      const body = (await response.json()) as object;
      expect(Object.keys(properties)).toEqual(Object.keys(body));
      expect([...required].sort()).toEqual(Object.keys(body).sort());
    });

    it('is the same when it is made again, and in another application of the process', async () => {
      const again: Part = JSON.parse(JSON.stringify(documentOf(running.app)));
      expect(again).toEqual(document);
      let second: Part;
      const other = await startTestApp(
        {
          imports: [
            TenancyModule.forRoot(notesOptions(database)),
            TenancyAdminModule.forRoot({ masterKey: MASTER_KEY }),
          ],
        },
        { adapter: adapter(), prepare: (app) => (second = JSON.parse(JSON.stringify(documentOf(app)))) },
      );
      await other.close();
      expect(second).toEqual(document);
    });
  },
);

describe('withMasterKeyScheme', () => {
  it('leaves what is there, and does not change what it is given', () => {
    const config = {
      info: { title: 'Shop' },
      components: { schemas: { A: {} }, securitySchemes: { own: { type: 'http' } } },
    };
    const before = JSON.stringify(config);
    expect(withMasterKeyScheme(config)).toMatchObject({
      info: { title: 'Shop' },
      components: { schemas: { A: {} }, securitySchemes: { own: { type: 'http' }, [MASTER_KEY_SCHEME]: {} } },
    });
    expect(JSON.stringify(config)).toBe(before);
  });
});

describe('Without @nestjs/swagger', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database?.drop());

  /** Starts an application from modules loaded anew, where `@nestjs/swagger` is what `swagger` makes of it. */
  async function startWith(swagger: () => unknown): Promise<TestApp> {
    jest.resetModules();
    jest.doMock('@nestjs/swagger', swagger);
    try {
      const lib = jest.requireActual<typeof import('../../lib')>('../../lib');
      const admin = jest.requireActual<typeof import('../../lib/admin')>('../../lib/admin');
      const notes = jest.requireActual<typeof import('../support/notes')>('../support/notes');
      const apps = jest.requireActual<typeof import('../support/test-app')>('../support/test-app');
      return await apps.startTestApp({
        imports: [
          lib.TenancyModule.forRoot(notes.notesOptions(database)),
          admin.TenancyAdminModule.forRoot({ masterKey: MASTER_KEY }),
        ],
      });
    } finally {
      jest.dontMock('@nestjs/swagger');
    }
  }
  const notFound = (name: string) => () => {
    throw Object.assign(new Error(`Cannot find module '${name}' from 'load-swagger.js'`), {
      code: 'MODULE_NOT_FOUND',
    });
  };

  it('the admin API works as it does with it', async () => {
    const running = await startWith(notFound('@nestjs/swagger'));
    const call = async (method: string, path: string, body?: string) =>
      (
        await fetch(`${running.url}${path}`, {
          method,
          headers: { 'x-master-key': MASTER_KEY, 'content-type': 'application/json' },
          body,
        })
      ).status;
    try {
      expect(await call('POST', '/admin/tenants', '{"slug":"plain"}')).toBe(201);
      expect(await call('GET', '/admin/tenants/plain')).toBe(200);
      expect(await call('POST', '/admin/tenants', '{"slug":"plain","x":1}')).toBe(400);
    } finally {
      await running.close();
    }
  });

  it('that is there but broken, the start fails, and says why', async () => {
    await expect(startWith(notFound('swagger-ui-dist'))).rejects.toThrow('swagger-ui-dist');
  });
});
