import { Option } from 'nest-commander';
import { type Isolation, ISOLATIONS } from '../../placement/place';
import { jsonObject, oneOf } from '../option-values';
import { AuditedCommand, type AuditedOptions } from './audited-command';

export interface NewTenantOptions extends AuditedOptions {
  readonly name?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly domain?: readonly string[];
}

/** Where a tenant is to live. What is left out is as the option `placement` says. */
export interface PlaceOptions {
  readonly server?: string;
  readonly isolation?: Isolation;
}

export type PlacedTenantOptions = NewTenantOptions & PlaceOptions;

/** A command that makes a tenant, from whatever its schema is made. */
export abstract class NewTenantCommand<
  Options extends NewTenantOptions = NewTenantOptions,
> extends AuditedCommand<Options> {
  @Option({ flags: '--name <text>', description: 'what it is called (default: the slug)' })
  parseName(name: string): string {
    return name;
  }

  @Option({ flags: '--metadata <json>', description: 'a JSON object of at most 16 kB' })
  parseMetadata(metadata: string): Record<string, unknown> {
    return jsonObject('--metadata', metadata);
  }

  @Option({ flags: '--domain <host>', description: 'a domain; may be repeated' })
  parseDomain(domain: string, domains: readonly string[] = []): readonly string[] {
    return [...domains, domain];
  }
}

export const ISOLATION_OPTION = {
  flags: '--isolation <isolation>',
  description: 'in a schema, or in a database of its own (default: as the option placement says)',
  choices: [...ISOLATIONS],
};

export function isolationOf(isolation: string): string {
  return oneOf('--isolation', isolation, ISOLATIONS);
}

/** The same, where it is for the caller to say where it lives. */
export abstract class PlacedTenantCommand<
  Options extends PlacedTenantOptions = PlacedTenantOptions,
> extends NewTenantCommand<Options> {
  @Option({ flags: '--server <name>', description: 'where it lives (default: as the option placement says)' })
  parseServer(server: string): string {
    return server;
  }

  @Option({ ...ISOLATION_OPTION })
  parseIsolation(isolation: string): string {
    return isolationOf(isolation);
  }
}

export function placeIn({ server, isolation }: PlaceOptions): { place: PlaceOptions } {
  return { place: { server, isolation } };
}

export function detailsOf({ name, metadata, domain }: NewTenantOptions) {
  return { name, metadata, domains: domain };
}
