import { ApolloDriver } from '@nestjs/apollo';
import type { GqlModuleOptions } from '@nestjs/graphql';
import { MercuriusDriver } from '@nestjs/mercurius';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';

/** A server of GraphQL, and the platform that it runs on. */
export type GraphqlServer = readonly [
  name: string,
  adapter: () => ExpressAdapter | FastifyAdapter,
  driver: GqlModuleOptions['driver'],
];

export const GRAPHQL_SERVERS: readonly GraphqlServer[] = [
  ['Apollo on Express', () => new ExpressAdapter(), ApolloDriver],
  ['Apollo on Fastify', () => new FastifyAdapter(), ApolloDriver],
  ['Mercurius', () => new FastifyAdapter(), MercuriusDriver],
];
