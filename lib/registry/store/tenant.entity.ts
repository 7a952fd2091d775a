import { Column, Entity, PrimaryColumn } from 'typeorm';
import { DEFAULT_PLACE, type Isolation } from '../../placement/place';
import type { TenantStatus } from '../tenant';

/**
 * The status of a tombstone: the row that is left of a purged tenant, so that its id and its schema's name are never
 * reused.
 */
export const PURGED = 'purged';

/** A row of the registry. Its indexes and checks are in the migrations, which alone make the table. */
@Entity({ name: 'tenants' })
export class TenantEntity {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ type: 'text' })
  slug!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ name: 'schema_name', type: 'text' })
  schemaName!: string;

  /** See `Place`. */
  @Column({ type: 'text', default: DEFAULT_PLACE.server })
  server!: string;

  @Column({ type: 'text', default: DEFAULT_PLACE.isolation })
  isolation!: Isolation;

  @Column({ type: 'text' })
  status!: TenantStatus | typeof PURGED;

  @Column({ name: 'status_reason', type: 'text', nullable: true })
  statusReason!: string | null;

  @Column({ name: 'deleted_from', type: 'text', nullable: true })
  deletedFrom!: TenantStatus | null;

  @Column({ type: 'jsonb' })
  metadata!: Record<string, unknown>;

  @Column({ name: 'template_version', type: 'text', nullable: true })
  templateVersion!: string | null;

  @Column({ name: 'schema_version', type: 'text', nullable: true })
  schemaVersion!: string | null;

  @Column({ type: 'integer', default: 1 })
  version!: number;

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3, default: () => 'now()' })
  createdAt!: Date;

  @Column({ name: 'updated_at', type: 'timestamptz', precision: 3, default: () => 'now()' })
  updatedAt!: Date;
}
