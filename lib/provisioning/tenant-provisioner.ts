import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { checkArguments } from '../common/options/check-options';
import { anything, flag, isPlainObject, kind, text } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { uuidV7 } from '../common/uuid-v7';
import { generateSchemaName } from '../registry/schema-name';
import { placeOf } from '../placement/place';
import { PlaceNotPossibleError } from '../placement/placement.errors';
import type { Tenant } from '../registry/tenant';
import { isUuid } from '../registry/claim';
import { proveDomains } from './domains/domain-proof';
import { OpenMoves } from './open-moves';
import { PlaceChooser, placeRequest, type PlaceRequest } from './place-chooser';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { SchemaAdoption } from './schema-adoption';
import { SpareRefill } from './spares/spare-refill';
import { Spares } from './spares/spares';
import { replayInto } from './template/rows-across';
import { Template } from './template/template';
import type { Mask } from './template/template-data';
import { TemplateMigrator } from './template-migrator';
import { TenantCopy } from './tenant-copy';
import {
  type ActorAndReason,
  checkActorAndReason,
  checkNewTenant,
  type TenantRequestedBy,
} from './tenant-input';
import type { Draft, HomePlan } from './homes/tenant-home';
import { NewTenantOptions, TenantMaker } from './tenant-maker';

/** Further options for a new tenant. */
export type TenantDetails = Omit<TenantRequestedBy, 'slug'>;

export class CreateTenantOptions extends NewTenantOptions {
  /** A UUID of version 7 that was never used. Default: a new one. */
  @Option(text('give a UUID of version 7', isUuid))
  readonly id?: string;

  /** Where it is to live. Default: as the option `placement` says. */
  @Option(placeRequest())
  readonly place?: PlaceRequest;
}

class DetailedTenantOptions extends NewTenantOptions implements TenantDetails {
  /** 1 to 200 characters. Default: the slug. */
  @Option(anything<string>())
  readonly name?: string;

  /** A JSON object of at most 16 kB. Default: `{}`. */
  @Option(anything<Readonly<Record<string, unknown>>>())
  readonly metadata?: Readonly<Record<string, unknown>>;

  /** At most 50 host names; kept in lower case and punycode. Default: none. */
  @Option(anything<readonly string[]>())
  readonly domains?: readonly string[];
}

export class CloneOptions extends DetailedTenantOptions {
  /** What the copy's columns hold instead of the source's values. Default: all is copied as it is. */
  @Option(kind<Mask>('give values by the names of tables and columns', isMask))
  readonly mask?: Mask;
}

export class AdoptOptions extends DetailedTenantOptions {
  /** Adopt it although it differs from the template. Default false. */
  @Option(flag())
  readonly force?: boolean;

  /** Where the schema is. Default: as the option `placement` says. */
  @Option(placeRequest())
  readonly place?: PlaceRequest;
}

/** The body of the admin API has the place beside the slug; here it would be passed over, and the tenant made elsewhere. */
function requireNoPlace(input: TenantRequestedBy): void {
  if ((input as { place?: unknown } | undefined)?.place === undefined) return;
  throw new PlaceNotPossibleError(
    'The place of a new tenant is an option: create({ slug }, { place: { server } }), not create({ slug, place }).',
  );
}

function isMask(value: unknown): boolean {
  return isPlainObject(value) && Object.values(value).every(isPlainObject);
}

/**
 * Makes tenants: a row in the registry and a schema, both or neither.
 *
 * All throw `ValidationFailedError`, `TenantSlugReservedError`, `TenantSlugTakenError`, `DomainTakenError`,
 * `ProvisionHookFailedError`, `ProvisioningFailedError`, `TenancyUnavailableError` and what `within` throws; nothing is
 * left then. With the option `domainProof` also `DomainNotProvenError` for domains, which nobody can prove before the
 * tenant is there.
 */
