import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { ExpressAdapter } from '@nestjs/platform-express';
import { API_KEY_SCHEME, withApiKeyScheme } from '../../lib/access';
import { MASTER_KEY_SCHEME, withMasterKeyScheme } from '../../lib/admin';
import { type AccessApp, startAccessApp } from '../support/access-app';
import { createTestDatabase, type TestDatabase } from '../support/database';

// A document's parts are asked for by path; what is missing fails the test.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Part = any;

describe('The OpenAPI document of an application with keys', () => {
  let database: TestDatabase;
  let app: AccessApp;
  let document: Part;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startAccessApp(database, new ExpressAdapter());
    const config = withApiKeyScheme(withMasterKeyScheme(new DocumentBuilder().build()));
    document = JSON.parse(JSON.stringify(SwaggerModule.createDocument(app.app, config)));
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  const calls = (): [string, Part][] =>
    Object.entries<Part>(document.paths).flatMap(([path, item]) =>
      Object.entries<Part>(item).map(([method, operation]): [string, Part] => [
        `${method} ${path}`,
        operation,
      ]),
    );
  const callsOfKeys = () => calls().filter(([call]) => /\/keys/.test(call));

  it('has every call of keys, for master keys and for principals, and who am I', () => {
    const paths = ['', '/{key}', '/{key}/block', '/{key}/unblock', '/{key}/rotate'];
    for (const base of ['/tenant/keys', '/admin/tenants/{tenant}/keys'])
      for (const path of paths) expect(document.paths).toHaveProperty([base + path]);
    expect(callsOfKeys()).toHaveLength(16);
    expect(document.paths).toHaveProperty(['/me', 'get', 'responses', '200']);
  });

  it('says which credential each call takes', () => {
    for (const [call, { security }] of callsOfKeys())
      expect({ call, security }).toEqual({
        call,
        security: [{ [call.includes('/admin/') ? MASTER_KEY_SCHEME : API_KEY_SCHEME]: [] }],
      });
    expect(Object.keys(document.components.securitySchemes)).toEqual([MASTER_KEY_SCHEME, API_KEY_SCHEME]);
  });

  it('is sound: references lead somewhere, parameters of paths are declared once, operations have ids of their own', () => {
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
      expect(document.components.schemas).toHaveProperty([name]);
    for (const [call, { parameters }] of callsOfKeys()) {
      const inPath = parameters
        .filter((each: Part) => each.in === 'path')
        .map(({ name }: Part) => name as string);
      const wanted = [...call.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect({ call, inPath: inPath.sort() }).toEqual({ call, inPath: wanted.sort() });
    }
    const ids = calls().map(([, { operationId }]) => operationId as string);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('shows the text of a key where it is shown, and nowhere else', () => {
    const { ApiKey, ShownApiKey } = document.components.schemas;
    expect(ApiKey.properties).not.toHaveProperty('key');
    expect(ShownApiKey.properties).toHaveProperty('key');
    const made = document.paths['/tenant/keys'].post.responses[201].content['application/json'].schema;
    expect(made.$ref).toMatch(/ShownApiKey$/);
  });
});
