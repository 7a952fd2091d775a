import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { checkArguments } from '../../common/options/check-options';
import { anything, text, versions } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';
import type { SqlExecutor } from '../../common/sql';
import { uuidV7 } from '../../common/uuid-v7';
import { ActorAndReason, checkActorAndReason } from '../../provisioning/tenant-input';
import { isUuid } from '../../registry/claim';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { inRegistry } from '../../registry/store/registry-transaction';
import { WebhookClient } from '../client/webhook-client';
import { WebhookEndpointNotFoundError } from '../deliveries/deliveries.errors';
import { DeliveryRows } from '../deliveries/delivery-rows';
import { DeliveryWorker } from '../deliveries/delivery-worker';
import { WebhookSecrets } from '../secrets/webhook-secrets';
import type { ShownWebhookEndpoint, WebhookEndpoint } from '../webhook-endpoint';
import { WebhookEndpointLimitError, WebhookEndpointVersionError } from '../webhooks.errors';
import { type CheckedWebhooksOptions, WEBHOOKS_OPTIONS } from '../webhooks.options';
import { type EndpointEvent, EndpointRows, type EndpointValues } from './endpoint-rows';
import {
  checkEndpoint,
  checkEndpointPatch,
  checkSecretOverlap,
  type WebhookEndpointInput,
  type WebhookEndpointPatch,
} from './webhook-input';

export class WebhookEndpointChangeOptions extends ActorAndReason {
  /** The change is made only if the endpoint has one of these versions; else `WebhookEndpointVersionError`. */
  @Option(versions())
  readonly ifVersion?: readonly number[];
}

export class CreateWebhookEndpointOptions extends ActorAndReason {
  /** A UUID of version 7. If an endpoint with this id exists, it gets a new secret. Default: a new id. */
  @Option(text('give a UUID of version 7', isUuid))
  readonly id?: string;
}

export class RotateWebhookSecretOptions extends WebhookEndpointChangeOptions {
  /** How long the old secret signs as well, in milliseconds from 0 to 7 days. Default: `secretOverlapMs`. */
  @Option(anything<number>())
  readonly overlapMs?: number;
}

type Change = (endpoint: WebhookEndpoint, transaction: SqlExecutor) => Promise<WebhookEndpoint>;

/**
 * Where tenants want to be told of their events. Each change leaves an event in the tenant's trail, with its actor and its
 * reason, in the same transaction; when an endpoint already has the wanted state, nothing is changed or recorded.
 *
 * All methods throw `TenancyUnavailableError`. Those that change an endpoint throw `WebhookEndpointNotFoundError`,
 * `WebhookEndpointVersionError` (see `ifVersion`) and `ValidationFailedError`. None of them checks whether the tenant exists.
 */
