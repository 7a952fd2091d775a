import {
  type ArgumentMetadata,
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type NestInterceptor,
  NotFoundException,
  Param,
  ParseIntPipe,
  type PipeTransform,
  Query,
  UnauthorizedException,
  ValidationPipe,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { IsOptional, IsString } from 'class-validator';
import { from, map, mergeMap } from 'rxjs';
import type { Repository } from 'typeorm';
import {
  CurrentTenant,
  InjectTenantRepository,
  TenancyModule,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantFree,
  TenantOptional,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

const ok = (body: unknown) => ({ status: 200, body });
const refusal = (status: number, code: string) => ({
  status,
  body: { statusCode: status, code, message: expect.any(String) },
});

/** Lets in who knows a text that is in a note of the tenant. */
@Injectable()
class SecretGuard implements CanActivate {
  /** Whom it ran for, in order. */
  readonly ranFor: (string | undefined)[] = [];

  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const tenant = this.context.find();
    this.ranFor.push(tenant?.slug);
    if (!tenant) return true;
    const { headers } = context.switchToHttp().getRequest<{ headers: { secret?: string } }>();
    const known = await this.connection.getRepository(Note).existsBy({ text: headers.secret ?? '' });
    if (!known) throw new UnauthorizedException();
    return true;
  }
}

/** A path's number becomes the tenant's note. */
@Injectable()
class NotePipe implements PipeTransform<number, Promise<Note>> {
  constructor(@InjectTenantRepository(Note) private readonly notes: Repository<Note>) {}

  async transform(id: number): Promise<Note> {
    const note = await this.notes.findOneBy({ id });
    if (!note) throw new NotFoundException('No such note.');
    return note;
  }
}

/** Says who the tenant was before the handler and after it, and counts the tenant's notes after it. */
@Injectable()
class WitnessInterceptor implements NestInterceptor {
  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
  ) {}

  intercept(_context: ExecutionContext, next: CallHandler) {
    const before = this.context.find()?.slug;
    return next.handle().pipe(
      mergeMap((answer: unknown) =>
        this.context.find()
          ? from(this.connection.getRepository(Note).count()).pipe(map((notes) => ({ answer, notes })))
          : from([{ answer }]),
      ),
      map((body) => ({ ...body, before, after: this.context.find()?.slug })),
    );
  }
}

/** Notes what it was given, and gives it on. */
@Injectable()
class WitnessPipe implements PipeTransform {
  readonly seen: unknown[] = [];

  constructor(private readonly context: TenantContext) {}

  transform(value: unknown, { type }: ArgumentMetadata) {
    if (type !== 'custom') this.seen.push([this.context.find()?.slug, value]);
    return value;
  }
}

class Search {
  @IsOptional()
  @IsString()
  text?: string;
}

@Controller()
class NotesController {
  constructor(@InjectTenantRepository(Note) private readonly notes: Repository<Note>) {}

  @Get('notes')
  async list(@CurrentTenant() { slug }: Tenant, @Query() { text }: Search) {
    const notes = await this.notes.countBy(text === undefined ? {} : { text });
    return { slug, notes };
  }

  @Get('notes/:id')
  note(@Param('id', ParseIntPipe, NotePipe) { text }: Note, @CurrentTenant('slug') slug: string) {
    return { slug, text };
  }

  @Get('free')
  @TenantFree()
  free(@CurrentTenant() tenant: Tenant | undefined) {
    return { tenant: tenant ?? null };
  }

  @Get('optional')
  @TenantOptional()
  optional(@CurrentTenant('slug') slug: string | undefined) {
    return { slug: slug ?? null };
  }
}

