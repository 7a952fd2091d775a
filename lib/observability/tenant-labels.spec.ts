import type { Tenant, TenantClaim } from '../registry/tenant';
import { TenantLabels } from './tenant-labels';

const slugs = new Map<string, string>();
const find = ({ value }: TenantClaim): Promise<Tenant | undefined> => {
  const slug = slugs.get(value);
  return slug === 'away'
    ? Promise.reject(new Error(slug))
    : Promise.resolve(slug ? ({ slug } as Tenant) : undefined);
};
const tenant = (slug: string, id = `id of ${slug}`) => ({ id, slug });

describe('Labels of tenants', () => {
  it('are as many as they may be, and one for all others', () => {
    const labels = new TenantLabels(2, find);
    const given = ['acme', 'globex', 'initech', 'acme', 'umbrella'].map((slug) => labels.note(tenant(slug)));
    expect(given).toEqual(['acme', 'globex', 'other', 'acme', 'other']);
    expect(labels.note(undefined)).toBe('none');
  });

  it('may be none at all', () => {
    const labels = new TenantLabels(0, find);
    expect(labels.note(tenant('acme'))).toBe('other');
    expect(labels.rank()).toEqual([]);
  });

  it('go to those who ask for most, and are taken from others', () => {
    const labels = new TenantLabels(1, find);
    labels.note(tenant('first'));
    for (let i = 0; i < 3; i++) expect(labels.note(tenant('noisy'))).toBe('other');
    expect(labels.rank()).toEqual(['first']);
    expect(labels.note(tenant('noisy'))).toBe('noisy');
    expect(labels.note(tenant('first'))).toBe('other');
    expect(labels.rank()).toEqual([]);
  });

  it('forget by and by who asked for much long ago', () => {
    const labels = new TenantLabels(1, find);
    for (let i = 0; i < 1_000; i++) labels.note(tenant('once'));
    for (let i = 0; i < 12; i++) {
      labels.note(tenant('lately'));
      labels.rank();
    }
    expect(labels.note(tenant('lately'))).toBe('lately');
  });

  it.each(['other', 'none', 'x'.repeat(65)])(
    'are never what means something else, or too long: %s',
    (slug) => {
      expect(new TenantLabels(5, find).note(tenant(slug))).toBe(`id of ${slug}`);
    },
  );

  it('belong to one tenant, though another has taken its slug', () => {
    const labels = new TenantLabels(5, find);
    expect(labels.note(tenant('acme', 'one'))).toBe('acme');
    expect(labels.note(tenant('renamed', 'one'))).toBe('acme');
    expect(labels.note(tenant('acme', 'another'))).toBe('another');
  });

  it('are looked up for what a job does, and are the id of who cannot be found', async () => {
    slugs.set('1', 'acme').set('2', 'away');
    const labels = new TenantLabels(3, find);
    await labels.noteLoads(['1', '2', '3', '4'].map((tenantId) => ({ tenantId, leases: 1 })));
    expect(['1', '2', '3', '4'].map((id) => labels.labelOf(id))).toEqual(['acme', '2', '3', 'other']);
  });
});