@Injectable()
export class TenantProvisioner {
  constructor(
    private readonly maker: TenantMaker,
    private readonly template: Template,
    private readonly spares: Spares,
    private readonly refill: SpareRefill,
    private readonly copy: TenantCopy,
    private readonly adoption: SchemaAdoption,
    private readonly moves: OpenMoves,
    private readonly places: PlaceChooser,
    private readonly templates: TemplateMigrator,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * A new active tenant with a clone of the template: a spare, if one is waiting. With the option `domainProof` it may
   * have domains that were proven for the `id` that it is given.
   */
  async create(input: TenantRequestedBy, options: CreateTenantOptions = {}): Promise<Tenant> {
    const by = checkArguments('TenantProvisioner.create()', CreateTenantOptions, options);
    requireNoPlace(input);
    const draft = this.#draft(input, by, by);
    await proveDomains(this.options.domainProof, draft, { isIdChosen: by.id !== undefined });
    await this.templates.prepare(draft.place.server);
    const plan = (manager: EntityManager) => this.#takeOrClone(manager, draft);
    const tenant = await this.maker.make(draft, plan, { ...by, origin: 'create' });
    const { count, databases } = this.options.spares;
    if (count > 0 || databases > 0) this.refill.start();
    return tenant;
  }

  /**
   * A new active tenant with the structure and the rows of another one, as they were at one moment, however busy the
   * source is. `mask` says what to put in the place of values that must not leave it.
   *
   * @throws TenantNotFoundError, InvalidTransitionError when the source is neither active nor suspended
   * @throws SchemaNotCloneableError, UnknownTableError for a mask of what is not there
   */
  async clone(source: string, slug: string, options: CloneOptions = {}): Promise<Tenant> {
    const given = checkArguments('TenantProvisioner.clone()', CloneOptions, options);
    const { mask, actor, reason, within, ...details } = given;
    const from = await this.copy.prepare(source);
    const draft = { ...this.#draft({ ...details, slug }, { actor, reason }), place: placeOf(from.tenant) };
    await proveDomains(this.options.domainProof, draft, { isIdChosen: false });
    const plan = (manager: EntityManager) => this.copy.plan(manager, from, draft.schemaName, mask);
    const copied = { from: from.tenant, isMasked: mask !== undefined };
    const by = { actor, reason, within, origin: 'clone', copied } as const;
    return this.moves.overtaken(from.tenant, 'be cloned', () =>
      this.maker.make(draft, plan, { ...by, isolation: 'REPEATABLE READ' }),
    );
  }

  /**
   * A new active tenant with a schema that is there already, under the name that it has.
   *
   * @throws SchemaNotAdoptableError, SchemaNameTakenError, SchemaDiffersError telling how it differs from the template
   */
  async adopt(schemaName: string, slug: string, options: AdoptOptions = {}): Promise<Tenant> {
    const given = checkArguments('TenantProvisioner.adopt()', AdoptOptions, options);
    const { force = false, actor, reason, within, place, ...details } = given;
    const draft = { ...this.#draft({ ...details, slug }, { actor, reason }, { place }), schemaName };
    await proveDomains(this.options.domainProof, draft, { isIdChosen: false });
    await this.templates.prepare(draft.place.server);
    this.adoption.check(schemaName);
    if (draft.place.isolation !== 'schema')
      throw new PlaceNotPossibleError(
        "A schema is adopted where it is, in the main database of its server. Say isolation: 'schema'; to bring its rows into a " +
          'database of its own, export the tenant and import it there.',
      );
    const plan = (manager: EntityManager) => this.adoption.plan(manager, schemaName, force);
    return this.maker.make(draft, plan, { actor, reason, within, origin: 'adopt' });
  }

  #draft(
    input: TenantRequestedBy,
    by: ActorAndReason,
    { id = uuidV7(), place }: Pick<CreateTenantOptions, 'id' | 'place'> = {},
  ): Draft {
    checkActorAndReason(by);
    const { reservedSlugs, wildcardDomains } = this.options;
    const wanted = { ...checkNewTenant(input, reservedSlugs, wildcardDomains), id };
    return { ...wanted, schemaName: generateSchemaName(), place: this.places.choose(wanted, place) };
  }

  async #takeOrClone(manager: EntityManager, { schemaName, place }: Draft): Promise<HomePlan> {
    await this.template.lockShared(manager);
    const { blueprint, version, schemaVersion } = await this.template.current(manager);
    const templateVersion = blueprint.fingerprint;
    const spare = await this.spares.take(manager, version, place);
    if (spare !== undefined) return { schemaName: spare, templateVersion, schemaVersion };
    const rows = { tables: this.options.templateData };
    const fill = (home: EntityManager) => replayInto(home, manager, blueprint, schemaName, rows);
    return { schemaName, templateVersion, schemaVersion, fill };
  }
}