@Injectable()
export class WebhookEndpoints {
  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly rows: EndpointRows,
    private readonly secrets: WebhookSecrets,
    private readonly client: WebhookClient,
    private readonly deliveries: DeliveryRows,
    private readonly worker: DeliveryWorker,
    @Inject(WEBHOOKS_OPTIONS) private readonly options: CheckedWebhooksOptions,
  ) {}

  /**
   * Makes an endpoint and returns it with its secret, which cannot be read again.
   *
   * @throws WebhookEndpointLimitError when the tenant has `maxEndpointsPerTenant`
   */
  async create(
    tenantId: string,
    input: WebhookEndpointInput,
    options: CreateWebhookEndpointOptions = {},
  ): Promise<ShownWebhookEndpoint> {
    const given = checkArguments('WebhookEndpoints.create()', CreateWebhookEndpointOptions, options);
    const { id = uuidV7(), actor, reason } = given;
    checkActorAndReason({ actor, reason });
    const values = checkEndpoint(input, this.client);
    const { maxEndpointsPerTenant } = this.options;
    return inRegistry(this.registry, async (transaction) => {
      const others = await this.rows.countOthers(transaction, tenantId, id);
      if (others >= maxEndpointsPerTenant) throw new WebhookEndpointLimitError(maxEndpointsPerTenant);
      const endpoint = await this.rows.insert(transaction, tenantId, id, values);
      if (!endpoint) throw new WebhookEndpointNotFoundError();
      const secret = await this.secrets.renew(transaction, id, 0);
      const data = { types: endpoint.types, reason };
      await this.rows.record(transaction, endpoint, { type: 'webhook.created', actor, data });
      return { ...endpoint, secret };
    });
  }

  /** @throws WebhookEndpointNotFoundError when the tenant has no such endpoint */
  get(tenantId: string, id: string): Promise<WebhookEndpoint> {
    return inRegistry(this.registry, (transaction) => this.#find(transaction, tenantId, id));
  }

  /** In the order of their creation. `limit` is an integer from 1. */
  list(
    tenantId: string,
    { limit, afterId }: { limit: number; afterId?: string },
  ): Promise<WebhookEndpoint[]> {
    return inRegistry(this.registry, (transaction) => this.rows.list(transaction, tenantId, limit, afterId));
  }

  /** Changes the fields that the patch names. One that is enabled again gets what was kept for it meanwhile. */
  async update(
    tenantId: string,
    id: string,
    patch: WebhookEndpointPatch,
    options: WebhookEndpointChangeOptions = {},
  ): Promise<WebhookEndpoint> {
    const given = checkArguments('WebhookEndpoints.update()', WebhookEndpointChangeOptions, options);
    const wanted = checkEndpointPatch(patch, this.client);
    const changed = await this.#change(tenantId, id, given, async (endpoint, transaction) => {
      const values = differences(endpoint, wanted, given.reason);
      if (Object.keys(values).length === 0) return endpoint;
      const after = await this.rows.update(transaction, endpoint, values);
      await this.rows.record(transaction, after, eventOf(wanted, values, given));
      return after;
    });
    // What is due was put off for as long as nothing was sent.
    if (wanted.status === 'enabled' || wanted.url !== undefined) {
      await this.deliveries.release({ endpointIds: [changed.id] });
      this.worker.wake();
    }
    return changed;
  }

  /** Gives the endpoint a new secret. The old one signs as well for a while; of more than three, the oldest ends at once. */
  async rotateSecret(
    tenantId: string,
    id: string,
    options: RotateWebhookSecretOptions = {},
  ): Promise<ShownWebhookEndpoint> {
    const given = checkArguments('WebhookEndpoints.rotateSecret()', RotateWebhookSecretOptions, options);
    const { overlapMs = this.options.secretOverlapMs, actor, reason } = given;
    checkSecretOverlap(overlapMs);
    let secret = '';
    const changed = await this.#change(tenantId, id, given, async (endpoint, transaction) => {
      secret = await this.secrets.renew(transaction, endpoint.id, overlapMs);
      const after = await this.rows.update(transaction, endpoint, {});
      const data = { overlapMs, reason };
      await this.rows.record(transaction, after, { type: 'webhook.secret-rotated', actor, data });
      return after;
    });
    return { ...changed, secret };
  }

  /** Removes it, with its secrets and all that was kept of its deliveries. Nothing more is sent there. */
  async delete(
    tenantId: string,
    id: string,
    options: WebhookEndpointChangeOptions = {},
  ): Promise<WebhookEndpoint> {
    const given = checkArguments('WebhookEndpoints.delete()', WebhookEndpointChangeOptions, options);
    return this.#change(tenantId, id, given, async (endpoint, transaction) => {
      await this.rows.remove(transaction, endpoint);
      const { actor, reason } = given;
      await this.rows.record(transaction, endpoint, { type: 'webhook.deleted', actor, data: { reason } });
      return endpoint;
    });
  }

  /** With options that are checked already. */
  async #change(
    tenantId: string,
    id: string,
    { ifVersion, actor, reason }: WebhookEndpointChangeOptions,
    change: Change,
  ): Promise<WebhookEndpoint> {
    checkActorAndReason({ actor, reason });
    return inRegistry(this.registry, async (transaction) => {
      const endpoint = await this.#find(transaction, tenantId, id, true);
      if (ifVersion && !ifVersion.includes(endpoint.version)) throw new WebhookEndpointVersionError();
      return change(endpoint, transaction);
    });
  }

  async #find(
    transaction: SqlExecutor,
    tenantId: string,
    id: string,
    lock = false,
  ): Promise<WebhookEndpoint> {
    const endpoint = isUuid(id) ? await this.rows.find(transaction, tenantId, id, lock) : undefined;
    if (!endpoint) throw new WebhookEndpointNotFoundError();
    return endpoint;
  }
}

/** The columns that a change has to set. A receiver at another URL has not failed yet. */
function differences(
  endpoint: WebhookEndpoint,
  { url, types, description, status }: WebhookEndpointPatch,
  reason: string | undefined,
): EndpointValues {
  const isMoved = url !== undefined && url !== endpoint.url;
  const isSwitched = status !== undefined && status !== endpoint.status;
  return {
    ...(isMoved ? { url } : {}),
    ...(types === undefined || isSame(types, endpoint.types) ? {} : { types }),
    ...(description === undefined || description === endpoint.description ? {} : { description }),
    ...(isSwitched
      ? { status, disabled_reason: status === 'disabled' ? (reason ?? 'It was disabled on request.') : null }
      : {}),
    ...(isMoved || (isSwitched && status === 'enabled') ? { first_failed_at: null } : {}),
  };
}

/** One event for each change. A switch is told as such. */
function eventOf(
  { status }: WebhookEndpointPatch,
  values: EndpointValues,
  { actor, reason }: ActorAndReason,
): EndpointEvent {
  const fields = Object.keys(values).filter((field) => ['url', 'types', 'description'].includes(field));
  const type = values.status === undefined ? 'webhook.updated' : `webhook.${status}`;
  return { type, actor, data: { ...(fields.length > 0 ? { fields } : {}), reason } };
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}
