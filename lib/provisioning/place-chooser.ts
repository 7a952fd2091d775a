import { Inject, Injectable } from '@nestjs/common';
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection/connection.options';
import { Servers } from '../connection/servers/servers';
import { DEFAULT_SERVER, type Isolation, ISOLATIONS, type Place } from '../placement/place';
import { PlaceNotPossibleError } from '../placement/placement.errors';
import { isPlainObject, kind } from '../common/options/kinds';
import { show } from '../common/show-value';
import { type NewTenantDraft, PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';

/** A place as callers ask for it: what is left out is as the option `placement` says. */
export type PlaceRequest = Partial<Place>;

/** The option with which callers ask for a place. */
export function placeRequest() {
  return kind<PlaceRequest>(
    "give { server, isolation: 'schema' | 'database' }, or a part of it",
    isPlainObject,
  );
}

/** Decides where a new tenant lives. */
@Injectable()
export class PlaceChooser {
  constructor(
    private readonly servers: Servers,
    @Inject(CONNECTION_OPTIONS) private readonly connection: ConnectionOptions,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * The place of a new tenant: what was asked for, else what `placement.of` says, else `placement.default`.
   *
   * @throws PlaceNotPossibleError
   */
  choose(draft: NewTenantDraft, asked: PlaceRequest = {}): Place {
    const { of, default: standard } = this.options.placement;
    const place = {
      ...standard,
      ...given(of?.(draft), 'placement.of gave'),
      ...given(asked, 'The place is'),
    };
    this.#require(place);
    return { server: place.server, isolation: place.isolation };
  }

  #require({ server, isolation }: Place): void {
    if (!this.servers.names.includes(server))
      throw new PlaceNotPossibleError(
        `No server is called ${show(server)}. Name one of the option servers, or ${show(DEFAULT_SERVER)}.`,
      );
    if (server !== DEFAULT_SERVER && this.connection.servers[server].open === false)
      throw new PlaceNotPossibleError(
        `The server ${show(server)} takes no new tenants: servers.${server}.open is false. Choose another.`,
      );
    if (!(ISOLATIONS as readonly Isolation[]).includes(isolation))
      throw new PlaceNotPossibleError(
        `${show(isolation)} is no isolation: say ${ISOLATIONS.map((each) => show(each)).join(' or ')}.`,
      );
  }
}

const FIELDS: readonly string[] = ['server', 'isolation'];

/** What was not understood must not lead to another place: somebody's rows may have to stay in one country. */
function given(place: unknown, what: string): PlaceRequest {
  if (place === undefined || place === null) return {};
  // It may reject, and nobody else would hear of that.
  if (place instanceof Promise) place.catch(() => undefined);
  if (
    !isPlainObject(place) ||
    place instanceof Promise ||
    !Object.keys(place).every((key) => FIELDS.includes(key))
  )
    throw new PlaceNotPossibleError(
      `${what} ${show(place)}: say { server, isolation }, or a part of it, and not by a promise.`,
    );
  return Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined));
}
