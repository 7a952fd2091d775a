import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One host name of a tenant; no two tenants share one. */
@Entity({ name: 'tenant_domains' })
export class TenantDomainEntity {
  @PrimaryColumn({ type: 'text' })
  domain!: string;

  @Column({ name: 'tenant_id', type: 'uuid' })
  tenantId!: string;
}
