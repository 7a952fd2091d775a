import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Client } from 'pg';
import { QueryFailedError } from 'typeorm';
import { isOutage } from './outage';
import { TenancyUnavailableError } from './tenancy.errors';

const withFields = (fields: object, message = 'some message') => Object.assign(new Error(message), fields);

describe('an outage', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
    'ENOTFOUND',
    'EPIPE',
    '08000',
    '08006',
    '57P01',
    '57P02',
    '57P03',
    '53300',
  ])('is an error with the code %s', (code) => {
    expect(isOutage(withFields({ code }))).toBe(true);
  });

  it.each([
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'timeout expired',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Cannot use a pool after calling end on the pool',
    'Driver not Connected',
  ])('is the error "%s"', (message) => {
    expect(isOutage(new Error(message))).toBe(true);
  });

  it('is found inside a failed query, a cause, or the addresses of a host', () => {
    const refused = withFields({ code: 'ECONNREFUSED' });
    expect(isOutage(new QueryFailedError('SELECT 1', [], refused))).toBe(true);
    expect(isOutage(new Error('wrapped', { cause: new Error('twice', { cause: refused }) }))).toBe(true);
    expect(isOutage(new AggregateError([new Error('other'), refused]))).toBe(true);
    expect(isOutage(new TenancyUnavailableError('The tenant registry'))).toBe(true);
  });

  it('is what pg says of a port where nothing listens', async () => {
    const server = createServer().listen(0);
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    for (const host of ['127.0.0.1', 'localhost']) {
      const error = await new Client({ host, port }).connect().catch((reason: unknown) => reason);
      expect(isOutage(error)).toBe(true);
    }
  });

  it('is what pg says of a Unix socket that is not there, and not of another file', async () => {
    const error = await new Client({ host: '/nowhere', port: 1 })
      .connect()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ENOENT' });
    expect(isOutage(error)).toBe(true);
    expect(isOutage(withFields({ code: 'ENOENT', syscall: 'open' }))).toBe(false);
  });

  it('is a protocol violation only when it is fatal: so PgBouncer refuses a connection', () => {
    expect(isOutage(withFields({ code: '08P01', severity: 'FATAL' }))).toBe(true);
    expect(isOutage(withFields({ code: '08P01', severity: 'ERROR' }))).toBe(false);
  });
});

describe('no outage', () => {
  it.each(['23505', '42P01', '42601', '40001', '57014', '28P01', '3D000', 'ERR_INVALID_ARG_TYPE', ''])(
    'is an error with the code %j',
    (code) => {
      expect(isOutage(withFields({ code }))).toBe(false);
    },
  );

  it('is a message that only speaks of one', () => {
    expect(isOutage(new Error('invalid input: "Connection terminated"'))).toBe(false);
    expect(isOutage(withFields({ code: '22P02' }, 'Connection terminated'))).toBe(false);
  });

  it.each([undefined, null, 'ECONNREFUSED', 42, {}, [], new Error('any')])('is %p', (value) => {
    expect(isOutage(value)).toBe(false);
  });

  it('is an error that is its own cause', () => {
    const error = new Error('any');
    error.cause = error;
    expect(isOutage(error)).toBe(false);
  });
});