describe.each(ADAPTERS)('on %s, beside ours,', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp;

  /** Two tenants; the text of each one's only note is its slug. */
  beforeAll(async () => {
    database = await createTestDatabase();
    const { app, create } = await start([]);
    for (const slug of ['acme', 'globex']) {
      const tenant = await create({ slug });
      await app
        .get(TenantContext)
        .run(tenant, () => app.get(TenantConnection).getRepository(Note).save({ text: slug }));
    }
    await running.close();
  });
  afterEach(() => running.close());
  afterAll(() => database.drop());

  async function start(
    providers: NonNullable<Parameters<typeof startTestApp>[0]['providers']>,
    prepare?: (app: TestApp['app']) => void,
  ): Promise<TestApp> {
    running = await startTestApp(
      {
        imports: [TenancyModule.forRoot(notesOptions(database)), TenancyModule.forFeature([Note])],
        controllers: [NotesController],
        providers: [SecretGuard, WitnessInterceptor, WitnessPipe, ...providers],
      },
      { adapter: adapter(), prepare },
    );
    return running;
  }

  const ask = (path: string, headers: Record<string, string> = {}) =>
    rawRequest(running.url, path, { headers });

  describe.each([
    ['APP_GUARD', () => start([{ provide: APP_GUARD, useExisting: SecretGuard }])],
    ['useGlobalGuards()', () => start([], (app) => void app.useGlobalGuards(app.get(SecretGuard)))],
  ])('a guard of yours by %s', (way, startApp) => {
    it('decides by the rows of the request’s tenant', async () => {
      await startApp();
      for (const slug of ['acme', 'globex']) {
        await expect(ask('/notes', { 'x-tenant-id': slug, secret: slug })).resolves.toEqual(
          ok({ slug, notes: 1 }),
        );
      }
      await expect(ask('/notes', { 'x-tenant-id': 'acme', secret: 'globex' })).resolves.toMatchObject({
        status: 401,
      });
      await expect(ask('/notes', { 'x-tenant-id': 'acme' })).resolves.toMatchObject({ status: 401 });
      expect(running.app.get(SecretGuard).ranFor).toEqual(['acme', 'globex', 'acme', 'acme']);
    });

    it('cannot let in who names nobody', async () => {
      await startApp();
      await expect(ask('/notes', { 'x-tenant-id': 'nobody', secret: 'acme' })).resolves.toEqual(
        refusal(404, 'TENANT_NOT_FOUND'),
      );
      await expect(ask('/notes', { secret: 'acme' })).resolves.toEqual(refusal(400, 'TENANT_MISSING'));
      // Before ours it finds no tenant, after ours it is not asked.
      expect(running.app.get(SecretGuard).ranFor).toEqual(way === 'APP_GUARD' ? [undefined, undefined] : []);
    });

    it('runs for nobody on routes that may do without a tenant', async () => {
      await startApp();
      await expect(ask('/free')).resolves.toEqual(ok({ tenant: null }));
      await expect(ask('/optional')).resolves.toEqual(ok({ slug: null }));
      expect(running.app.get(SecretGuard).ranFor).toEqual([undefined, undefined]);
    });
  });

  it('a pipe of yours reads the rows of the request’s tenant, and of no other', async () => {
    await start([]);
    await running.get('/notes', 'acme');
    for (const slug of ['acme', 'globex']) {
      await expect(running.get('/notes/1', slug)).resolves.toEqual(ok({ slug, text: slug }));
      await expect(running.get('/notes/2', slug)).resolves.toMatchObject({ status: 404 });
    }
    await expect(running.get('/notes/1')).resolves.toEqual(refusal(400, 'TENANT_MISSING'));
  });

  it.each([
    ['APP_PIPE', () => start([{ provide: APP_PIPE, useExisting: WitnessPipe }])],
    ['useGlobalPipes()', () => start([], (app) => void app.useGlobalPipes(app.get(WitnessPipe)))],
  ])(
    'a global pipe of yours, by %s, runs for the tenant, and not at all for nobody',
    async (_way, startApp) => {
      await startApp();
      await running.get('/notes?text=tea', 'acme');
      await running.get('/notes/1', 'globex');
      await running.get('/notes?text=tea', 'nobody');
      await running.get('/notes?text=tea');
      expect(running.app.get(WitnessPipe).seen).toEqual([
        ['acme', { text: 'tea' }],
        ['globex', '1'],
      ]);
    },
  );

  it.each([
    ['APP_PIPE', (pipe: ValidationPipe) => start([{ provide: APP_PIPE, useValue: pipe }])],
    ['useGlobalPipes()', (pipe: ValidationPipe) => start([], (app) => void app.useGlobalPipes(pipe))],
  ])('the strictest ValidationPipe, by %s, leaves the tenant as it is', async (_way, startApp) => {
    const strict = { transform: true, whitelist: true, forbidNonWhitelisted: true };
    await startApp(
      new ValidationPipe({ ...strict, forbidUnknownValues: true, validateCustomDecorators: true }),
    );
    await expect(running.get('/notes?text=acme', 'acme')).resolves.toEqual(ok({ slug: 'acme', notes: 1 }));
    await expect(running.get('/notes?other=acme', 'acme')).resolves.toMatchObject({ status: 400 });
    await expect(running.get('/notes?other=acme', 'nobody')).resolves.toEqual(
      refusal(404, 'TENANT_NOT_FOUND'),
    );
    await expect(running.get('/optional')).resolves.toEqual(ok({ slug: null }));
  });

  it.each([
    ['APP_INTERCEPTOR', () => start([{ provide: APP_INTERCEPTOR, useExisting: WitnessInterceptor }])],
    [
      'useGlobalInterceptors()',
      () => start([], (app) => void app.useGlobalInterceptors(app.get(WitnessInterceptor))),
    ],
  ])(
    'an interceptor of yours, by %s, runs for the tenant before and after the handler',
    async (_way, startApp) => {
      await startApp();
      const slugs = Array.from({ length: 20 }, (_, i) => ['acme', 'globex'][i % 2]);
      const answers = await Promise.all(slugs.map((slug) => running.get('/notes', slug)));
      expect(answers).toEqual(
        slugs.map((slug) => ok({ answer: { slug, notes: 1 }, notes: 1, before: slug, after: slug })),
      );
      await expect(running.get('/free', 'acme')).resolves.toEqual(ok({ answer: { tenant: null } }));
    },
  );
});
