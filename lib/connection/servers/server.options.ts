import {
  flag,
  integer,
  isPlainObject,
  kind,
  postgresUrl,
  postgresUrls,
  text,
} from '../../common/options/kinds';
import { problemsOf } from '../../common/options/check-options';
import { Option } from '../../common/options/option.decorator';
import { show } from '../../common/show-value';
import type { FieldError } from '../../common/tenancy.errors';
import { DEFAULT_SERVER, isServerName } from '../../placement/place';

/** A further PostgreSQL server for tenants. What it does not say is as in `database`. */
export class ServerOptions {
  /** Where it is: `postgres://user:password@host/database`. */
  @Option(postgresUrl('give a postgres:// URL'), { required: true })
  readonly url!: string;

  /** As `database.adminUrl`, with `roles`: a URL whose role owns the schemas of the tenants on this server. */
  @Option(postgresUrl('give a postgres:// URL whose role owns the schemas of tenants'))
  readonly adminUrl?: string;

  /** As `database.directUrl`: a URL that leads around a pooler. Default none. */
  @Option(postgresUrl('give a postgres:// URL that leads around the pooler, or leave it out'))
  readonly directUrl?: string;

  /** As `database.databaseTemplate`: the database that tenants' own databases are made from here. */
  @Option(text('give the name of a database'))
  readonly databaseTemplate?: string;

  /** Connections that all tenants of this server share, an integer from 1. Default `database.poolSize`. */
  @Option(integer(1))
  readonly poolSize?: number;

  /**
   * URLs of its replicas, to read from. Default none: the server answers reads itself.
   *
   * @see docs/placement.md#replicas
   */
  @Option(postgresUrls('give a list of postgres:// URLs, each of a replica of that server'))
  readonly replicas?: readonly string[];

  /** Whether new tenants may be made on it. Default true. */
  @Option(flag())
  readonly open?: boolean;
}

/** By the name that tenants' places have. */
export type Servers = Readonly<Record<string, ServerOptions>>;

/** Servers by names that users choose. */
export function servers() {
  return kind<Servers>("give servers by their names: { eu: { url: 'postgres://…' } }", isPlainObject, {
    inside: (value, path) => Object.entries(value as object).flatMap((each) => problemsIn(each, path)),
    // There are passwords in it.
    show: (value) => (Array.isArray(value) ? 'a list' : typeof value === 'string' ? 'a text' : show(value)),
  });
}

function problemsIn([name, server]: [string, unknown], path: string): FieldError[] {
  if (name === DEFAULT_SERVER)
    return [{ field: `${path}.${name}`, message: 'must not be set: it is the server that database names' }];
  if (!isServerName(name)) {
    const rule = 'a name of a server is 1 to 63 characters of a-z, 0-9, _ and -, beginning with a letter';
    return [{ field: path, message: `has ${show(name)}: ${rule}` }];
  }
  return problemsOf(ServerOptions, server, `${path}.${name}`);
}
