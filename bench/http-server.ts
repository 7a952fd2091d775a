import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { httpApps } from './http-apps';
import type { Adapter, HttpServerMessage, HttpVariant } from './http-contract';

/** Serves one variant until it is killed, or until the process that asked for it is gone. */
async function main(adapter: Adapter, variant: HttpVariant): Promise<void> {
  const appModule = await httpApps[variant]();
  const options = { logger: ['error', 'warn'] as ('error' | 'warn')[] };
  const app: INestApplication = await (adapter === 'express'
    ? NestFactory.create(appModule, options)
    : NestFactory.create(appModule, new FastifyAdapter(), options));
  await app.listen(0, '127.0.0.1');
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    tell({ cpuMicros: user + system });
  });
  tell({ port: (app.getHttpServer() as { address(): AddressInfo }).address().port });
}

function tell(message: HttpServerMessage): void {
  process.send?.(message);
}

process.on('disconnect', () => process.exit());
const [adapter, variant] = process.argv.slice(2);
main(adapter as Adapter, variant as HttpVariant).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
