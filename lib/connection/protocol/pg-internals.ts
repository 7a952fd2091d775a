import type { Duplex } from 'node:stream';
import {
  type Client,
  Query,
  type ClientConfig,
  type QueryConfig,
  type QueryResult,
  type TypeOverrides,
} from 'pg';
import { KeepingClient } from '../../common/kept-commits';

/**
 * The parts of node-postgres that its type definitions leave out and this folder needs. They are the ones that
 * cursors, query streams and COPY streams, which are published apart from pg, are written against.
 */
export interface WireConnection {
  readonly stream: Pick<Duplex, 'write' | 'writable' | 'listenerCount' | 'destroy'>;
  /** Texts of the named statements that the session has prepared, by name. */
  readonly parsedStatements: Record<string, string | undefined>;
  /** Of those that it has been sent and has not answered yet. Older versions of pg do without. */
  readonly submittedNamedStatements?: Record<string, string | undefined>;
  query(text: string): void;
  sync(): void;
  close(what: { readonly type: 'S'; readonly name: string }): void;
  sendCopyFail(reason: string): void;
  on(event: 'parameterStatus', listener: (status: ParameterStatus) => void): unknown;
  removeListener(event: string, listener: () => void): void;
}

/** A parameter of the session, as the server tells it when it connects and whenever it changes. */
export interface ParameterStatus {
  readonly parameterName: string;
  readonly parameterValue: string;
}

export type QueryCallback = (error: Error | null | undefined, result: QueryResult) => void;

/** `pg.Query`, told in full. */
export interface WireQuery {
  text: string;
  name?: string;
  callback?: QueryCallback;
  query_timeout?: number;
  submit(connection: WireConnection): Error | null;
  prepare(connection: WireConnection): void;
  /** Whether it has a name that the session knows, or has been sent. */
  hasBeenParsed(connection: WireConnection): unknown;
  requiresPreparation(): boolean;
  handleCopyInResponse(connection: WireConnection): void;
  handleError(error: Error, connection: WireConnection): void;
  handleReadyForQuery(connection: WireConnection): void;
}

export const BaseQuery = Query as unknown as new (
  config: string | QueryConfig,
  values?: unknown,
  callback?: unknown,
) => WireQuery;

/** `pg.Client`, told in full. */
export interface WireClient extends Omit<Client, 'connection' | 'query'> {
  readonly connection: WireConnection;
  readonly _activeQuery?: unknown;
  readonly _queryQueue: unknown[];
  /** False once the connection has failed. */
  _queryable: boolean;
  /** False from the moment a statement is sent until its ReadyForQuery has arrived. */
  readonly readyForQuery?: boolean;
  _types: TypeOverrides;
  query(query: object): unknown;
  _handleParseComplete(): void;
  _handleRowDescription(message: unknown): void;
  _handleDataRow(message: unknown): void;
  _handleCommandComplete(message: unknown): void;
  _handleErrorMessage(message: unknown): void;
  _handleErrorEvent(error: Error): void;
  _handleReadyForQuery(message: unknown): void;
  _pulseQueryQueue(): void;
  _errorAllQueries(error: Error): void;
}

export const BaseClient = KeepingClient as unknown as new (config?: ClientConfig) => WireClient;
