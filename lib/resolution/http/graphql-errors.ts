import {
  Injectable,
  InternalServerErrorException,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { QueryFailedError } from 'typeorm';
import { TenancyError } from '../../common/tenancy.errors';
import { getRequestState, type HttpRequest, requestOfGraphql } from '../../context/handler-call';
import { unwrapError } from './client-answer';
import { logFailure } from './log-failure';

type Resolve = (source: unknown, args: unknown, context: unknown, info: unknown) => unknown;

/** As much of a schema of the package `graphql` as is used. */
interface Schema {
  getTypeMap(): Readonly<Record<string, { getFields?(): Readonly<Record<string, Field>> }>>;
}

interface SchemaHost {
  readonly schema: Schema;
}

/** Throws what the server is to be given. */
type Answer = (error: unknown) => never;

interface Field {
  resolve?: Resolve;
  subscribe?: Resolve;
}

/**
 * A GraphQL server sends the message of whatever is thrown, and that of an error of PostgreSQL's holds SQL and values. Nest asks
 * filters neither for the resolvers of fields nor for what a subscription emits, so all that a schema calls is watched.
 */
@Injectable()
export class GraphqlErrors implements OnApplicationBootstrap {
  readonly #logger = new Logger('Tenancy');
  /** What was made here, or told in the log: on its way out an error may come by several times. */
  readonly #answers = new WeakSet<Error>();

  constructor(private readonly discovery: DiscoveryService) {}

  /** By its name: the package need not be there. */
  onApplicationBootstrap(): void {
    for (const { name, instance } of this.discovery.getProviders())
      if (name === 'GraphQLSchemaHost') this.#watch(schemaOf(instance as SchemaHost));
  }

  /** What the server is to be given in the place of what was thrown. */
  answerTo(thrown: TenancyError | QueryFailedError, request: object | undefined): Error {
    const error = unwrapError(thrown);
    if (!(error instanceof TenancyError)) {
      this.#logger.error(error);
      return this.#kept(new InternalServerErrorException('Internal server error', { cause: error }));
    }
    if (this.#answers.has(error)) return error;
    logFailure(this.#logger, error);
    const response = request && getRequestState(request as HttpRequest)?.response;
    if (response && !response.headersSent)
      for (const [name, value] of Object.entries(error.headers ?? {})) response.setHeader(name, value);
    return this.#kept(error.publicMessage === error.message ? error : withoutMessage(error));
  }

  #kept(answer: Error): Error {
    this.#answers.add(answer);
    return answer;
  }

  #watch(schema: Schema | undefined): void {
    for (const type of Object.values(schema?.getTypeMap() ?? {}))
      for (const field of Object.values(type.getFields?.() ?? {})) {
        const { resolve, subscribe } = field;
        if (resolve) field.resolve = this.#around(resolve, (value) => value);
        if (subscribe) field.subscribe = this.#around(subscribe, watchedSource);
      }
  }

  #around(resolve: Resolve, watched: (value: unknown, answer: Answer) => unknown): Resolve {
    return (source, args, context, info) => {
      const answer: Answer = (error) => {
        const isOurs = error instanceof TenancyError || error instanceof QueryFailedError;
        throw isOurs ? this.answerTo(error, requestOfGraphql(context)) : error;
      };
      try {
        const result = resolve(source, args, context, info);
        return isPromise(result)
          ? result.then((value) => watched(value, answer), answer)
          : watched(result, answer);
      } catch (error) {
        return answer(error);
      }
    };
  }
}

/** A driver of another's, such as that of a gateway, may have made none. */
function schemaOf(host: SchemaHost): Schema | undefined {
  try {
    return host.schema;
  } catch {
    return undefined;
  }
}

/** Errors of a source of events come one by one. */
function watchedSource(result: unknown, answer: Answer): unknown {
  if (!isSource(result)) return result;
  const source = result[Symbol.asyncIterator]();
  return {
    next: () => source.next().catch(answer),
    return: (value?: unknown) =>
      source.return?.(value).catch(answer) ?? Promise.resolve({ done: true, value }),
    throw: async (error?: unknown) => {
      if (!source.throw) throw error;
      return source.throw(error).catch(answer);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function';
}

function isSource(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as AsyncIterable<unknown> | undefined | null)?.[Symbol.asyncIterator] === 'function';
}

/** A GraphQL server sends the message of what it is thrown, and its `extensions`; those of an `HttpException` Nest writes anew. */
function withoutMessage(error: TenancyError): Error {
  const { publicMessage, extensions } = error;
  return Object.assign(new Error(publicMessage, { cause: error }), { extensions });
}
