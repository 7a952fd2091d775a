import { Option } from 'nest-commander';
import { jsonObject } from '../option-values';
import { AuditedCommand, type AuditedOptions } from './audited-command';

export interface NewTenantOptions extends AuditedOptions {
  readonly name?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly domain?: readonly string[];
}

export interface PlacedTenantOptions extends NewTenantOptions {
  readonly server?: string;
}

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

/** The same, where it is for the caller to say on which server. */
export abstract class PlacedTenantCommand<
  Options extends PlacedTenantOptions = PlacedTenantOptions,
> extends NewTenantCommand<Options> {
  @Option({ flags: '--server <name>', description: 'where it lives (default: as the option placement says)' })
  parseServer(server: string): string {
    return server;
  }
}

export function placeIn({ server }: PlacedTenantOptions): { place?: { server: string } } {
  return server === undefined ? {} : { place: { server } };
}

export function detailsOf({ name, metadata, domain }: NewTenantOptions) {
  return { name, metadata, domains: domain };
}
